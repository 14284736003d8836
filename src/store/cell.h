// Cell: one value with its durable version and the versions that are on their way to the disk.
//
// Callers see the newest version at once (a revocation counts from the moment it is accepted), while a failed write
// takes exactly its own version back, whatever other writes to the same key are in flight. A failed write may still
// turn up after a restart, so the cell stays in doubt until a later write of the same key is on disk.
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
  /// Whether a restart is sure to find the current version.
  bool certain() const { return pending_.empty() && doubt_token_ == 0; }
  /// Whether the answer to newest_token() will make it certain.
  bool will_be_certain() const { return !pending_.empty() && pending_.back().token > doubt_token_; }
  /// Whether nothing is left to remember.
  bool dead() const { return certain() && !durable_; }
  /// Whether `test` holds for some version that is or may become the durable one.
  template <class Test>
  bool any_version(Test test) const {
    if (durable_ && test(*durable_)) return true;
    return std::any_of(pending_.begin(), pending_.end(), [&](const Version& v) { return v.value && test(*v.value); });
  }
  /// Token of the newest version in flight. Call only when not settled.
  uint64_t newest_token() const { return pending_.back().token; }

  /// Within one write the last version counts.
  void stage(uint64_t token, std::optional<T> value) {
    if (!pending_.empty() && pending_.back().token == token) pending_.back().value = std::move(value);
    else pending_.push_back({token, std::move(value)});
  }

  /// The write `token` is on disk.
  void commit(uint64_t token) {
    const auto it = find(token);
    if (it == pending_.end()) return;
    if (token > doubt_token_) doubt_token_ = 0;
    durable_ = std::move(it->value);
    // Answers may overtake each other; the disk applied the writes in token order, so older versions are history.
    pending_.erase(pending_.begin(), it + 1);
  }
  /// The write `token` failed: its version is not the current one.
  void abort(uint64_t token) {
    const auto it = find(token);
    if (it == pending_.end()) return;
    pending_.erase(it);
    doubt_token_ = std::max(doubt_token_, token);
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
  uint64_t doubt_token_ = 0;  // the newest failed write that no later one has overruled
  std::vector<Version> pending_;  // in token order; bounded by Limits::in_flight_max
};

}  // namespace selvedge::store
