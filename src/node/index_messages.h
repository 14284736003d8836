// What an owner's devices say to each other to have the same index: which files there are, where their symbols lie, where
// nodes were last seen. Only between devices of one owner, inside their session. Specified in docs/spec/zones.md.
#pragma once

#include <tuple>
#include <vector>

#include "codec/message_set.h"

namespace selvedge::node {

constexpr size_t kIndexWritersMax = 256;
constexpr size_t kIndexEntriesPerMessageMax = 256;

/// When and by whom an entry was written. `seq` grows with each entry of a writer, is never behind its clock (Unix milliseconds) and
/// never behind what the writer had seen; so of two versions of an entry the later one has the higher stamp.
struct Stamp {
  uint64_t seq = 0;
  uint64_t writer = 0;   // drawn at random when a device's store is made
  template <class V> void visit(V& v) { v("seq", seq); v("writer", writer); }
  auto operator<=>(const Stamp&) const = default;
};

enum class IndexKind : uint8_t { kBlob = 1, kPlacement, kPeer, kFirst = kBlob, kLast = kPeer };

struct IndexEntryIdTag;
using IndexEntryId = FixedBytes<IndexEntryIdTag, 32>;

/// `value` is the record as it lies in the store; its first field is its stamp.
struct IndexEntry {
  IndexKind kind = IndexKind::kBlob;
  IndexEntryId id;
  Bytes value;
  template <class V> void visit(V& v) { v("kind", kind); v("id", id); v("value", value); }
};

/// Everything of `writer` up to `seq` is here, or was replaced by something later.
struct WriterSeen {
  uint64_t writer = 0;
  uint64_t seq = 0;
  template <class V> void visit(V& v) { v("writer", writer); v("seq", seq); }
  bool operator==(const WriterSeen&) const = default;
};

/// What the sender has. Who has less answers with IndexWant.
struct IndexHead {
  static constexpr uint8_t kType = 48;
  std::vector<WriterSeen> seen;
  template <class V> void visit(V& v) { v("seen", seen); }
};

/// Asks for what comes after `seen`. One answer comes; the next is asked for when that one is on disk.
struct IndexWant {
  static constexpr uint8_t kType = 49;
  std::vector<WriterSeen> seen;
  template <class V> void visit(V& v) { v("seen", seen); }
};

/// With these entries the asker has what `upto` says.
struct IndexEntries {
  static constexpr uint8_t kType = 50;
  std::vector<IndexEntry> entries;
  std::vector<WriterSeen> upto;
  bool more = false;
  template <class V> void visit(V& v) { v("entries", entries); v("upto", upto); v("more", more); }
};

using IndexMessages = codec::MessageSet<IndexHead, IndexWant, IndexEntries>;

}  // namespace selvedge::node
