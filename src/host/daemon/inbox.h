// Inbox: hands what peers sent to the node, the most important first, and looks at the sockets in between.
//
// The rules are mesh/intake.h's; here is the loop around it. A turn's first two milliseconds of messages are handed
// over as they come, so an idle node waits for nothing; what comes beyond that waits, and the loop goes on in slices, so
// that what matters overtakes a flood. Lives on the loop thread; owned by the daemon.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>

#include "host/loop/loop.h"
#include "host/quic/quic.h"
#include "mesh/intake.h"

namespace selvedge::host {

/// So long the node works before the sockets are looked at again.
constexpr Duration kInboxSlice = milliseconds(2);

class Inbox {
 public:
  struct Events {
    std::function<void(mesh::Arrival)> deliver;
    /// It was thrown away unread, and its sender should know.
    std::function<void(mesh::Arrival)> refuse;
    std::function<void(uint64_t link, Channel channel)> pause, resume;
  };
  Inbox(Loop& loop, Events events);

  void opened(uint64_t link, const PeerKey& peer);
  /// Delivers what the link still had waiting.
  void closed(uint64_t link);
  void message(uint64_t link, Channel channel, Bytes message);
  const mesh::IntakeStats& stats() const { return intake_.stats(); }

 private:
  void drain();
  void carry_out(mesh::Intake::Out& out);
  void go_on();

  Loop& loop_;
  const Events events_;
  mesh::Intake intake_;
  std::map<uint64_t, PeerKey> links_;
  std::set<PeerKey> paused_;           // who is not read from
  bool slice_open_ = false, draining_ = false;
  Instant slice_ends_;
  Loop::Timer timer_;
  std::shared_ptr<Inbox*> alive_;       // posted callbacks hold it weakly
};

}  // namespace selvedge::host
