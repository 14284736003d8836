// ApiServer: the Unix socket by which the owner's commands reach their node. docs/api.md is its specification.
//
// One request a line, JSON-RPC 2.0. The socket is in the home and is its owner's alone (0600), and a peer with another
// user id is turned away: whoever can connect may do everything the owner may. Runs on the loop thread.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "host/daemon/api_desk.h"
#include "host/loop/loop.h"

namespace selvedge::host {

constexpr size_t kApiLineBytesMax = 64u << 20;
constexpr size_t kApiConnectionsMax = 64;
constexpr size_t kApiOutputBytesMax = 256u << 20;   // a client that does not read is cut off here

class ApiServer {
 public:
  /// Errors: kIo, kInvalid (path too long for a socket).
  static Result<std::unique_ptr<ApiServer>> listen(Loop& loop, const std::string& path, ApiDesk& desk);
  ~ApiServer();

 private:
  struct Connection;
  ApiServer(Loop& loop, int fd, std::string path, ApiDesk& desk);
  void accept_all();
  void on_ready(uint64_t id, int events);
  void read_lines(Connection& connection);
  void send(uint64_t id, const std::string& line);
  void flush(Connection& connection);
  void drop(uint64_t id);

  Loop& loop_;
  int fd_;
  std::string path_;
  ApiDesk& desk_;
  uint64_t next_id_ = 1;
  std::map<uint64_t, std::unique_ptr<Connection>> connections_;
  std::unique_ptr<Loop::Watch> watch_;
};

}  // namespace selvedge::host
