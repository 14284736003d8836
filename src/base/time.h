// Instant and Duration: the only time a pure machine knows is the `now` it was handed.
//
// An Instant counts nanoseconds since the Unix epoch on a clock that never goes back: the host reads the wall
// clock once at start and advances it by the monotonic clock. Expiry of signed objects is in whole Unix seconds.
#pragma once

#include <compare>
#include <cstdint>

namespace selvedge {

struct Duration {
  int64_t ns = 0;
  auto operator<=>(const Duration&) const = default;
  friend constexpr Duration operator+(Duration a, Duration b) { return {a.ns + b.ns}; }
  friend constexpr Duration operator-(Duration a, Duration b) { return {a.ns - b.ns}; }
  friend constexpr Duration operator*(Duration a, int64_t n) { return {a.ns * n}; }
  friend constexpr Duration operator/(Duration a, int64_t n) { return {a.ns / n}; }
  constexpr double seconds() const { return double(ns) / 1e9; }
  constexpr int64_t ms() const { return ns / 1'000'000; }
};

constexpr Duration nanoseconds(int64_t n) { return {n}; }
constexpr Duration microseconds(int64_t n) { return {n * 1'000}; }
constexpr Duration milliseconds(int64_t n) { return {n * 1'000'000}; }
constexpr Duration seconds(int64_t n) { return {n * 1'000'000'000}; }

struct Instant {
  int64_t ns = 0;
  auto operator<=>(const Instant&) const = default;
  friend constexpr Instant operator+(Instant a, Duration d) { return {a.ns + d.ns}; }
  friend constexpr Instant operator-(Instant a, Duration d) { return {a.ns - d.ns}; }
  friend constexpr Duration operator-(Instant a, Instant b) { return {a.ns - b.ns}; }
  constexpr uint64_t unix_seconds() const { return uint64_t(ns / 1'000'000'000); }
  constexpr uint64_t unix_ms() const { return uint64_t(ns / 1'000'000); }
  static constexpr Instant from_unix_seconds(uint64_t s) { return {int64_t(s) * 1'000'000'000}; }
  /// Later than any deadline: "no need to call me".
  static constexpr Instant never() { return {INT64_MAX}; }
};

}  // namespace selvedge
