// Memory for secrets in use: kept out of the swap and of core dumps, between guard pages, wiped when it goes.
//
// A secret that was combined or opened exists in the clear for as long as a command uses it, and that is when a swap file, a crash dump
// or an overrun could keep it. This is libsodium's guarded heap, plus what it leaves out: whether the kernel did lock the memory
// is known and told, because most systems allow an unprivileged process only a few MiB. Moves only. It does not protect against
// whoever may read this process.
#pragma once

#include "crypto/types.h"

namespace selvedge::crypto {

/// A secret in use is a key or a small file. Larger ones would not fit the usual limit of locked memory.
inline constexpr size_t kLockedSizeMax = 1 << 20;

enum class LockNeed : uint8_t {
  kRequired,  // fail rather than hold a secret in memory that may be swapped out
  kWanted,    // take what the system gives; locked() says what that was
};

class LockedBytes {
 public:
  /// `size` zero bytes. Errors: kInvalid above kLockedSizeMax; kLimit when the system gives no memory, or with kRequired when it gives none
  /// that is locked, saying which limit to raise.
  static Result<LockedBytes> make(size_t size, LockNeed need);
  /// The same with a copy of `bytes`, which stays the caller's to wipe.
  static Result<LockedBytes> copy(ByteView bytes, LockNeed need);

  LockedBytes(const LockedBytes&) = delete;
  LockedBytes& operator=(const LockedBytes&) = delete;
  LockedBytes(LockedBytes&& other) noexcept;
  LockedBytes& operator=(LockedBytes&& other) noexcept;
  ~LockedBytes();

  ByteView view() const { return {data_, size_}; }
  std::span<uint8_t> mutable_view() { return {data_, size_}; }
  size_t size() const { return size_; }
  /// True when the kernel promised to keep this memory out of the swap.
  bool locked() const { return locked_; }
  /// Keeps the first `size` bytes and wipes the rest.
  void shrink(size_t size);

 private:
  LockedBytes(uint8_t* data, size_t size, bool locked) : data_(data), size_(size), locked_(locked) {}
  uint8_t* data_ = nullptr;
  size_t size_ = 0;
  bool locked_ = false;
};

}  // namespace selvedge::crypto
