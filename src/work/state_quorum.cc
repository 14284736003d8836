#include "work/state_quorum.h"

#include <algorithm>
#include <functional>

namespace selvedge::work {

StateQuorum::StateQuorum(const std::vector<NodeKey>& holders, const NodeKey& writer, uint64_t seq) : writer_(writer) {
  for (const NodeKey& each : holders) copies_[each].seq = seq;
  copies_[writer].seq = seq;
}

void StateQuorum::stored(const NodeKey& holder, uint64_t seq, Instant sent) {
  const auto it = copies_.find(holder);
  if (it == copies_.end()) return;
  it->second.seq = std::max(it->second.seq, seq);
  it->second.heard = std::max(it->second.heard, sent);
}

uint64_t StateQuorum::kept() const {
  std::vector<uint64_t> all;
  for (const auto& [node, copy] : copies_) all.push_back(copy.seq);
  std::sort(all.begin(), all.end(), std::greater<>());
  return std::min(all[needed() - 1], copies_.at(writer_).seq);
}

Instant StateQuorum::lease() const {
  std::vector<Instant> others;
  for (const auto& [node, copy] : copies_) {
    if (node != writer_) others.push_back(copy.heard);
  }
  std::sort(others.begin(), others.end(), std::greater<>());
  // The writer itself counts, and follows nobody newer as long as it is asked.
  const size_t needed_of_others = needed() - 1;
  return needed_of_others == 0 ? Instant::never() : others[needed_of_others - 1] + kStateLease;
}

uint64_t StateQuorum::slowest() const {
  uint64_t out = UINT64_MAX;
  for (const auto& [node, copy] : copies_) out = std::min(out, copy.seq);
  return out;
}

}  // namespace selvedge::work
