#include "host/net/lan.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "crypto/sign.h"

namespace selvedge::host {

namespace {

constexpr char kGroup[] = "224.0.0.251";
constexpr uint16_t kPort = 5353;
constexpr uint32_t kTtl = 10;   // RFC 6762 6.7: for who is no multicast DNS resolver itself
constexpr size_t kPacketBytesMax = 9000;

struct Fd {
  explicit Fd(int n) : fd(n) {}
  ~Fd() {
    if (fd >= 0) close(fd);
  }
  Fd(const Fd&) = delete;
  int fd;
};

sockaddr_in group_address() {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(kPort);
  inet_pton(AF_INET, kGroup, &out.sin_addr);
  return out;
}

/// Addresses of this machine on networks that take multicasts.
std::vector<in_addr> interfaces() {
  std::vector<in_addr> out;
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0) return out;
  for (const ifaddrs* each = all; each != nullptr; each = each->ifa_next) {
    const bool usable = each->ifa_addr != nullptr && each->ifa_addr->sa_family == AF_INET && (each->ifa_flags & IFF_UP) && (each->ifa_flags & IFF_MULTICAST);
    if (usable) out.push_back(reinterpret_cast<const sockaddr_in*>(each->ifa_addr)->sin_addr);
  }
  freeifaddrs(all);
  return out;
}

std::string name_of(const crypto::PublicKey& node) { return codec::hints_name(node) + ".local"; }

}  // namespace

Result<Bytes> query_lan(const crypto::PublicKey& node, const std::atomic<bool>& stopping) {
  const Fd socket_fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const Bytes query = TRY(codec::dns_txt_query(name_of(node)));
  const sockaddr_in group = group_address();
  size_t sent = 0;
  for (const in_addr& at : interfaces()) {
    setsockopt(socket_fd.fd, IPPROTO_IP, IP_MULTICAST_IF, &at, sizeof at);
    sent += sendto(socket_fd.fd, query.data(), query.size(), 0, reinterpret_cast<const sockaddr*>(&group), sizeof group) > 0 ? 1 : 0;
  }
  if (sent == 0) return fail(Errc::kIo, "this machine is on no network that takes multicasts");
  const crypto::Ed25519Verifier verifier;
  const Duration slice = milliseconds(50);
  for (Duration spent{}; spent < kLanPatience && !stopping.load(); spent = spent + slice) {
    pollfd watched{socket_fd.fd, POLLIN, 0};
    if (poll(&watched, 1, int(slice.ms())) <= 0) continue;
    Bytes answer(kPacketBytesMax);
    const ssize_t got = recv(socket_fd.fd, answer.data(), answer.size(), 0);
    if (got <= 0) continue;
    const auto records = codec::parse_dns_reply(ByteView(answer).first(size_t(got)));
    if (!records.ok()) continue;
    for (const codec::DnsText& record : *records) {
      Result<Bytes> payload = record.name == name_of(node) ? codec::payload_of_texts(record.strings) : Result<Bytes>(fail(Errc::kNotFound, ""));
      // Whoever answers first is not whom to believe.
      if (payload.ok() && codec::open_pkarr(node, *payload, verifier).ok()) return payload;
    }
  }
  return fail(Errc::kNotFound, "nobody on this network answers to it");
}

LanResponder::LanResponder(Loop& loop, int fd)
    : loop_(loop), fd_(fd), bucket_(kLanAnswersPerSecond, milliseconds(1000 / kLanAnswersPerSecond)), watch_(std::make_unique<Loop::Watch>(loop, fd, [this](int) { on_readable(); })) {
  watch_->set(Loop::Watch::kReadable);
}

LanResponder::~LanResponder() {
  watch_.reset();
  close(fd_);
}

Result<std::unique_ptr<LanResponder>> LanResponder::create(Loop& loop, const crypto::PublicKey& node, ByteView payload) {
  Fd socket_fd(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int on = 1;
  setsockopt(socket_fd.fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(socket_fd.fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_port = htons(kPort);
  any.sin_addr.s_addr = htonl(INADDR_ANY);
  if (bind(socket_fd.fd, reinterpret_cast<const sockaddr*>(&any), sizeof any) != 0) return fail(Errc::kIo, std::string("cannot share the port of multicast DNS: ") + strerror(errno));
  size_t joined = 0;
  for (const in_addr& at : interfaces()) {
    const ip_mreq request{group_address().sin_addr, at};
    joined += setsockopt(socket_fd.fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof request) == 0 ? 1 : 0;
  }
  if (joined == 0) return fail(Errc::kIo, "this machine is on no network that takes multicasts");
  std::unique_ptr<LanResponder> out(new LanResponder(loop, std::exchange(socket_fd.fd, -1)));
  out->set_payload(node, payload);
  return out;
}

void LanResponder::set_payload(const crypto::PublicKey& node, ByteView payload) {
  name_ = name_of(node);
  texts_ = codec::pkarr_texts(payload);
}

void LanResponder::on_readable() {
  for (int i = 0; i < 32; ++i) {
    uint8_t query[kPacketBytesMax];
    sockaddr_in from{};
    socklen_t size = sizeof from;
    const ssize_t got = recvfrom(fd_, query, sizeof query, 0, reinterpret_cast<sockaddr*>(&from), &size);
    if (got <= 0) return;
    const auto asked = codec::parse_dns_txt_query(ByteView(query, size_t(got)));
    if (!asked.ok() || asked->name != name_ || !bucket_.take(loop_.now())) continue;
    const Result<Bytes> answer = codec::dns_answer(*asked, {{name_, kTtl, texts_}});
    if (answer.ok()) (void)!sendto(fd_, answer->data(), answer->size(), 0, reinterpret_cast<const sockaddr*>(&from), size);
  }
}

}  // namespace selvedge::host
