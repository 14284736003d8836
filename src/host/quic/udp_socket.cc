#include "host/quic/udp_socket.h"

#include <netinet/udp.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace selvedge::host {

// Bursts of a fast sender wait here while the loop thread is busy with a guest's reply or a disk answer.
static constexpr int kSocketBufferBytes = 4 << 20;

static void set_option(int fd, int level, int name, int value) {
  // Every option here is an improvement that an old kernel may lack; the code works without.
  (void)setsockopt(fd, level, name, &value, sizeof value);
}

static void set_options(int fd, const SocketAddress& address) {
  set_option(fd, SOL_SOCKET, SO_RCVBUF, kSocketBufferBytes);
  set_option(fd, SOL_SOCKET, SO_SNDBUF, kSocketBufferBytes);
  set_option(fd, SOL_UDP, UDP_GRO, 1);
  // QUIC finds the path's MTU itself; a fragment would defeat the probe.
  set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
  if (address.family() == AF_INET6) {
    set_option(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
    set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, address.is_wildcard() ? 0 : 1);
  }
  if (address.is_wildcard()) {
    if (address.family() == AF_INET6) set_option(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
    else set_option(fd, IPPROTO_IP, IP_PKTINFO, 1);
  }
}

UdpSocket::UdpSocket(int fd, const SocketAddress& local)
    : fd_(fd), local_(local), wildcard_(local.is_wildcard()), buffer_(kReceiveRuns * kRunBytesMax) {}

UdpSocket::UdpSocket(UdpSocket&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      local_(other.local_),
      wildcard_(other.wildcard_),
      segmentation_(other.segmentation_),
      buffer_(std::move(other.buffer_)) {}

UdpSocket::~UdpSocket() {
  if (fd_ >= 0) ::close(fd_);
}

Result<UdpSocket> UdpSocket::bind(const SocketAddress& address) {
  const int fd = ::socket(address.family(), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail(Errc::kIo, std::string("cannot open a UDP socket: ") + strerror(errno));
  set_options(fd, address);
  // No SO_REUSEADDR or SO_REUSEPORT: two nodes on one port would each see half of the packets.
  if (::bind(fd, &address.any, address.size()) != 0) {
    const int reason = errno;
    ::close(fd);
    if (reason == EADDRINUSE) {
      return fail(Errc::kBusy,
                  "UDP " + address.text() + " is in use by another program: stop it or listen on another port");
    }
    return fail(Errc::kIo, "cannot listen on UDP " + address.text() + ": " + strerror(reason));
  }
  SocketAddress local;
  socklen_t size = sizeof local;
  if (getsockname(fd, &local.any, &size) != 0) {
    const int reason = errno;
    ::close(fd);
    return fail(Errc::kIo, std::string("cannot read the bound address: ") + strerror(reason));
  }
  return UdpSocket(fd, local);
}

Result<SocketAddress> UdpSocket::local_towards(const SocketAddress& remote) const {
  if (!wildcard_) return local_;
  const int fd = ::socket(remote.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0);
  SocketAddress out;
  socklen_t size = sizeof out;
  const bool found = fd >= 0 && ::connect(fd, &remote.any, remote.size()) == 0 && getsockname(fd, &out.any, &size) == 0;
  const int reason = errno;
  if (fd >= 0) ::close(fd);
  if (!found) return fail(Errc::kUnavailable, "no route to " + remote.text() + ": " + strerror(reason));
  out.set_port(local_.port());
  return out;
}

// The segment size of a glued run and the local address, as the kernel noted them beside the data.
static void read_notes(msghdr& header, size_t& segment, SocketAddress& to) {
  for (cmsghdr* note = CMSG_FIRSTHDR(&header); note != nullptr; note = CMSG_NXTHDR(&header, note)) {
    if (note->cmsg_level == SOL_UDP && note->cmsg_type == UDP_GRO) {
      int size = 0;
      std::memcpy(&size, CMSG_DATA(note), sizeof size);
      if (size > 0) segment = size_t(size);
    } else if (note->cmsg_level == IPPROTO_IP && note->cmsg_type == IP_PKTINFO) {
      in_pktinfo info{};
      std::memcpy(&info, CMSG_DATA(note), sizeof info);
      if (to.family() == AF_INET) to.v4.sin_addr = info.ipi_addr;
    } else if (note->cmsg_level == IPPROTO_IPV6 && note->cmsg_type == IPV6_PKTINFO) {
      in6_pktinfo info{};
      std::memcpy(&info, CMSG_DATA(note), sizeof info);
      if (to.family() == AF_INET6) to.v6.sin6_addr = info.ipi6_addr;
    }
  }
}

bool UdpSocket::receive(std::vector<Datagram>& out) {
  static constexpr size_t kNoteBytes = 128;
  mmsghdr headers[kReceiveRuns] = {};
  iovec pieces[kReceiveRuns];
  SocketAddress from[kReceiveRuns];
  alignas(cmsghdr) uint8_t notes[kReceiveRuns][kNoteBytes];
  for (size_t i = 0; i < kReceiveRuns; ++i) {
    pieces[i] = {buffer_.data() + i * kRunBytesMax, kRunBytesMax};
    msghdr& header = headers[i].msg_hdr;
    header.msg_name = &from[i];
    header.msg_namelen = sizeof from[i];
    header.msg_iov = &pieces[i];
    header.msg_iovlen = 1;
    header.msg_control = notes[i];
    header.msg_controllen = kNoteBytes;
  }
  const int runs = recvmmsg(fd_, headers, kReceiveRuns, 0, nullptr);
  // Errors other than "nothing there" are reports about datagrams sent earlier; loss recovery handles those.
  if (runs <= 0) return false;
  for (int i = 0; i < runs; ++i) {
    const ByteView run(buffer_.data() + size_t(i) * kRunBytesMax, headers[i].msg_len);
    size_t segment = run.size();
    SocketAddress to = local_;
    read_notes(headers[i].msg_hdr, segment, to);
    for (size_t at = 0; at < run.size(); at += segment) {
      out.push_back({run.subspan(at, std::min(segment, run.size() - at)), from[i], to});
    }
  }
  return size_t(runs) == kReceiveRuns;
}

int UdpSocket::send_once(const SocketAddress& from, const SocketAddress& to, ByteView data, size_t segment) const {
  alignas(cmsghdr) uint8_t notes[CMSG_SPACE(sizeof(uint16_t)) + CMSG_SPACE(sizeof(in6_pktinfo))] = {};
  iovec piece{const_cast<uint8_t*>(data.data()), data.size()};
  msghdr header{};
  header.msg_name = const_cast<SocketAddress*>(&to);
  header.msg_namelen = to.size();
  header.msg_iov = &piece;
  header.msg_iovlen = 1;
  size_t used = 0;
  const auto add = [&](int level, int type, const void* value, size_t size) {
    auto* note = reinterpret_cast<cmsghdr*>(notes + used);
    note->cmsg_level = level;
    note->cmsg_type = type;
    note->cmsg_len = CMSG_LEN(size);
    std::memcpy(CMSG_DATA(note), value, size);
    used += CMSG_SPACE(size);
  };
  if (data.size() > segment) {
    const uint16_t size = uint16_t(segment);
    add(SOL_UDP, UDP_SEGMENT, &size, sizeof size);
  }
  if (wildcard_ && from.family() == AF_INET && !from.is_wildcard()) {
    in_pktinfo info{};
    info.ipi_spec_dst = from.v4.sin_addr;
    add(IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
  } else if (wildcard_ && from.family() == AF_INET6 && !from.is_wildcard()) {
    in6_pktinfo info{};
    info.ipi6_addr = from.v6.sin6_addr;
    add(IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
  }
  header.msg_control = used > 0 ? notes : nullptr;
  header.msg_controllen = used;
  for (;;) {
    if (sendmsg(fd_, &header, MSG_NOSIGNAL) >= 0) return 0;
    if (errno != EINTR) return errno;
  }
}

UdpSocket::Sent UdpSocket::send(const SocketAddress& from, const SocketAddress& to, ByteView data, size_t segment,
                                size_t& taken) {
  CHECK(segment > 0 && segment <= UINT16_MAX);
  taken = 0;
  while (taken < data.size()) {
    const size_t left = data.size() - taken;
    const size_t size = segmentation_ ? left : std::min(left, segment);
    const int error = send_once(from, to, data.subspan(taken, size), segment);
    if (error == EAGAIN || error == EWOULDBLOCK || error == ENOBUFS) return Sent::kBlocked;
    if (size > segment && (error == EIO || error == EINVAL || error == EOPNOTSUPP)) {
      // The device cannot checksum, or the kernel does not know the option.
      segmentation_ = false;
      continue;
    }
    // Anything else (too big for the device, no route now) is a lost datagram, which QUIC repairs or times out.
    taken += size;
  }
  return Sent::kYes;
}

}  // namespace selvedge::host
