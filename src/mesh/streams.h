// Streams: ordered bytes both ways between two nodes, to a service that one of them has. spec: SP flow C, WF 4.7
//
// Who wants to speak to a service opens a stream to a node and names the service's key. The node accepts by showing what the service signed about where it can be reached
// (an IngressSet that names this node's key), or refuses. Then bytes flow, within a window each way, until both sides have ended or one
// has broken it off. Streams ride on the link's messages, so a lost path does not end them; a lost session does.
//
// Pure; owned by the node. Bounded by the constants below.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <variant>

#include "base/outbox.h"
#include "base/result.h"
#include "base/time.h"
#include "codec/message_set.h"
#include "mesh/placement.h"

namespace selvedge::mesh {

using StreamId = uint64_t;         // of this node

constexpr size_t kStreamsMax = 8192;
constexpr size_t kStreamsPerPeerMax = 1024;
/// Bytes that may be under way, or wait unread at the other end, each way.
constexpr uint32_t kStreamWindow = 256u << 10;
constexpr size_t kStreamPieceMax = 32u << 10;
/// Bytes that may wait here for the window; whoever writes more than this ahead of it is broken off.
constexpr size_t kStreamQueueMax = 1u << 20;
constexpr Duration kStreamOpenTimeout = seconds(10);

/// `stream`: a number of the opener's; all later messages say whether its sender opened it.
struct StreamOpen {
  static constexpr uint8_t kType = 128;
  uint64_t stream = 0;
  crypto::PublicKey service;
  template <class V> void visit(V& v) { v("stream", stream); v("service", service); }
};
struct StreamAccept {
  static constexpr uint8_t kType = 129;
  uint64_t stream = 0;
  Bytes proof;                     // signed IngressSet
  template <class V> void visit(V& v) { v("stream", stream); v("proof", proof); }
};
struct StreamData {
  static constexpr uint8_t kType = 130;
  uint64_t stream = 0;
  bool mine = false;
  Bytes bytes;
  template <class V> void visit(V& v) { v("stream", stream); v("mine", mine); v("bytes", bytes); }
};
/// So many more bytes may come.
struct StreamCredit {
  static constexpr uint8_t kType = 131;
  uint64_t stream = 0;
  bool mine = false;
  uint32_t bytes = 0;
  template <class V> void visit(V& v) { v("stream", stream); v("mine", mine); v("bytes", bytes); }
};
/// Error 0: this side sends no more. Any other: the stream is broken off, or was refused.
struct StreamEnd {
  static constexpr uint8_t kType = 132;
  uint64_t stream = 0;
  bool mine = false;
  uint8_t error = 0;
  std::string message;
  template <class V> void visit(V& v) { v("stream", stream); v("mine", mine); v("error", error); v("message", message); }
};
using StreamMessages = codec::MessageSet<StreamOpen, StreamAccept, StreamData, StreamCredit, StreamEnd>;

struct SendToPeer { NodeKey peer; Bytes message; };
struct StreamAsked { StreamId stream; NodeKey peer; crypto::PublicKey service; };  // accept() or refuse()
struct StreamAccepted { StreamId stream; Bytes proof; };
struct StreamBytes { StreamId stream; Bytes bytes; };                              // consumed() gives the window back
struct StreamFinished { StreamId stream; };                                        // the other side sends no more
struct StreamRoom { StreamId stream; size_t waiting; };                            // so much of what was written waits still
struct StreamOver { StreamId stream; Error why; };                                 // kCancelled: both sides had ended
using StreamEffect = std::variant<SendToPeer, StreamAsked, StreamAccepted, StreamBytes, StreamFinished, StreamRoom, StreamOver>;

class Streams {
 public:
  using Out = Outbox<StreamEffect>;

  /// Errors: kLimit. StreamAccepted or StreamOver follows.
  Result<StreamId> open(Instant now, const NodeKey& peer, const crypto::PublicKey& service, Out& out);
  void accept(StreamId stream, Bytes proof, Out& out);
  /// Also breaks off one that was accepted. Nothing follows.
  void refuse(StreamId stream, const Error& why, Out& out);
  /// Bytes for the other side. Nothing for a stream that is over.
  void write(StreamId stream, Bytes bytes, Out& out);
  void finish(StreamId stream, Out& out);
  void consumed(StreamId stream, size_t bytes, Out& out);

  void on_message(Instant now, const NodeKey& peer, StreamMessages::Message message, Out& out);
  void on_peer_down(const NodeKey& peer, Out& out);
  void on_deadline(Instant now, Out& out);
  Instant next_deadline() const;
  size_t count() const { return streams_.size(); }

 private:
  struct Name {
    NodeKey peer;
    bool mine = false;             // this side opened it
    uint64_t number = 0;
    auto operator<=>(const Name&) const = default;
  };
  struct Stream {
    Name name;
    bool open = false;
    Instant open_by = Instant::never();
    uint64_t credit = kStreamWindow;      // bytes this side may send
    uint64_t granted = kStreamWindow;     // bytes the other side may send
    uint64_t owed = 0;                    // consumed, and not given back yet
    std::deque<Bytes> queue;
    size_t queued = 0;
    bool finishing = false, finished = false;   // this side: is to say so, has said so
    bool peer_finished = false;
  };
  void on_open(const NodeKey& peer, const StreamOpen& open, Out& out);
  void on_data(StreamId id, Stream& stream, StreamData data, Out& out);
  void on_end(StreamId id, Stream& stream, const StreamEnd& end, Out& out);
  void pump(StreamId id, Out& out);
  void over(StreamId id, Error why, Out& out);
  void break_off(StreamId id, Error why, Out& out);
  size_t of_peer(const NodeKey& peer) const;
  template <class M>
  void say(const Stream& stream, M message, Out& out) { out.push(SendToPeer{stream.name.peer, StreamMessages::encode(message)}); }

  std::map<StreamId, Stream> streams_;
  std::map<Name, StreamId> by_name_;
  StreamId last_id_ = 0;
};

}  // namespace selvedge::mesh
