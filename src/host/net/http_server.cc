#include "host/net/http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "host/loop/address.h"

namespace selvedge::host {

namespace {

constexpr Duration kSweepEvery = seconds(1);
constexpr size_t kStreamBlock = 64u << 10;
constexpr int kListenBacklog = 256;

std::string lower(const char* text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? char(c + 32) : c;
  return out;
}

std::string client_of(MHD_Connection* connection) {
  const MHD_ConnectionInfo* info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
  char text[INET6_ADDRSTRLEN] = "";
  if (info == nullptr || info->client_addr == nullptr) return text;
  const sockaddr* address = info->client_addr;
  if (address->sa_family == AF_INET) inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, text, sizeof text);
  if (address->sa_family == AF_INET6) inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr, text, sizeof text);
  return text;
}

MHD_Result add_header(void* to, MHD_ValueKind, const char* name, const char* value) {
  auto& headers = *static_cast<std::map<std::string, std::string>*>(to);
  const auto [it, fresh] = headers.emplace(lower(name), value == nullptr ? "" : value);
  if (!fresh) it->second += std::string(", ") + (value == nullptr ? "" : value);
  return MHD_YES;
}

size_t leave_escaped(void*, MHD_Connection*, char* text) { return strlen(text); }

}  // namespace

// One request and its answer. What libmicrohttpd calls back with; ends in on_completed().
struct HttpServer::Exchange {
  HttpServer* server = nullptr;
  MHD_Connection* connection = nullptr;
  HttpRequest request;
  bool begun = false;       // the headers are here
  bool handed = false;      // its owner has it
  bool answered = false;    // there is a response, or a stream's head
  bool stream = false;
  bool ended = false;       // of a stream: nothing more comes
  bool suspended = false;
  bool broken = false;      // the client did not read
  HttpResponse response;
  std::function<void(UpgradedConnection)> taker;   // of an upgrade
  std::string unsent;       // of a stream
  size_t sent = 0;
};

struct HttpServer::Callbacks {
  static void* on_uri(void* self, const char* uri, MHD_Connection* connection) {
    HttpServer& server = *static_cast<HttpServer*>(self);
    auto exchange = std::make_unique<Exchange>();
    exchange->server = &server;
    exchange->connection = connection;
    exchange->request.id = server.next_id_++;
    const std::string target(uri);
    const size_t question = target.find('?');
    exchange->request.path = target.substr(0, question);
    if (question != std::string::npos) exchange->request.query = target.substr(question + 1);
    Exchange* raw = exchange.get();
    server.exchanges_.emplace(raw->request.id, std::move(exchange));
    return raw;
  }

  static MHD_Result on_access(void* self, MHD_Connection* connection, const char*, const char* method, const char*, const char* data, size_t* size, void** context) {
    HttpServer& server = *static_cast<HttpServer*>(self);
    Exchange* exchange = static_cast<Exchange*>(*context);
    if (exchange == nullptr || server.stopping_) return MHD_NO;
    if (!exchange->begun) {
      exchange->begun = true;
      exchange->request.method = method;
      exchange->request.from = client_of(connection);
      if (const auto it = server.connections_.find(connection); it != server.connections_.end()) exchange->request.tag = it->second.tag;
      MHD_get_connection_values(connection, MHD_HEADER_KIND, add_header, &exchange->request.headers);
      if (strtoull(exchange->request.header("content-length").c_str(), nullptr, 10) > server.options_.body_bytes_max) {
        exchange->handed = exchange->answered = true;
        exchange->response.status = MHD_HTTP_CONTENT_TOO_LARGE;
        exchange->response.body = "At most " + std::to_string(server.options_.body_bytes_max) + " bytes are taken.\n";
        return queue(*exchange);
      }
      return MHD_YES;
    }
    if (*size > 0) {
      if (exchange->request.body.size() + *size > server.options_.body_bytes_max) return MHD_NO;
      exchange->request.body.append(data, *size);
      *size = 0;
      return MHD_YES;
    }
    if (!exchange->handed) {
      exchange->handed = true;
      if (const auto it = server.connections_.find(connection); it != server.connections_.end()) it->second.whole = true;
      server.events_.request(std::move(exchange->request));
    }
    if (exchange->answered) return queue(*exchange);
    exchange->suspended = true;
    MHD_suspend_connection(connection);
    return MHD_YES;
  }

