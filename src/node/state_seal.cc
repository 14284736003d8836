#include "node/state_seal.h"

#include "crypto/aead.h"
#include "crypto/hash.h"
#include "wasi/state_calls.h"

namespace selvedge::node {

namespace {
constexpr size_t kHeadBytes = 20;   // term, number of the write, index of the value
constexpr size_t kTagBytes = crypto::AeadTag::kSize;
}  // namespace

crypto::AeadKey state_key(const crypto::Seed& service_seed) { return crypto::hkdf_sha256_key(service_seed.view(), {}, view("selvedge.state.key")); }

StateSeal::StateSeal(const crypto::PublicKey& service, ByteView key)
    : service_(service), slots_(crypto::hkdf_sha256_key(key, service, view("selvedge.state.slots"))), values_(crypto::hkdf_sha256_key(key, service, view("selvedge.state.values"))) {}

StateSlot StateSeal::slot_of(std::string_view key) const { return StateSlot::from(crypto::hmac_sha256(slots_.view(), view(key))).value(); }

const crypto::AeadKey& StateSeal::key_of(uint64_t term) {
  if (term_ == term) return of_term_;
  Bytes info = to_bytes(view("selvedge.state.term"));
  append_u64(info, term);
  of_term_ = crypto::hkdf_sha256_key(values_.view(), {}, info);
  term_ = term;
  return of_term_;
}

Bytes StateSeal::bound(const StateSlot& slot) const {
  Bytes out = to_bytes(service_);
  append(out, slot.bytes);
  return out;
}

Bytes StateSeal::seal(uint64_t term, uint64_t seq, uint32_t index, std::string_view key, ByteView value) {
  CHECK(key.size() <= wasi::kStateKeyMax && term != 0);
  Bytes out;
  out.reserve(kHeadBytes + 2 + key.size() + value.size() + kTagBytes);
  append_u64(out, term);
  append_u64(out, seq);
  append_u32(out, index);
  out.push_back(uint8_t(key.size() >> 8));
  out.push_back(uint8_t(key.size()));
  append(out, view(key));
  append(out, value);
  const crypto::Nonce nonce = crypto::Nonce::from(ByteView(out).subspan(8, 12)).value();
  const crypto::AeadTag tag = crypto::aead_seal(key_of(term), nonce, bound(slot_of(key)), std::span(out).subspan(kHeadBytes));
  append(out, tag.bytes);
  return out;
}

Result<std::pair<std::string, Bytes>> StateSeal::open(const StateSlot& slot, ByteView sealed) {
  if (sealed.size() < kHeadBytes + 2 + kTagBytes) return fail(Errc::kIntegrity, "a value of the state is cut short");
  const uint64_t term = load_u64(sealed.data());
  if (term == 0) return fail(Errc::kIntegrity, "a value of the state is of no term");
  Bytes plain = to_bytes(sealed.subspan(kHeadBytes, sealed.size() - kHeadBytes - kTagBytes));
  const crypto::Nonce nonce = crypto::Nonce::from(sealed.subspan(8, 12)).value();
  TRY(crypto::aead_open(key_of(term), nonce, bound(slot), plain, crypto::AeadTag::from(sealed.last(kTagBytes)).value()));
  const size_t size = size_t(plain[0]) << 8 | plain[1];
  if (size > plain.size() - 2) return fail(Errc::kIntegrity, "a value of the state has no key");
  std::string key(plain.begin() + 2, plain.begin() + 2 + ptrdiff_t(size));
  return std::pair(std::move(key), Bytes(plain.begin() + 2 + ptrdiff_t(size), plain.end()));
}

}  // namespace selvedge::node
