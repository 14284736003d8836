#include "crypto/locked.h"

#include "crypto/sodium_ready.h"

namespace selvedge::crypto {

Result<LockedBytes> LockedBytes::make(size_t size, LockNeed need) {
  sodium_ready();
  if (size > kLockedSizeMax) return fail(Errc::kInvalid, "a secret in use is at most 1 MiB");
  auto* const data = static_cast<uint8_t*>(sodium_malloc(size));
  if (data == nullptr) return fail(Errc::kLimit, "the system gave no memory for a secret");
  // sodium_malloc ignores what mlock answers. Locking again costs nothing where it succeeded, and tells where it did not.
  const bool locked = sodium_mlock(data, size) == 0;
  LockedBytes out(data, size, locked);
  if (!locked && need == LockNeed::kRequired) {
    return fail(Errc::kLimit, "the system refuses to lock memory, so the secret could be written to the swap: raise the limit "
                              "(ulimit -l, or LimitMEMLOCK= of the service), or accept memory that is not locked");
  }
  sodium_memzero(data, size);
  return out;
}

Result<LockedBytes> LockedBytes::copy(ByteView bytes, LockNeed need) {
  LockedBytes out = TRY(make(bytes.size(), need));
  if (!bytes.empty()) std::memcpy(out.data_, bytes.data(), bytes.size());
  return out;
}

LockedBytes::LockedBytes(LockedBytes&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)), locked_(std::exchange(other.locked_, false)) {}

LockedBytes& LockedBytes::operator=(LockedBytes&& other) noexcept {
  LockedBytes taken(std::move(other));  // what was here before is wiped with `taken`, now and not when `other` goes
  std::swap(data_, taken.data_);
  std::swap(size_, taken.size_);
  std::swap(locked_, taken.locked_);
  return *this;
}

LockedBytes::~LockedBytes() {
  if (data_ != nullptr) sodium_free(data_);  // wipes, unlocks, and stops the process when the bytes before it were overwritten
}

void LockedBytes::shrink(size_t size) {
  CHECK(size <= size_);
  wipe(mutable_view().subspan(size));
  size_ = size;
}

}  // namespace selvedge::crypto