  static MHD_Result queue(Exchange& exchange) {
    const HttpResponse& from = exchange.response;
    MHD_Response* response = exchange.taker ? MHD_create_response_for_upgrade(&on_upgraded, &exchange) : exchange.stream
        ? MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, kStreamBlock, &on_read, &exchange, nullptr)
        : MHD_create_response_from_buffer(from.body.size(), const_cast<char*>(from.body.data()), MHD_RESPMEM_MUST_COPY);
    if (response == nullptr) return MHD_NO;
    for (const auto& [name, value] : from.headers) MHD_add_response_header(response, name.c_str(), value.c_str());
    const MHD_Result queued = MHD_queue_response(exchange.connection, from.status, response);
    MHD_destroy_response(response);
    return queued;
  }

  static void on_upgraded(void* context, MHD_Connection*, void*, const char* early, size_t early_bytes, int fd, MHD_UpgradeResponseHandle* handle) {
    Exchange& exchange = *static_cast<Exchange*>(context);
    HttpServer* server = exchange.server;
    const auto release = [server, handle] {
      MHD_upgrade_action(handle, MHD_UPGRADE_ACTION_CLOSE);
      server->turn_timer_.set(server->loop_.now());
    };
    exchange.taker({fd, std::string(early, early_bytes), release});
  }

  static ssize_t on_read(void* context, uint64_t, char* to, size_t room) {
    Exchange& exchange = *static_cast<Exchange*>(context);
    if (exchange.broken || exchange.server->stopping_) return MHD_CONTENT_READER_END_WITH_ERROR;
    const size_t size = std::min(room, exchange.unsent.size() - exchange.sent);
    if (size > 0) {
      memcpy(to, exchange.unsent.data() + exchange.sent, size);
      exchange.sent += size;
      if (exchange.sent == exchange.unsent.size()) exchange.unsent.clear(), exchange.sent = 0;
      return ssize_t(size);
    }
    if (exchange.ended) return MHD_CONTENT_READER_END_OF_STREAM;
    exchange.suspended = true;
    MHD_suspend_connection(exchange.connection);
    return 0;
  }

  static void on_completed(void* self, MHD_Connection* connection, void** context, MHD_RequestTerminationCode code) {
    HttpServer& server = *static_cast<HttpServer*>(self);
    Exchange* exchange = static_cast<Exchange*>(*context);
    *context = nullptr;
    if (const auto it = server.connections_.find(connection); it != server.connections_.end()) {
      it->second.whole = false;
      it->second.since = server.loop_.now();
    }
    if (exchange == nullptr) return;
    const uint64_t id = exchange->request.id;
    const bool told = exchange->handed && (code != MHD_REQUEST_TERMINATED_COMPLETED_OK || !exchange->answered);
    server.exchanges_.erase(id);
    if (told && !server.stopping_) server.loop_.post([gone = server.events_.gone, id] { gone(id); });
  }

  static void on_connection(void* self, MHD_Connection* connection, void**, MHD_ConnectionNotificationCode code) {
    HttpServer& server = *static_cast<HttpServer*>(self);
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
      server.connections_.erase(connection);
      return;
    }
    const MHD_ConnectionInfo* info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    server.connections_[connection] = {info == nullptr ? -1 : info->connect_fd, server.loop_.now(), false, server.adopting_};
    if (server.connections_.size() == 1) server.sweep_timer_.set(server.loop_.now() + kSweepEvery);
  }
};

Result<std::unique_ptr<HttpServer>> HttpServer::listen(Loop& loop, const Options& options, Events events) {
  if (options.address.empty()) {
    std::unique_ptr<HttpServer> server(new HttpServer(loop, options, std::move(events)));
    TRY(server->start(-1));
    return server;
  }
  const SocketAddress at = TRY(SocketAddress::parse(options.address));
  const int fd = socket(at.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail(Errc::kIo, std::string("cannot make a socket: ") + strerror(errno));
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, &at.any, at.size()) != 0 || ::listen(fd, kListenBacklog) != 0) {
    const int code = errno;
    close(fd);
    return fail(code == EADDRINUSE ? Errc::kBusy : Errc::kIo, "cannot listen at " + options.address + ": " + strerror(code));
  }
  std::unique_ptr<HttpServer> server(new HttpServer(loop, options, std::move(events)));
  TRY(server->start(fd));
  return server;
}

HttpServer::HttpServer(Loop& loop, const Options& options, Events events)
    : loop_(loop), options_(options), events_(std::move(events)), turn_timer_(loop, [this] { turn(); }), sweep_timer_(loop, [this] { sweep(); }) {}

