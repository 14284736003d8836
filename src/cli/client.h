// Client: the command's end of the local API (docs/api.md).
//
// One connection to a node's socket. Requests may overlap: send() several, then next() until each is answered. Closing
// the connection withdraws what is still asked, which is how Ctrl-C stops a transfer or a job.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "cli/answers.h"
#include "cli/interrupt.h"

namespace selvedge::cli {

/// The socket of a home.
std::string socket_path(const std::string& home);

class Client {
 public:
  /// Errors: kUnavailable (no node runs in that home: how to start one), kInvalid, kIo.
  static Result<std::unique_ptr<Client>> connect(const std::string& home, const Interrupt* interrupt);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  struct Message {
    uint64_t id = 0;
    bool progress = false;
    Result<Json> body = Json();  // progress, result, or the error that the node answered
  };

  /// Sends a request and returns its id. Errors: kIo.
  template <class Request>
  Result<uint64_t> send(const Request& request) { return send_line(Request::kMethod, params_of(request)); }
  /// The next progress or answer. Errors: kUnavailable (the node went away), kCancelled, kInvalid.
  Result<Message> next();

  /// Whether next() would find something within so long.
  bool waiting(int timeout_ms) const;

  using OnProgress = std::function<void(const Json&)>;
  /// Sends and waits. Errors: what the node answered, or as next().
  template <class Request>
  Result<Json> ask_json(const Request& request, const OnProgress& progress = nullptr) {
    return wait_for(TRY(send(request)), progress);
  }
  template <class Request>
  Result<typename AnswerOf<Request>::Type> ask(const Request& request, const OnProgress& progress = nullptr) {
    return read_answer<typename AnswerOf<Request>::Type>(TRY(ask_json(request, progress)));
  }

 private:
  Client(int fd, std::string home, const Interrupt* interrupt) : fd_(fd), home_(std::move(home)), interrupt_(interrupt) {}
  template <class Request>
  static std::string params_of(const Request& request) { return codec::to_json_text(request); }
  static std::string params_of(const node::LeaseChangeRequest& request);
  Result<uint64_t> send_line(const char* method, const std::string& params);
  Result<Json> wait_for(uint64_t id, const OnProgress& progress);
  Result<std::string> read_line();
  Error gone() const;

  int fd_;
  std::string home_;
  const Interrupt* interrupt_;
  uint64_t next_id_ = 1;
  std::string in_;
  size_t scanned_ = 0;
};

}  // namespace selvedge::cli
