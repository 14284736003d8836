#include "host/daemon/api_server.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace selvedge::host {

struct ApiServer::Connection {
  uint64_t id = 0;
  int fd = -1;
  std::string in;
  std::string out;
  size_t out_sent = 0;
  ApiDesk::ClientId client = 0;
  std::unique_ptr<Loop::Watch> watch;
  ~Connection() {
    watch.reset();
    if (fd >= 0) close(fd);
  }
};

Result<std::unique_ptr<ApiServer>> ApiServer::listen(Loop& loop, const std::string& path, ApiDesk& desk) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return fail(Errc::kInvalid, "the home's path is too long for a socket (" + path + "); use a shorter --home");
  }
  memcpy(address.sun_path, path.data(), path.size());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail(Errc::kIo, std::string("cannot make a socket: ") + strerror(errno));
  unlink(path.c_str());  // the home is locked by this process: whatever is there is left over
  const mode_t before = umask(0177);
  const bool bound = bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 && ::listen(fd, 64) == 0;
  const int code = errno;
  umask(before);
  if (!bound) {
    close(fd);
    return fail(Errc::kIo, "cannot listen at " + path + ": " + strerror(code));
  }
  return std::unique_ptr<ApiServer>(new ApiServer(loop, fd, path, desk));
}

ApiServer::ApiServer(Loop& loop, int fd, std::string path, ApiDesk& desk) : loop_(loop), fd_(fd), path_(std::move(path)), desk_(desk) {
  watch_ = std::make_unique<Loop::Watch>(loop_, fd_, [this](int) { accept_all(); });
  watch_->set(Loop::Watch::kReadable);
}

ApiServer::~ApiServer() {
  watch_.reset();
  while (!connections_.empty()) drop(connections_.begin()->first);
  close(fd_);
  unlink(path_.c_str());
}

void ApiServer::accept_all() {
  for (;;) {
    const int fd = accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    ucred peer{};
    socklen_t size = sizeof peer;
    const bool same_user = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && (peer.uid == getuid() || peer.uid == 0);
    if (!same_user || connections_.size() >= kApiConnectionsMax) {
      close(fd);
      continue;
    }
    auto connection = std::make_unique<Connection>();
    const uint64_t id = next_id_++;
    connection->id = id;
    connection->fd = fd;
    connection->watch = std::make_unique<Loop::Watch>(loop_, fd, [this, id](int events) { on_ready(id, events); });
    connection->watch->set(Loop::Watch::kReadable);
    connection->client = desk_.join({[this, id](const std::string& line, bool) { send(id, line); }, nullptr});
    connections_.emplace(id, std::move(connection));
  }
}

void ApiServer::on_ready(uint64_t id, int events) {
  auto it = connections_.find(id);
  if (it == connections_.end()) return;
  if (events & Loop::Watch::kWritable) flush(*it->second);
  if (connections_.count(id) && (events & Loop::Watch::kReadable)) read_lines(*connections_.at(id));
}

void ApiServer::read_lines(Connection& connection) {
  const uint64_t id = connection.id;
  char buffer[65536];
  for (;;) {
    const ssize_t got = read(connection.fd, buffer, sizeof buffer);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) break;
    if (got <= 0) return drop(id);
    connection.in.append(buffer, size_t(got));
    if (connection.in.size() > kApiLineBytesMax) return drop(id);
  }
  size_t begin = 0;
  for (size_t end; (end = connection.in.find('\n', begin)) != std::string::npos; begin = end + 1) {
    const std::string line = connection.in.substr(begin, end - begin);
    if (!line.empty()) desk_.ask(connection.client, line);
    if (!connections_.count(id)) return;
  }
  connection.in.erase(0, begin);
}

void ApiServer::send(uint64_t id, const std::string& line) {
  const auto it = connections_.find(id);
  if (it == connections_.end()) return;
  Connection& connection = *it->second;
  if (connection.out.size() - connection.out_sent + line.size() > kApiOutputBytesMax) return drop(connection.id);
  connection.out += line;
  connection.out += '\n';
  flush(connection);
}

void ApiServer::flush(Connection& connection) {
  while (connection.out_sent < connection.out.size()) {
    const ssize_t sent = ::send(connection.fd, connection.out.data() + connection.out_sent, connection.out.size() - connection.out_sent, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) {
      connection.watch->set(Loop::Watch::kReadable | Loop::Watch::kWritable);
      return;
    }
    if (sent <= 0) return drop(connection.id);
    connection.out_sent += size_t(sent);
  }
  connection.out.clear();
  connection.out_sent = 0;
  connection.watch->set(Loop::Watch::kReadable);
}

// Called from inside callbacks of the connection: it goes at the end of the loop's turn.
void ApiServer::drop(uint64_t id) {
  auto it = connections_.find(id);
  if (it == connections_.end()) return;
  std::shared_ptr<Connection> gone = std::move(it->second);
  connections_.erase(it);
  gone->watch->set(0);
  desk_.leave(gone->client);
  loop_.post([gone] {});
}

}  // namespace selvedge::host
