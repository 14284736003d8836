// PortMap: asks this network's router for a port by which the world reaches this node: NAT-PMP (RFC 6886, libnatpmp), else UPnP (miniupnpc).
//
// The mapping is for a while, is renewed long before (routers start anew, and are given other addresses), and is given back at the end, so that a node that died leaves nothing open for long. The
// libraries block on a thread of its own. Lives on the loop thread; owned by the daemon, where its owner asked for it.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/result.h"
#include "host/loop/loop.h"

namespace selvedge::host {

inline constexpr Duration kPortMapLease = seconds(3600);
inline constexpr Duration kPortMapRenew = seconds(600);   // or half of the lease
inline constexpr Duration kPortMapRetry = seconds(60);
/// A router on the same network answers in milliseconds; of the two ways each has so long.
inline constexpr Duration kRouterPatience = seconds(2);

struct MappedPort {
  std::string address;             // "203.0.113.7:7443", where the world finds this node
  std::string by;                  // "NAT-PMP", "UPnP"
  Duration lease;
  bool operator==(const MappedPort&) const = default;
};

class PortMap {
 public:
  /// `changed` comes on the loop thread, at first and whenever it comes out otherwise than before. Errors it carries: kUnavailable.
  PortMap(Loop& loop, uint16_t port, std::function<void(const Result<MappedPort>&)> changed);
  /// Gives the port back; blocks for as long as the router takes, some seconds where it is silent.
  ~PortMap();
  PortMap(const PortMap&) = delete;
  PortMap& operator=(const PortMap&) = delete;

 private:
  void work();

  Loop& loop_;
  const uint16_t port_;
  const std::function<void(const Result<MappedPort>&)> changed_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::shared_ptr<PortMap*> alive_;   // posted callbacks hold it weakly
  std::thread thread_;
};

/// Blocking, any thread. Errors: kUnavailable (no router that maps ports; or it has no public address itself).
Result<MappedPort> map_port(uint16_t port);
void unmap_port(uint16_t port, const MappedPort& mapped);

}  // namespace selvedge::host
