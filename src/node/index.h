// Index: what this owner has and where it is, the same on all their devices.
//
// Three kinds of records make it up: blobs, placements and addresses of nodes. Whoever changes one stamps it; devices tell each other how far
// they have each writer's entries and ask for what they lack. Of two versions the higher stamp stays, everywhere the same, and either is
// true by itself: a placement names symbols that its holders acknowledged. An entry is told to others once it is on disk here. What a
// device of another owner or a revoked one says about the index never arrives here: the caller sees to that.
#pragma once

#include <functional>

#include "node/core.h"
#include "node/index_messages.h"

namespace selvedge::node {

constexpr size_t kIndexMessageBytesMax = 256 * 1024;
/// Changes are gathered for so long before the others are told.
constexpr Duration kIndexTellPause = milliseconds(500);
/// A stamp further ahead of this clock than this is refused: it would win against everything until then.
constexpr uint64_t kStampAheadMaxMs = 24 * 3600 * 1000;

using IndexSeen = std::map<uint64_t, uint64_t>;   // by writer

class Index {
 public:
  explicit Index(Core& core) : core_(core) {}

  /// At start, from the records.
  void restore(Turn& turn);

  /// Stamps the record, writes it down, and tells the other devices when it is there.
  template <class T>
  void put(Turn& turn, IndexKind kind, ByteView id, T value, Core::OnStatus then) {
    value.stamp = next_stamp(turn.now);
    write(turn, kind, *IndexEntryId::from(id), codec::encode(value), value.stamp, std::move(then));
  }
  /// An entry of another device or from a saved index. One that is older than what is here changes nothing and is no error.
  /// Errors (to `then`): kInvalid (not such a record, or a stamp from the future), or what the store said.
  void apply(Turn& turn, IndexEntry entry, Core::OnStatus then);

  /// Called for each entry that came from elsewhere and is newer than what was here.
  std::function<void(Turn&, const IndexEntry&)> on_applied;
  /// Called when an entry of this device's is written down, or a device has given what it had.
  std::function<void(Turn&)> on_changed;
  /// Called when a device has given all it had.
  std::function<void(Turn&)> on_caught_up;
  /// The connected devices of this owner.
  std::function<std::vector<NodeKey>(Instant)> devices;

  void on_device_up(Turn& turn, const NodeKey& device);
  void on_device_down(const NodeKey& device) { asked_.erase(device); }
  void on_message(Turn& turn, const NodeKey& from, IndexMessages::Message message);
  void on_deadline(Turn& turn);
  Instant next_deadline() const { return tell_at_; }

  // ---- for whoever keeps a copy of it
  IndexSeen seen() const;
  size_t entries_after(const IndexSeen& from, const IndexSeen& upto) const;
  /// What was written after `from` and up to `upto`, as far as nothing replaced it.
  std::vector<IndexEntry> collect(const IndexSeen& from, const IndexSeen& upto) const;
  /// Takes for granted that everything up to `seen` is here, because it was applied.
  void note_seen(Turn& turn, const IndexSeen& seen, Core::OnStatus then);
  uint64_t writer() const { return writer_; }
  size_t size() const { return by_stamp_.size(); }

 private:
  struct Name {
    IndexKind kind;
    IndexEntryId id;
  };
  using Order = std::pair<uint64_t, uint64_t>;   // writer, seq

  Stamp next_stamp(Instant now);
  void write(Turn& turn, IndexKind kind, const IndexEntryId& id, Bytes value, const Stamp& stamp, Core::OnStatus then);
  void replace(const Name& name, const Stamp& stamp);
  std::optional<Stamp> stamp_here(const Name& name) const;
  void want(Turn& turn, const NodeKey& device);
  void serve(Turn& turn, const NodeKey& device, const IndexSeen& theirs);
  void take(Turn& turn, const NodeKey& from, IndexEntries message);
  void taken(Turn& turn, const NodeKey& from, const IndexSeen& upto, bool more, const Status& status);
  void tell_soon(Instant now);
  IndexHead head() const;

  Core& core_;
  uint64_t writer_ = 0;
  uint64_t last_seq_ = 0;
  std::set<uint64_t> pending_;          // own, not yet on disk
  IndexSeen seen_;                      // of other writers
  std::map<Order, Name> by_stamp_;
  std::set<NodeKey> asked_;             // whose answer is on its way, or being written down
  Instant told_at_{0};
  Instant tell_at_ = Instant::never();
};

/// The record in which a kind of entry lies.
Record record_of(IndexKind kind);
/// The stamp of a record of the index. Errors: kInvalid.
Result<Stamp> peek_stamp(ByteView value);

}  // namespace selvedge::node
