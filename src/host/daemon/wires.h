// Wires: the node's links, as mesh/trunk.h makes them of the connections of one QUIC endpoint, and of a door for browsers where there is one.
//
// Here is the loop around that pure machine: connections in, links out. An event comes from the loop or from a QUIC event, never from inside a call.
// Lives on the loop thread; owned by the daemon.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "host/daemon/web_door.h"
#include "host/loop/loop.h"
#include "host/quic/quic.h"
#include "mesh/trunk.h"

namespace selvedge::host {

class Wires {
 public:
  struct Events {
    std::function<void(uint64_t link, const PeerKey& peer, bool as_nobody)> opened;
    /// Where the link's other end is, by each of its ways; the one that messages take comes first. "circuit": through a relay.
    std::function<void(uint64_t link, std::vector<std::string> addresses)> ways;
    std::function<void(uint64_t link, Channel channel, Bytes message)> message;
    std::function<void(uint64_t link)> busy;
    std::function<void(uint64_t link, Error why)> closed;
    /// What was dialled did not become a connection of a link.
    std::function<void(const PeerKey& peer, DialAs as, Error why)> dial_failed;
    std::function<void(const PeerKey& peer, const std::string& address, const PeerKey& shown)> other_answered;
    std::function<void(uint64_t circuit, size_t segment, Bytes packets)> circuit;
    /// For the log.
    std::function<void(const std::string& text)> trace;
  };
  /// Errors: as QuicEndpoint::create.
  static Result<std::unique_ptr<Wires>> create(Loop& loop, QuicConfig config, Events events);
  /// Browsers may come in too. Errors: as WebDoor::listen.
  Status open_door(WebDoorOptions options);
  /// Empty: there is none.
  std::string door_address() const { return door_ ? door_->address() : ""; }

  std::string address() const { return quic_->address(); }
  void dial(const PeerKey& peer, const std::string& address, DialAs as);
  void send(uint64_t link, Channel channel, Bytes message);
  void close(uint64_t link, const std::string& reason);
  void pause(uint64_t link, Channel channel);
  void resume(uint64_t link, Channel channel);
  void inject(uint64_t circuit, size_t segment, Bytes packets) { quic_->inject(circuit, segment, std::move(packets)); }
  void close_all(const std::string& reason);

 private:
  struct Dialled {
    PeerKey peer;
    std::string address;
    DialAs as;
  };
  struct Link {
    std::set<uint64_t> connections;
    bool paused[kChannels] = {false, false};
  };
  Wires(Loop& loop, Events events);
  QuicEndpoint::Events quic_events();
  void on_connection_closed(uint64_t connection, const Error& why);
  /// An event of a transport goes into the machine, and what comes out of it is told at once.
  template <class Input>
  void feed(Input input) {
    mesh::Trunks::Out out;
    input(out);
    carry_out(out);
    tell();
  }
  /// Whichever transport the connection is of.
  template <class Action>
  auto at(uint64_t connection, Action action) { return connection & kWebConnectionBit ? action(*door_) : action(*quic_); }
  void set_paused(uint64_t connection, Channel channel, bool paused);
  /// Does what the transport has to do at once, and leaves the rest for tell().
  void carry_out(mesh::Trunks::Out& out);
  void perform(mesh::SendOnConnection& effect);
  void tell();
  void tell_one(mesh::TrunkEffect& effect);
  /// As tell(), once the loop is back.
  void tell_later();
  void set_timer() { timer_.set(trunks_.next_deadline()); }

  Loop& loop_;
  const Events events_;
  mesh::Trunks trunks_;
  std::unique_ptr<QuicEndpoint> quic_;
  std::unique_ptr<WebDoor> door_;
  std::map<uint64_t, Dialled> dialled_;     // that have not joined a link
  std::map<uint64_t, Link> links_;
  std::map<uint64_t, uint64_t> link_of_;    // by connection
  std::deque<mesh::TrunkEffect> untold_;
  bool telling_ = false, posted_ = false;
  Loop::Timer timer_;
  std::shared_ptr<Wires*> alive_;           // posted callbacks hold it weakly
};

}  // namespace selvedge::host
