// UdpSocket: many datagrams for one system call.
//
// Sending hands the kernel a burst of equal datagrams to cut up (UDP_SEGMENT); receiving takes several runs of
// datagrams that the kernel has glued together (UDP_GRO, recvmmsg). On loopback that is worth a factor of two to three
// in CPU. A kernel or a network card that cannot is found out at run time, and single datagrams are used from then on.
//
// A socket bound to the wildcard address learns for each datagram which local address it came to, and answers from
// it: otherwise a host with two addresses would answer from the wrong one.
#pragma once

#include <vector>

#include "base/bytes.h"
#include "host/loop/address.h"

namespace selvedge::host {

class UdpSocket {
 public:
  struct Datagram {
    ByteView data;  // valid until the next receive()
    SocketAddress from, to;
  };
  enum class Sent : uint8_t {
    kYes,      // or lost, as datagrams may be
    kBlocked,  // nothing taken, or only the first part: see `taken`
  };

  /// Errors: kBusy when the port is taken, kIo.
  static Result<UdpSocket> bind(const SocketAddress& address);
  UdpSocket(UdpSocket&& other) noexcept;
  UdpSocket& operator=(UdpSocket&&) = delete;
  ~UdpSocket();

  int fd() const { return fd_; }
  const SocketAddress& local() const { return local_; }
  /// The address datagrams to `remote` will come from. Errors: kUnavailable when there is no route.
  Result<SocketAddress> local_towards(const SocketAddress& remote) const;

  /// Appends what has arrived to `out`, at most one system call's worth. Returns whether there may be more.
  bool receive(std::vector<Datagram>& out);

  /// Sends `data` as datagrams of `segment` bytes (the last may be shorter), at most kSegmentsMax of them.
  /// With kBlocked, `taken` says how many bytes are already gone.
  Sent send(const SocketAddress& from, const SocketAddress& to, ByteView data, size_t segment, size_t& taken);

  static constexpr size_t kSegmentsMax = 64;        // the kernel's UDP_MAX_SEGMENTS
  static constexpr size_t kBurstBytesMax = 65'000;  // one UDP_SEGMENT send is one IP packet to the kernel
  static constexpr size_t kReceiveRuns = 8;
  static constexpr size_t kRunBytesMax = 65'536;

 private:
  UdpSocket(int fd, const SocketAddress& local);
  int send_once(const SocketAddress& from, const SocketAddress& to, ByteView data, size_t segment) const;

  int fd_ = -1;
  SocketAddress local_;
  bool wildcard_ = false;
  bool segmentation_ = true;
  std::vector<uint8_t> buffer_;
};

}  // namespace selvedge::host
