#include "host/net/port_map.h"

#include <arpa/inet.h>
#include <miniupnpc/miniupnpc.h>
#include <miniupnpc/upnpcommands.h>
#include <miniupnpc/upnperrors.h>
#include <natpmp.h>
#include <sys/select.h>

#include <chrono>
#include <optional>

namespace selvedge::host {

namespace {

constexpr const char* kNatPmp = "NAT-PMP";
constexpr const char* kUpnp = "UPnP";
constexpr int kPortsTried = 4;           // where another machine has the port outside
constexpr int kUpnpPortTaken = 718;      // ConflictInMappingEntry, IGD:1 2.4.16
constexpr uint8_t kSearchHops = 2;

/// A router whose own outer address is private is behind another one, and a port of it leads nowhere. RFC 1918, 6598, 3927
Status check_public(const in_addr& address) {
  const uint32_t ip = ntohl(address.s_addr);
  const bool inner = ip >> 24 == 10 || ip >> 20 == 0xAC1 || ip >> 16 == 0xC0A8 || ip >> 22 == 0x191 || ip >> 16 == 0xA9FE || ip >> 24 == 127 || ip == 0;
  if (inner) return fail(Errc::kUnavailable, "the router is behind another one: its own address is not public");
  return ok();
}

std::string text_of(const in_addr& address, uint16_t port) {
  char text[INET_ADDRSTRLEN] = {};
  inet_ntop(AF_INET, &address, text, sizeof text);
  return std::string(text) + ":" + std::to_string(port);
}

// ---- NAT-PMP

class NatPmp {
 public:
  static Result<std::unique_ptr<NatPmp>> open() {
    auto out = std::unique_ptr<NatPmp>(new NatPmp);
    if (initnatpmp(&out->state_, 0, 0) != 0) return fail(Errc::kUnavailable, "there is no default gateway");
    out->open_ = true;
    return out;
  }
  ~NatPmp() {
    if (open_) closenatpmp(&state_);
  }
  Result<in_addr> public_address() {
    if (sendpublicaddressrequest(&state_) < 0) return silent();
    return TRY(answer(NATPMP_RESPTYPE_PUBLICADDRESS)).pnu.publicaddress.addr;
  }
  /// The port outside, and for how long. `lease` zero takes it back.
  Result<std::pair<uint16_t, Duration>> map(uint16_t port, Duration lease) {
    if (sendnewportmappingrequest(&state_, NATPMP_PROTOCOL_UDP, port, lease == Duration{} ? 0 : port, uint32_t(lease.ns / seconds(1).ns)) < 0) return silent();
    const natpmpresp_t got = TRY(answer(NATPMP_RESPTYPE_UDPPORTMAPPING));
    if (lease != Duration{} && (got.pnu.newportmapping.lifetime == 0 || got.pnu.newportmapping.mappedpublicport == 0)) return fail(Errc::kUnavailable, "the router gives no port");
    return std::pair(got.pnu.newportmapping.mappedpublicport, seconds(got.pnu.newportmapping.lifetime));
  }

