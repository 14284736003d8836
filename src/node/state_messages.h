// What the nodes that hold copies of a service's state say to each other. docs/spec/hosting.md, "State"
//
// Who is told: "origin" is a node of the service's owner; a "holder" has a copy, as one of the origin's nodes has; the "writer" of a term is the one holder at which
// the service runs. All of them are of one priority, so they arrive in the order in which they were sent.
#pragma once

#include "codec/message_set.h"
#include "object/kinds.h"

namespace selvedge::node {

struct StateSlotTag;
/// Stands for a key; only who has the state's key knows for which.
using StateSlot = FixedBytes<StateSlotTag, 32>;

constexpr size_t kStateHoldersMax = 40;
constexpr size_t kStatePartBytes = 256u << 10;   // of a copy that is sent, in one message

struct StateEntry {
  StateSlot slot;
  Bytes sealed;                           // empty: there is nothing any more
  template <class V> void visit(V& v) { v("slot", slot); v("sealed", sealed); }
};

/// Origin to holder: follow nobody of an earlier term any more. Answered by StateReady.
struct StatePrepare {
  static constexpr uint8_t kType = 123;
  crypto::PublicKey service;
  uint64_t term = 0;
  template <class V> void visit(V& v) { v("service", service); v("term", term); }
};
/// Holder to origin: what it has. When asked, when that changes, and to each node of the origin that connects.
struct StateReady {
  static constexpr uint8_t kType = 124;
  crypto::PublicKey service;
  uint64_t promised = 0;                  // it follows nobody of an earlier term
  uint64_t term = 0, seq = 0;             // its copy's last write
  uint64_t leads = 0;                     // the term of which it is the writer; 0: none
  bool behind = false;                    // it missed a write, and takes no more
  uint64_t bytes = 0, keys = 0;           // of its copy, as it lies there
  template <class V> void visit(V& v) {
    v("service", service); v("promised", promised); v("term", term); v("seq", seq); v("leads", leads); v("behind", behind); v("bytes", bytes); v("keys", keys);
  }
};
/// Origin to holder: send the copy.
struct StatePull {
  static constexpr uint8_t kType = 125;
  crypto::PublicKey service;
  template <class V> void visit(V& v) { v("service", service); }
};
/// A piece of a copy, which takes the place of what the reader has once the last one is there.
struct StatePart {
  static constexpr uint8_t kType = 126;
  crypto::PublicKey service;
  uint64_t promised = 0;                  // under which term it is sent
  uint64_t term = 0, seq = 0;             // the copy's last write
  uint64_t number = 0;                    // from 0
  bool last = false;
  std::vector<StateEntry> entries;
  template <class V> void visit(V& v) { v("service", service); v("promised", promised); v("term", term); v("seq", seq); v("number", number); v("last", last); v("entries", entries); }
};
/// Origin to each holder of a term: who its writer is.
struct StateLead {
  static constexpr uint8_t kType = 127;
  crypto::PublicKey service;
  uint64_t term = 0;
  uint64_t from_term = 0, from_seq = 0;   // the last write before it, which all of them have
  crypto::PublicKey writer;
  std::vector<object::Holder> holders;    // with the writer
  Bytes key;                              // of the state, sealed to the writer; for others empty
  template <class V> void visit(V& v) {
    v("service", service); v("term", term); v("from_term", from_term); v("from_seq", from_seq); v("writer", writer); v("holders", holders); v("key", key);
  }
  Status validate() const { return holders.size() <= kStateHoldersMax ? ok() : Status(fail(Errc::kLimit, "too many holders")); }
};
/// Writer to holder: what one request changed; without entries only a question whether it still is the writer.
struct StateBatch {
  static constexpr uint8_t kType = 138;
  crypto::PublicKey service;
  uint64_t term = 0;
  uint64_t before = 0;                    // the term of the write before
  uint64_t seq = 0;                       // of this one; without entries: of the last one
  uint64_t sent = 0;                      // the writer's clock; comes back in the answer
  std::vector<StateEntry> entries;
  template <class V> void visit(V& v) { v("service", service); v("term", term); v("before", before); v("seq", seq); v("sent", sent); v("entries", entries); }
};
/// Holder to writer: it has everything up to here on disk, and follows nobody newer; or it does not follow.
struct StateStored {
  static constexpr uint8_t kType = 139;
  crypto::PublicKey service;
  uint64_t term = 0, seq = 0, sent = 0;
  bool follows = true;
  template <class V> void visit(V& v) { v("service", service); v("term", term); v("seq", seq); v("sent", sent); v("follows", follows); }
};
/// Origin to holder: forget the copy. Answered by StateDropped once the disk has.
struct StateDrop {
  static constexpr uint8_t kType = 140;
  crypto::PublicKey service;
  template <class V> void visit(V& v) { v("service", service); }
};
struct StateDropped {
  static constexpr uint8_t kType = 141;
  crypto::PublicKey service;
  template <class V> void visit(V& v) { v("service", service); }
};

using StateMessages = codec::MessageSet<StatePrepare, StateReady, StatePull, StatePart, StateLead, StateBatch, StateStored, StateDrop, StateDropped>;

}  // namespace selvedge::node
