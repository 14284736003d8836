#include "crypto/hash.h"

namespace selvedge::crypto {
namespace {

constexpr size_t kBlockSize = 64;
constexpr size_t kHashSize = 32;

/// HMAC over up to three pieces, without joining them first.
Digest hmac_pieces(ByteView key, ByteView a, ByteView b, ByteView c) {
  std::array<uint8_t, kBlockSize> block{};
  if (key.size() > kBlockSize) {
    const Digest short_key = sha256(key);
    std::memcpy(block.data(), short_key.bytes.data(), kHashSize);
  } else if (!key.empty()) {
    std::memcpy(block.data(), key.data(), key.size());
  }
  for (uint8_t& byte : block) byte ^= 0x36;
  const Digest inner = Sha256().update(block).update(a).update(b).update(c).finish();
  for (uint8_t& byte : block) byte ^= 0x36 ^ 0x5c;
  const Digest outer = Sha256().update(block).update(inner).finish();
  wipe(block);
  return outer;
}

}  // namespace

Digest sha256(ByteView data) { return Sha256().update(data).finish(); }

Digest hmac_sha256(ByteView key, ByteView data) { return hmac_pieces(key, data, {}, {}); }

void hkdf_sha256(ByteView input_key, ByteView salt, ByteView info, std::span<uint8_t> out) {
  CHECK_MSG(out.size() <= 255 * kHashSize, "HKDF-SHA-256 gives at most 8160 bytes");
  Digest pseudo_random_key = hmac_pieces(salt, input_key, {}, {});
  Digest previous;
  size_t done = 0;
  for (uint8_t counter = 1; done < out.size(); ++counter) {
    const ByteView chained = counter == 1 ? ByteView{} : previous.view();
    previous = hmac_pieces(pseudo_random_key, chained, info, ByteView(&counter, 1));
    const size_t size = std::min(kHashSize, out.size() - done);
    std::memcpy(out.data() + done, previous.bytes.data(), size);
    done += size;
  }
  wipe(pseudo_random_key.bytes);
  wipe(previous.bytes);
}

Secret<32> hkdf_sha256_key(ByteView input_key, ByteView salt, ByteView info) {
  Secret<32> out;
  hkdf_sha256(input_key, salt, info, out.mutable_view());
  return out;
}

}  // namespace selvedge::crypto
