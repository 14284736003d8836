// SimDisk: a disk that keeps the contract of store/effects.h and nothing more than it.
//
// A write answered as persisted survives a crash. One that was not answered, or was answered as failed, survives whole
// or not at all, each by the toss of a coin. Reads see every write but the failed ones.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>

#include "base/rng.h"
#include "store/effects.h"

namespace selvedge::sim {

class SimDisk {
 public:
  using Value = std::shared_ptr<const Bytes>;
  using Key = std::pair<store::Column, Bytes>;
  using Content = std::map<Key, Value>;

  void write(store::DiskWrite write);
  /// Tokens not answered yet, in the order of their writes.
  std::vector<uint64_t> waiting() const;
  /// The write with this token is on disk for good. Returns it, so that a checker can look at it.
  const store::DiskWrite* persist(uint64_t token);
  /// Drops from the log what no crash can undo any more. Call after a batch of persist().
  void settle();
  void refuse(uint64_t token);
  std::vector<std::optional<Bytes>> read(const store::DiskRead& read) const;
  void crash(Rng& rng);

  /// What reads see now, which after a crash is what is there.
  const Content& content() const { return visible_; }
  size_t writes_waiting() const;

 private:
  enum class Fate : uint8_t { kWaiting, kPersisted, kFailed };
  struct Entry {
    store::DiskWrite write;
    Fate fate;
  };
  static void apply(Content& content, const store::DiskWrite& write);

  Content base_;       // what survives any crash, as far as `log_` does not say otherwise
  Content visible_;
  std::deque<Entry> log_;
};

}  // namespace selvedge::sim
