#include "cli/client.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace selvedge::cli {

namespace {
constexpr size_t kAnswerBytesMax = 256u << 20;
}

std::string socket_path(const std::string& home) { return home + "/node.sock"; }

Result<std::unique_ptr<Client>> Client::connect(const std::string& home, const Interrupt* interrupt) {
  const std::string path = socket_path(home);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return fail(Errc::kInvalid, "the home's path is too long for a socket (" + path + "); use a shorter --home");
  }
  memcpy(address.sun_path, path.data(), path.size());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail(Errc::kIo, std::string("cannot make a socket: ") + strerror(errno));
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    return std::unique_ptr<Client>(new Client(fd, home, interrupt));
  }
  const int code = errno;
  close(fd);
  if (code == EACCES || code == EPERM) {
    return fail(Errc::kUnauthorized, "the node in " + home + " belongs to another user of this machine; only they may control it");
  }
  if (access((home + "/node.key").c_str(), F_OK) != 0) {
    return fail(Errc::kUnavailable, "there is no node in " + home + " yet. Make one: selvedge --home " + home + " init, then start it: selvedge --home " +
                                        home + " up");
  }
  return fail(Errc::kUnavailable, "no node is running in " + home + ". Start it: selvedge --home " + home + " up");
}

Client::~Client() { close(fd_); }

Error Client::gone() const {
  return fail(Errc::kUnavailable, "the node in " + home_ + " went away before it answered; its log is " + home_ + "/node.log");
}

std::string Client::params_of(const node::LeaseChangeRequest& request) {
  const char* action = request.action == node::LeaseAction::kPause ? "pause" : request.action == node::LeaseAction::kResume ? "resume" : "revoke";
  return Record().text("lease", request.lease).text("action", action).json();
}

Result<uint64_t> Client::send_line(const char* method, const std::string& params) {
  const uint64_t id = next_id_++;
  const std::string line = Record().text("jsonrpc", "2.0").number("id", id).text("method", method).raw("params", params).json() + "\n";
  size_t sent = 0;
  while (sent < line.size()) {
    const ssize_t n = ::send(fd_, line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return gone();
    sent += size_t(n);
  }
  return id;
}

Result<std::string> Client::read_line() {
  for (;;) {
    const size_t end = in_.find('\n', scanned_);
    if (end != std::string::npos) {
      std::string line = in_.substr(0, end);
      in_.erase(0, end + 1);
      scanned_ = 0;
      return line;
    }
    scanned_ = in_.size();
    if (in_.size() > kAnswerBytesMax) return fail(Errc::kLimit, "the node's answer is larger than this command reads");
    TRY(wait_readable(interrupt_, fd_, -1));
    char buffer[65536];
    const ssize_t got = recv(fd_, buffer, sizeof buffer, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return gone();
    in_.append(buffer, size_t(got));
  }
}

bool Client::waiting(int timeout_ms) const {
  if (in_.find('\n') != std::string::npos) return true;
  const Result<bool> readable = wait_readable(interrupt_, fd_, timeout_ms);
  return readable.ok() && *readable;
}

Result<Client::Message> Client::next() {
  const Json json = TRY(Json::parse(TRY(read_line())));
  Message message;
  if (json.at("method").text() == "progress") {
    message.id = json.at("params").at("id").number();
    message.progress = true;
    message.body = json.at("params").at("progress");
    return message;
  }
  message.id = json.at("id").number();
  const Json error = json.at("error");
  if (!error.is_null()) {
    const std::string name = error.at("data").at("errc").text();
    message.body = fail(errc_from_name(name), error.at("message").text());
    return message;
  }
  message.body = json.at("result");
  return message;
}

Result<Json> Client::wait_for(uint64_t id, const OnProgress& progress) {
  for (;;) {
    Message message = TRY(next());
    if (message.id != id) continue;
    if (!message.progress) return std::move(message.body);
    if (progress) progress(*message.body);
  }
}

}  // namespace selvedge::cli