 private:
  NatPmp() = default;
  static Error silent() { return fail(Errc::kUnavailable, "the router does not answer"); }
  Result<natpmpresp_t> answer(uint16_t type) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::nanoseconds(kRouterPatience.ns / 2);
    for (;;) {
      natpmpresp_t response;
      const int code = readnatpmpresponseorretry(&state_, &response);
      if (code >= 0 && response.type == type) return response;
      if (code >= 0) continue;   // a late one, to an earlier question
      if (code == NATPMP_ERR_NOTAUTHORIZED) return fail(Errc::kUnavailable, "the router refuses: port mapping is turned off there");
      if (code != NATPMP_TRYAGAIN || std::chrono::steady_clock::now() >= until) return silent();
      timeval wait{};
      if (getnatpmprequesttimeout(&state_, &wait) != 0) return silent();
      fd_set readable;
      FD_ZERO(&readable);
      if (state_.s >= FD_SETSIZE) return fail(Errc::kUnavailable, "too many files are open");
      FD_SET(state_.s, &readable);
      select(state_.s + 1, &readable, nullptr, nullptr, &wait);
    }
  }
  natpmp_t state_{};
  bool open_ = false;
};

Result<MappedPort> map_by_nat_pmp(uint16_t port) {
  const auto router = TRY(NatPmp::open());
  const in_addr address = TRY(router->public_address());
  TRY(check_public(address));
  const auto [outside, lease] = TRY(router->map(port, kPortMapLease));
  return MappedPort{text_of(address, outside), kNatPmp, lease};
}

// ---- UPnP

class Upnp {
 public:
  static Result<std::unique_ptr<Upnp>> find() {
    auto out = std::unique_ptr<Upnp>(new Upnp);
    int error = 0;
    UPNPDev* devices = upnpDiscover(int(kRouterPatience.ns / milliseconds(1).ns), nullptr, nullptr, 0, 0, kSearchHops, &error);
    const int found = UPNP_GetValidIGD(devices, &out->urls_, &out->data_, out->self_, sizeof out->self_);
    freeUPNPDevlist(devices);
    out->held_ = found != 0;
    // 2: says it is not connected, or has an address that the library knows for reserved; what that is worth is judged here.
    if (found != 1 && found != 2) return fail(Errc::kUnavailable, "no router answers");
    return out;
  }
  ~Upnp() {
    if (held_) FreeUPNPUrls(&urls_);
  }
  Result<in_addr> public_address() {
    char text[40] = {};
    in_addr address{};
    if (UPNP_GetExternalIPAddress(urls_.controlURL, data_.first.servicetype, text) != 0 || inet_pton(AF_INET, text, &address) != 1) {
      return fail(Errc::kUnavailable, "the router does not say its address");
    }
    return address;
  }
  Result<uint16_t> map(uint16_t port) {
    const std::string inside = std::to_string(port), lease = std::to_string(kPortMapLease.ns / seconds(1).ns);
    int code = 0;
    for (int i = 0; i < kPortsTried && port + i <= 0xFFFF; ++i) {
      const std::string outside = std::to_string(port + i);
      code = UPNP_AddPortMapping(urls_.controlURL, data_.first.servicetype, outside.c_str(), inside.c_str(), self_, "Selvedge", "UDP", nullptr, lease.c_str());
      if (code == 0) return uint16_t(port + i);
      if (code != kUpnpPortTaken) break;
    }
    const char* why = strupnperror(code);
    return fail(Errc::kUnavailable, std::string("the router refuses: ") + (why != nullptr ? why : "it gives no reason"));
  }
  void unmap(uint16_t outside) { UPNP_DeletePortMapping(urls_.controlURL, data_.first.servicetype, std::to_string(outside).c_str(), "UDP", nullptr); }

 private:
  Upnp() = default;
  UPNPUrls urls_{};
  IGDdatas data_{};
  char self_[64] = {};   // this machine's address towards the router
  bool held_ = false;
};

Result<MappedPort> map_by_upnp(uint16_t port) {
  const auto router = TRY(Upnp::find());
  const in_addr address = TRY(router->public_address());
  TRY(check_public(address));
  return MappedPort{text_of(address, TRY(router->map(port))), kUpnp, kPortMapLease};
}

}  // namespace

Result<MappedPort> map_port(uint16_t port) {
  Result<MappedPort> first = map_by_nat_pmp(port);
  if (first.ok()) return first;
  Result<MappedPort> second = map_by_upnp(port);
  if (second.ok()) return second;
  return fail(Errc::kUnavailable, "no port of the router leads here (NAT-PMP: " + first.error().message + "; UPnP: " + second.error().message + ")");
}

void unmap_port(uint16_t port, const MappedPort& mapped) {
  if (mapped.by == kNatPmp) {
    const auto router = NatPmp::open();
    if (router.ok()) (void)(*router)->map(port, {});
    return;
  }
  const auto router = Upnp::find();
  if (router.ok()) (*router)->unmap(uint16_t(std::stoul(mapped.address.substr(mapped.address.rfind(':') + 1))));
}

PortMap::PortMap(Loop& loop, uint16_t port, std::function<void(const Result<MappedPort>&)> changed)
    : loop_(loop), port_(port), changed_(std::move(changed)), alive_(std::make_shared<PortMap*>(this)), thread_([this] { work(); }) {}

PortMap::~PortMap() {
  alive_.reset();
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void PortMap::work() {
  std::optional<MappedPort> mapped;
  std::string said;                // what changed() was last called with
  const std::weak_ptr weak(alive_);
  for (bool stop = false; !stop;) {
    const Result<MappedPort> now = map_port(port_);
    mapped = now.ok() ? std::optional(*now) : std::nullopt;
    if (const std::string what = now.ok() ? now->address : now.error().message; what != said) {
      said = what;
      loop_.post([weak, now] {
        if (const auto alive = weak.lock()) (*alive)->changed_(now);
      });
    }
    std::unique_lock lock(mutex_);
    const Duration wait = mapped ? std::min(std::max(mapped->lease / 2, seconds(1)), kPortMapRenew) : kPortMapRetry;
    stop = wake_.wait_for(lock, std::chrono::nanoseconds(wait.ns), [this] { return stopping_; });
  }
  if (mapped) unmap_port(port_, *mapped);
}

}  // namespace selvedge::host
