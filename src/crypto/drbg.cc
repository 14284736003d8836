#include "crypto/drbg.h"

#include <algorithm>

#include "crypto/sodium_ready.h"

namespace selvedge::crypto {

Drbg Drbg::from_os() {
  sodium_ready();
  Seed seed;
  randombytes_buf(seed.mutable_view().data(), Seed::kSize);
  return Drbg(std::move(seed));
}

void Drbg::refill() {
  sodium_ready();
  static constexpr std::array<uint8_t, 12> kZeroNonce{};  // each key makes one stream only
  crypto_stream_chacha20_ietf(block_.mutable_view().data(), kBlockSize, kZeroNonce.data(), key_.view().data());
  std::memcpy(key_.mutable_view().data(), block_.view().data(), Seed::kSize);
  wipe(block_.mutable_view().first(Seed::kSize));
  used_ = Seed::kSize;
}

void Drbg::fill(std::span<uint8_t> out) {
  while (!out.empty()) {
    if (used_ == kBlockSize) refill();
    const size_t size = std::min(out.size(), kBlockSize - used_);
    const std::span<uint8_t> source = std::span<uint8_t>(block_.mutable_view()).subspan(used_, size);
    std::memcpy(out.data(), source.data(), size);
    wipe(source);
    used_ += size;
    out = out.subspan(size);
  }
}

Seed Drbg::seed() {
  Seed out;
  fill(out.mutable_view());
  return out;
}

}  // namespace selvedge::crypto
