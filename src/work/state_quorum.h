// StateQuorum: what the writer of a service's state knows of the copies. docs/spec/hosting.md, "State"
//
// A write is kept when a majority of the copies has it on disk, the writer's among them: any majority of a later term then has one that knows it. And the
// writer may answer only while a majority has said lately that it follows nobody newer. Pure; one per term.
#pragma once

#include <map>
#include <vector>

#include "base/time.h"
#include "object/ids.h"
#include "work/messages.h"

namespace selvedge::work {

/// How long a writer may answer after it sent what a majority has acknowledged since. Whoever makes another node the writer without this one's word waits longer.
constexpr Duration kStateLease = milliseconds(1500);
constexpr Duration kStateLeaseOver = milliseconds(2000);
/// How often a writer asks, where nothing is written.
constexpr Duration kStateBeat = milliseconds(500);

class StateQuorum {
 public:
  /// `holders`: with the writer, each once. All of them have everything up to `seq`.
  StateQuorum(const std::vector<NodeKey>& holders, const NodeKey& writer, uint64_t seq);

  /// `holder` has everything up to `seq` on disk, and answered what was sent at `sent`, which the caller remembers of itself. From others: nothing.
  void stored(const NodeKey& holder, uint64_t seq, Instant sent);
  bool holds(const NodeKey& node) const { return copies_.contains(node); }
  size_t needed() const { return copies_.size() / 2 + 1; }
  /// Up to here nothing can be lost.
  uint64_t kept() const;
  /// Until when the writer may answer.
  Instant lease() const;
  /// What the holder that is furthest behind has.
  uint64_t slowest() const;
  uint64_t of(const NodeKey& holder) const { return copies_.at(holder).seq; }

 private:
  struct Copy {
    uint64_t seq = 0;
    Instant heard{0};
  };
  std::map<NodeKey, Copy> copies_;
  NodeKey writer_;
};

}  // namespace selvedge::work
