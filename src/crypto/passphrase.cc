#include "crypto/passphrase.h"

#include "crypto/sodium_ready.h"

namespace selvedge::crypto {
namespace {

constexpr std::string_view kPassphraseMagic = "SVPW";
constexpr uint8_t kPassphraseVersion = 1;
constexpr size_t kPassphraseSaltSize = 16;
constexpr size_t kPassphraseNonceSize = 24;
constexpr size_t kPassphraseTagSize = 16;
constexpr size_t kPassphraseSaltAt = 4 + 1 + 4 + 4;
constexpr size_t kPassphraseNonceAt = kPassphraseSaltAt + kPassphraseSaltSize;
constexpr size_t kPassphraseHeaderSize = kPassphraseNonceAt + kPassphraseNonceSize;
static_assert(kPassphraseHeaderSize + kPassphraseTagSize == kPassphraseOverhead);
static_assert(kPassphraseSaltSize == crypto_pwhash_SALTBYTES && kPassphraseNonceSize == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES);

Status check_cost(const PassphraseCost& cost, Errc code) {
  if (cost.passes < 1 || cost.passes > kPassphrasePassesMax || cost.memory_kib < kPassphraseMemoryMinKib || cost.memory_kib > kPassphraseMemoryMaxKib) {
    return fail(code, "the passphrase cost is between 1 and 16 passes over 8 MiB to 1 GiB, not " + std::to_string(cost.passes) + " over " +
                          std::to_string(cost.memory_kib) + " KiB");
  }
  return ok();
}

Status check_passphrase(ByteView passphrase) {
  if (passphrase.empty()) return fail(Errc::kInvalid, "the passphrase is empty");
  if (passphrase.size() > kPassphraseSizeMax) return fail(Errc::kInvalid, "the passphrase is longer than 1024 bytes");
  return ok();
}

Result<Secret<32>> passphrase_key(ByteView passphrase, ByteView salt, const PassphraseCost& cost) {
  Secret<32> key;
  const int outcome = crypto_pwhash(key.mutable_view().data(), 32, reinterpret_cast<const char*>(passphrase.data()), passphrase.size(), salt.data(),
                                    cost.passes, size_t(cost.memory_kib) * 1024, crypto_pwhash_ALG_ARGON2ID13);
  if (outcome != 0) {
    return fail(Errc::kLimit, "this machine does not give the " + std::to_string(cost.memory_kib / 1024) + " MiB that the passphrase takes: free some memory");
  }
  return key;
}

Bytes passphrase_aad(ByteView header, std::string_view purpose) {
  Bytes aad = to_bytes(header);
  append(aad, view(purpose));
  return aad;
}

}  // namespace

Result<Bytes> passphrase_seal(ByteView passphrase, ByteView plaintext, std::string_view purpose, const PassphraseCost& cost, Drbg& drbg) {
  sodium_ready();
  TRY(check_passphrase(passphrase));
  TRY(check_cost(cost, Errc::kInvalid));
  if (plaintext.size() > kLockedSizeMax) return fail(Errc::kInvalid, "what is sealed under a passphrase is at most 1 MiB");
  Bytes out = to_bytes(view(kPassphraseMagic));
  out.push_back(kPassphraseVersion);
  append_u32(out, cost.passes);
  append_u32(out, cost.memory_kib);
  out.resize(kPassphraseHeaderSize + plaintext.size() + kPassphraseTagSize);
  drbg.fill(std::span<uint8_t>(out).subspan(kPassphraseSaltAt, kPassphraseSaltSize + kPassphraseNonceSize));
  const ByteView header = ByteView(out).first(kPassphraseHeaderSize);
  const Secret<32> key = TRY(passphrase_key(passphrase, header.subspan(kPassphraseSaltAt, kPassphraseSaltSize), cost));
  const Bytes aad = passphrase_aad(header, purpose);
  crypto_aead_xchacha20poly1305_ietf_encrypt(out.data() + kPassphraseHeaderSize, nullptr, plaintext.data(), plaintext.size(), aad.data(), aad.size(),
                                             nullptr, out.data() + kPassphraseNonceAt, key.view().data());
  return out;
}

Result<PassphraseCost> passphrase_cost(ByteView sealed) {
  if (sealed.size() < kPassphraseOverhead || to_string(sealed.first(4)) != kPassphraseMagic) {
    return fail(Errc::kInvalid, "this is no file sealed under a passphrase");
  }
  if (sealed[4] != kPassphraseVersion) {
    return fail(Errc::kUnsupported, "this file was sealed by a later version (" + std::to_string(sealed[4]) + "): update selvedge to open it");
  }
  if (sealed.size() - kPassphraseOverhead > kLockedSizeMax) return fail(Errc::kInvalid, "what is sealed under a passphrase is at most 1 MiB");
  PassphraseCost cost;
  cost.passes = load_u32(sealed.data() + 5);
  cost.memory_kib = load_u32(sealed.data() + 9);
  TRY(check_cost(cost, Errc::kLimit));
  return cost;
}

Result<LockedBytes> passphrase_open(ByteView passphrase, ByteView sealed, std::string_view purpose) {
  sodium_ready();
  TRY(check_passphrase(passphrase));
  const PassphraseCost cost = TRY(passphrase_cost(sealed));
  const ByteView header = sealed.first(kPassphraseHeaderSize);
  const ByteView text = sealed.subspan(kPassphraseHeaderSize);
  const Secret<32> key = TRY(passphrase_key(passphrase, header.subspan(kPassphraseSaltAt, kPassphraseSaltSize), cost));
  const Bytes aad = passphrase_aad(header, purpose);
  LockedBytes plain = TRY(LockedBytes::make(text.size() - kPassphraseTagSize, LockNeed::kWanted));
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(plain.mutable_view().data(), nullptr, nullptr, text.data(), text.size(), aad.data(), aad.size(),
                                                 header.data() + kPassphraseNonceAt, key.view().data()) != 0) {
    return fail(Errc::kIntegrity, "the passphrase is wrong, or the file is damaged or made for another purpose");
  }
  return plain;
}

}  // namespace selvedge::crypto
