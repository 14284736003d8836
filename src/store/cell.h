// Cell: one value with its durable version and the versions that are on their way to the disk.
//
// Callers see the newest version at once (a revocation counts from the moment it is accepted), while a failed write
// takes exactly its own version back, whatever other writes to the same key are in flight.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace selvedge::store {

template <class T>
class Cell {
 public:
  Cell() = default;
  /// A value that is on disk already (recovery).
  explicit Cell(T durable) : durable_(std::move(durable)) {}

  /// The newest version; nullptr when the newest version is a deletion or there never was one.
  const T* current() const {
    const std::optional<T>& newest = pending_.empty() ? durable_ : pending_.back().value;
    return newest ? &*newest : nullptr;
  }
  const T* durable() const { return durable_ ? &*durable_ : nullptr; }
  /// Whether nothing is in flight.
  bool settled() const { return pending_.empty(); }
  /// Whether nothing is left to remember.
  bool dead() const { return pending_.empty() && !durable_; }
  /// Token of the newest version in flight. Call only when not settled.
  uint64_t newest_token() const { return pending_.back().token; }

  void stage(uint64_t token, std::optional<T> value) { pending_.push_back({token, std::move(value)}); }

  /// The write `token` is on disk.
  void commit(uint64_t token) {
    const auto it = find(token);
    if (it == pending_.end()) return;
    // Answers may overtake each other; the disk applied the writes in token order.
    if (token > durable_token_) {
      durable_ = std::move(it->value);
      durable_token_ = token;
    }
    pending_.erase(it);
  }
  /// The write `token` failed: its version never was.
  void abort(uint64_t token) {
    const auto it = find(token);
    if (it != pending_.end()) pending_.erase(it);
  }

 private:
  struct Version {
    uint64_t token;
    std::optional<T> value;
  };
  typename std::vector<Version>::iterator find(uint64_t token) {
    return std::find_if(pending_.begin(), pending_.end(), [token](const Version& v) { return v.token == token; });
  }

  std::optional<T> durable_;
  uint64_t durable_token_ = 0;
  std::vector<Version> pending_;  // in token order; bounded by Limits::in_flight_max
};

}  // namespace selvedge::store
