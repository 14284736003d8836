// StateParts: states of runs put together again, from the parts in which they travel. Pure; bounded in bytes and in number, whatever is sent.
#pragma once

#include <map>
#include <optional>

#include "base/time.h"
#include "work/messages.h"

namespace selvedge::work {

class StateParts {
 public:
  static constexpr size_t kBytesMax = 4 * kTaskStateBytesMax;
  static constexpr size_t kCountMax = 64;
  /// What has not got on for so long is thrown away.
  static constexpr Duration kPause = seconds(60);

  /// The whole state, when this was its last part. Parts come in order; what does not fit what came before ends it, and a first part begins anew.
  std::optional<Bytes> take(Instant now, const NodeKey& from, const TaskState& part) {
    const Key key{from, part.task};
    if (part.at == 0) begin(now, key, part);
    const auto found = open_.find(key);
    if (found == open_.end()) return std::nullopt;
    Open& open = found->second;
    const bool fits = part.at == open.bytes.size() && part.fuel == open.fuel && part.size == open.size && !part.part.empty() && part.part.size() <= open.size - open.bytes.size();
    if (!fits) return end(found), std::nullopt;
    append(open.bytes, part.part);
    open.heard = now;
    if (open.bytes.size() < open.size) return std::nullopt;
    Bytes whole = std::move(open.bytes);
    end(found);
    return whole;
  }

 private:
  using Key = std::pair<NodeKey, TaskId>;
  struct Open {
    uint64_t fuel = 0;
    size_t size = 0;
    Bytes bytes;
    Instant heard;
  };
  using Opens = std::map<Key, Open>;

  void begin(Instant now, const Key& key, const TaskState& part) {
    if (const auto before = open_.find(key); before != open_.end()) end(before);
    for (auto it = open_.begin(); it != open_.end();) {
      const auto each = it++;
      if (now - each->second.heard > kPause) end(each);
    }
    if (part.size == 0 || part.size > kTaskStateBytesMax || open_.size() >= kCountMax || promised_ + part.size > kBytesMax) return;
    promised_ += part.size;
    open_.emplace(key, Open{part.fuel, part.size, {}, now});
  }
  void end(Opens::iterator it) {
    promised_ -= it->second.size;
    open_.erase(it);
  }

  Opens open_;
  size_t promised_ = 0;
};

/// The parts of a state, to be sent in this order, each with `send`.
template <class Send>
void send_state(const TaskId& task, uint64_t fuel, ByteView state, bool to_go_on, Send send) {
  for (size_t at = 0; at < state.size(); at += kTaskStatePartBytes) {
    const ByteView part = state.subspan(at, std::min(kTaskStatePartBytes, state.size() - at));
    send(WorkMessages::encode(TaskState{task, fuel, uint32_t(state.size()), uint32_t(at), to_bytes(part), to_go_on}));
  }
}

}  // namespace selvedge::work
