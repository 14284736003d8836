// ApiServer: the Unix socket by which the owner's commands reach their node. docs/api.md is its specification.
//
// One request a line, JSON-RPC 2.0. The socket is in the home and is its owner's alone (0600), and a peer with another
// user id is turned away: whoever can connect may do everything the owner may. Runs on the loop thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "host/loop/loop.h"
#include "node/api.h"
#include "node/effects.h"

namespace selvedge::host {

constexpr size_t kApiLineBytesMax = 64u << 20;
constexpr size_t kApiConnectionsMax = 64;
constexpr size_t kApiRequestsPerConnectionMax = 64;
constexpr size_t kApiOutputBytesMax = 256u << 20;   // a client that does not read is cut off here

class ApiServer {
 public:
  struct Events {
    std::function<void(node::RequestId, node::ApiRequest)> request;
    std::function<void(node::RequestId)> withdrawn;
  };
  /// Errors: kIo, kInvalid (path too long for a socket).
  static Result<std::unique_ptr<ApiServer>> listen(Loop& loop, const std::string& path, Events events);
  ~ApiServer();

  void progress(node::RequestId request, const std::string& json);
  void answer(node::RequestId request, const std::string& json);
  void refuse(node::RequestId request, const Error& error);

 private:
  struct Connection;
  ApiServer(Loop& loop, int fd, std::string path, Events events);
  void accept_all();
  void on_ready(uint64_t id, int events);
  void read_lines(Connection& connection);
  void handle(Connection& connection, const std::string& line);
  void send(Connection& connection, std::string line);
  void flush(Connection& connection);
  void drop(uint64_t id);
  Connection* of_request(node::RequestId request);

  Loop& loop_;
  int fd_;
  std::string path_;
  Events events_;
  uint64_t next_id_ = 1;
  std::map<uint64_t, std::unique_ptr<Connection>> connections_;
  struct Pending {
    uint64_t connection;
    std::string id;   // the client's, as JSON text
  };
  std::map<node::RequestId, Pending> pending_;
  std::unique_ptr<Loop::Watch> watch_;
};

}  // namespace selvedge::host
