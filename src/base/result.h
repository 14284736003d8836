// Result<T>: how every operation that a peer, a disk, a user or a guest can make fail reports it.
//
// Selvedge throws nothing. A failure that the outside world can cause is an Error inside a Result; a bug of
// ours is a CHECK (check.h). An Error carries a code from one list, which programs branch on and which the
// command maps to its exit code, and a message for a person: what happened and what to do next.
#pragma once

#include <cstdint>
#include <new>
#include <string>
#include <utility>

#include "base/check.h"

namespace selvedge {

enum class Errc : uint8_t {
  kInvalid = 1,   // malformed, truncated or nonsensical input
  kNonCanonical,  // decodes, but is not the one canonical encoding
  kUnsupported,   // a version, type or feature this build does not know
  kUnauthorized,  // nobody with the authority said yes
  kExpired,       // the authority or object was valid once
  kRevoked,       // the authority was taken back
  kIntegrity,     // hash, signature or authentication tag does not match
  kNotFound,      // no such thing here
  kExists,        // already there, and different
  kLimit,         // a named bound was reached: queue, size, count
  kQuota,         // the grant does not cover this much
  kUnavailable,   // too few peers, symbols or hosts right now
  kTimeout,       // a deadline passed
  kBusy,          // locked or in use by someone else
  kIo,            // disk, socket or process failure
  kCancelled,     // stopped on request
  kGuest,         // the guest program misbehaved: trap, fuel, memory, forbidden import
  kInconclusive,  // stopped for reasons that say nothing about the result (wall clock, host out of memory)
  kDisagreement,  // executors did not agree and no majority could be found
  kInternal,      // a bug that was caught before it did harm
};

/// The stable lower-case name used in JSON and documents ("not_found").
const char* errc_name(Errc code);
/// The inverse of errc_name; kInternal for an unknown name.
Errc errc_from_name(const std::string& name);

struct Error {
  Errc code = Errc::kInternal;
  std::string message;
};

inline Error fail(Errc code, std::string message) { return Error{code, std::move(message)}; }

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : ok_(true) { new (&value_) T(std::move(value)); }
  Result(Error error) : ok_(false) { new (&error_) Error(std::move(error)); }
  Result(const Result& other) : ok_(other.ok_) {
    if (ok_) new (&value_) T(other.value_);
    else new (&error_) Error(other.error_);
  }
  Result(Result&& other) noexcept : ok_(other.ok_) {
    if (ok_) new (&value_) T(std::move(other.value_));
    else new (&error_) Error(std::move(other.error_));
  }
  Result& operator=(Result other) noexcept {
    this->~Result();
    new (this) Result(std::move(other));
    return *this;
  }
  ~Result() {
    if (ok_) value_.~T();
    else error_.~Error();
  }

  bool ok() const { return ok_; }
  explicit operator bool() const { return ok_; }
  T& value() & { CHECK_MSG(ok_, error_.message.c_str()); return value_; }
  const T& value() const& { CHECK_MSG(ok_, error_.message.c_str()); return value_; }
  T&& value() && { CHECK_MSG(ok_, error_.message.c_str()); return std::move(value_); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  T value_or(T other) const { return ok_ ? value_ : std::move(other); }
  const Error& error() const& { CHECK(!ok_); return error_; }
  Error&& error() && { CHECK(!ok_); return std::move(error_); }
  Errc code() const { return error().code; }

 private:
  bool ok_;
  union {
    T value_;
    Error error_;
  };
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : ok_(false), error_(std::move(error)) {}
  bool ok() const { return ok_; }
  explicit operator bool() const { return ok_; }
  void value() const { CHECK_MSG(ok_, error_.message.c_str()); }
  const Error& error() const& { CHECK(!ok_); return error_; }
  Error&& error() && { CHECK(!ok_); return std::move(error_); }
  Errc code() const { return error().code; }

 private:
  bool ok_ = true;
  Error error_;
};

using Status = Result<void>;
inline Status ok() { return {}; }

}  // namespace selvedge

#define SELVEDGE_CONCAT_INNER(a, b) a##b
#define SELVEDGE_CONCAT(a, b) SELVEDGE_CONCAT_INNER(a, b)
#define SELVEDGE_TRY(name, expr)                            \
  ({                                                        \
    auto name = (expr);                                     \
    if (!name.ok()) [[unlikely]] return std::move(name).error(); \
    std::move(name).value();                                \
  })
/// Evaluates to the value of a Result, or returns its Error from the enclosing function. What the same expression made before it is not destroyed then: a
/// TRY comes first in its expression, or stands alone.
#define TRY(expr) SELVEDGE_TRY(SELVEDGE_CONCAT(try_result_, __COUNTER__), expr)