Status HttpServer::start(int fd) {
  if (fd >= 0) {
    SocketAddress at;
    socklen_t size = sizeof at;
    getsockname(fd, &at.any, &size);
    address_ = at.text();
  }
  // libmicrohttpd counts its idle time from the last byte; sweep() bounds the whole.
  const unsigned listening = fd >= 0 ? unsigned(MHD_NO_FLAG) : unsigned(MHD_USE_NO_LISTEN_SOCKET);
  const MHD_OptionItem listener[] = {{fd >= 0 ? MHD_OPTION_LISTEN_SOCKET : MHD_OPTION_END, fd, nullptr}, {MHD_OPTION_END, 0, nullptr}};
  daemon_ = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_ALLOW_UPGRADE | listening, 0, nullptr, nullptr, &Callbacks::on_access, this,
                             MHD_OPTION_ARRAY, listener, MHD_OPTION_CONNECTION_LIMIT, options_.connections_max,
                             MHD_OPTION_PER_IP_CONNECTION_LIMIT, options_.connections_per_client_max, MHD_OPTION_CONNECTION_MEMORY_LIMIT, kHttpHeaderBytesMax,
                             MHD_OPTION_CONNECTION_TIMEOUT, unsigned(kHttpRequestDeadline.ms() / 1000), MHD_OPTION_STRICT_FOR_CLIENT, 1,
                             MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_UNESCAPE_CALLBACK, &leave_escaped, nullptr,
                             MHD_OPTION_URI_LOG_CALLBACK, &Callbacks::on_uri, this, MHD_OPTION_NOTIFY_COMPLETED, &Callbacks::on_completed, this,
                             MHD_OPTION_NOTIFY_CONNECTION, &Callbacks::on_connection, this, MHD_OPTION_END);
  if (daemon_ == nullptr) {
    if (fd >= 0) close(fd);
    return fail(Errc::kIo, "the HTTP server does not start at " + options_.address);
  }
  const MHD_DaemonInfo* info = MHD_get_daemon_info(daemon_, MHD_DAEMON_INFO_EPOLL_FD);
  if (info == nullptr) return fail(Errc::kInternal, "libmicrohttpd has no epoll descriptor");
  watch_ = std::make_unique<Loop::Watch>(loop_, info->epoll_fd, [this](int) { turn(); });
  watch_->set(Loop::Watch::kReadable);
  turn();
  return ok();
}

Status HttpServer::adopt(int fd, std::string tag) {
  // What it is reached by has no address; the library wants one.
  const sockaddr_in nowhere{AF_INET, 0, {}, {}};
  adopting_ = std::move(tag);
  const MHD_Result added = MHD_add_connection(daemon_, fd, reinterpret_cast<const sockaddr*>(&nowhere), sizeof nowhere);
  adopting_.clear();
  turn_timer_.set(loop_.now());
  return added == MHD_YES ? ok() : Status(fail(Errc::kLimit, "as many connections are open as are served"));   // the library has closed it
}

HttpServer::~HttpServer() {
  stopping_ = true;
  watch_.reset();
  for (auto& [id, exchange] : exchanges_) {
    if (exchange->suspended) MHD_resume_connection(exchange->connection);
  }
  if (daemon_ != nullptr) MHD_stop_daemon(daemon_);
}

void HttpServer::turn() {
  resumed_ = false;
  MHD_run(daemon_);
  MHD_UNSIGNED_LONG_LONG wait = 0;
  if (resumed_) turn_timer_.set(loop_.now());
  else if (MHD_get_timeout(daemon_, &wait) == MHD_YES) turn_timer_.set(loop_.now() + milliseconds(int64_t(std::min<unsigned long long>(wait, 60'000))));
  else turn_timer_.cancel();
}

void HttpServer::sweep() {
  const Instant now = loop_.now();
  for (const auto& [connection, waiting] : connections_) {
    // libmicrohttpd has no call that ends a connection: it sees the end of its input, and does.
    if (!waiting.whole && waiting.fd >= 0 && now - waiting.since > kHttpRequestDeadline) shutdown(waiting.fd, SHUT_RDWR);
  }
  if (!connections_.empty()) sweep_timer_.set(now + kSweepEvery);
}

HttpServer::Exchange* HttpServer::find(uint64_t id) {
  const auto it = exchanges_.find(id);
  return it == exchanges_.end() ? nullptr : it->second.get();
}

void HttpServer::wake(Exchange& exchange) {
  if (!exchange.suspended) return;
  exchange.suspended = false;
  MHD_resume_connection(exchange.connection);
  resumed_ = true;   // which only the next turn sees: no descriptor says so
  turn_timer_.set(loop_.now());
}

void HttpServer::respond(uint64_t id, HttpResponse response, std::function<void(Exchange&)> mark) {
  Exchange* exchange = find(id);
  if (exchange == nullptr || exchange->answered) return;
  exchange->answered = true;
  exchange->response = std::move(response);
  mark(*exchange);
  wake(*exchange);
}

void HttpServer::answer(uint64_t id, HttpResponse response) {
  respond(id, std::move(response), [](Exchange&) {});
}

void HttpServer::upgrade(uint64_t id, std::vector<std::pair<std::string, std::string>> headers, std::function<void(UpgradedConnection)> taker) {
  respond(id, {MHD_HTTP_SWITCHING_PROTOCOLS, std::move(headers), ""}, [&](Exchange& exchange) { exchange.taker = std::move(taker); });
}

void HttpServer::begin(uint64_t id, HttpResponse head) {
  respond(id, std::move(head), [](Exchange& exchange) { exchange.stream = true; });
}

void HttpServer::write(uint64_t id, const std::string& bytes) {
  Exchange* exchange = find(id);
  if (exchange == nullptr || !exchange->stream || exchange->ended) return;
  if (exchange->unsent.size() - exchange->sent + bytes.size() > kHttpStreamBacklogMax) exchange->broken = true;
  else exchange->unsent += bytes;
  wake(*exchange);
}

void HttpServer::end(uint64_t id) {
  Exchange* exchange = find(id);
  if (exchange == nullptr || !exchange->stream) return;
  exchange->ended = true;
  wake(*exchange);
}

}  // namespace selvedge::host
