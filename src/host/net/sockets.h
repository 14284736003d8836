// Sockets: connections between this machine's programs and services, by TCP (libuv).
//
// A listener stands for a request of the local API; a connection has a number: even ones are asked for, odd ones come to a listener. Nothing is read
// before resume(); nothing is read ahead of what was asked for but one buffer. Events come on the loop thread, never from inside a call.
// Lives on the loop thread; owned by the daemon.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "host/loop/loop.h"

namespace selvedge::host {

inline constexpr size_t kSocketsMax = 8192;
inline constexpr size_t kSocketReadBytes = 64u << 10;
/// A socket that is closed with bytes unsent has so long to send them.
inline constexpr Duration kSocketFlush = seconds(10);

class Sockets {
 public:
  struct Events {
    std::function<void(uint64_t request, uint64_t socket)> came;
    std::function<void(uint64_t socket, Status)> connected;
    std::function<void(uint64_t socket, Bytes)> read;
    std::function<void(uint64_t socket)> ended;                    // the program sends no more
    std::function<void(uint64_t socket, size_t bytes)> written;    // to the system
    std::function<void(uint64_t socket)> closed;                   // an error; nothing follows
    /// Takes the other end of a connection to a target that is no address but a name ("service:KEY"), and with it the descriptor.
    std::function<Status(const std::string& target, int fd)> within;
  };
  Sockets(Loop& loop, Events events);
  ~Sockets();
  Sockets(const Sockets&) = delete;
  Sockets& operator=(const Sockets&) = delete;

  /// Where it listens: "127.0.0.1:8080". Errors: kInvalid (no numeric address and port), kBusy (the port is taken), kIo.
  Result<std::string> listen(uint64_t request, const std::string& address);
  void close_listener(uint64_t request);
  /// `connected` follows.
  void connect(uint64_t socket, const std::string& target);
  void write(uint64_t socket, Bytes bytes);
  void end(uint64_t socket);
  void set_paused(uint64_t socket, bool paused);
  /// No event follows. Without `reset` what was written still leaves.
  void close(uint64_t socket, bool reset);

 private:
  struct Listener;
  struct Socket;
  struct Write;
  Socket* find(uint64_t id);
  void connect_within(uint64_t socket, const std::string& target);
  Socket* make(uint64_t id);
  void on_connection(Listener& listener);
  void broke(Socket& socket);
  /// `what` once the loop is back, if this is still there then.
  void later(std::function<void()> what);
  static void bury(Socket* socket, bool reset);

  Loop& loop_;
  const Events events_;
  std::map<uint64_t, Listener*> listeners_;
  std::map<uint64_t, Socket*> sockets_;
  uint64_t last_came_ = 0;
  std::shared_ptr<Sockets*> alive_;   // posted callbacks hold it weakly
};

}  // namespace selvedge::host
