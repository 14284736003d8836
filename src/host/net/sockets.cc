#include "host/net/sockets.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <cstring>
#include <vector>

#include "host/loop/address.h"

namespace selvedge::host {

// Handles belong to libuv until their close callback; they outlive the entry in the map, and then have no owner.
struct Sockets::Listener {
  Sockets* owner;
  uint64_t request;
  uv_tcp_t tcp;
};
struct Sockets::Socket {
  Sockets* owner;
  uint64_t id;
  uv_tcp_t tcp;
  uv_connect_t connecting;
  uv_shutdown_t shutdown;
  uv_timer_t flush;
  size_t unsent = 0;
  bool open = false, reading = false, ending = false, closing = false, buried = false;
  int handles = 2;
  std::vector<char> buffer;
};
struct Sockets::Write {
  uv_write_t request;
  Socket* socket;
  Bytes bytes;
};

namespace {

constexpr int kBacklog = 128;

// "localhost:8080" is written often enough to be understood without a resolver.
Result<SocketAddress> parse_local(const std::string& text) {
  return SocketAddress::parse(text.starts_with("localhost:") ? "127.0.0.1" + text.substr(9) : text);
}

std::string text_of(const uv_tcp_t& tcp) {
  SocketAddress at;
  int size = sizeof at;
  uv_tcp_getsockname(&tcp, &at.any, &size);
  return at.text();
}

}  // namespace

Sockets::Sockets(Loop& loop, Events events) : loop_(loop), events_(std::move(events)), alive_(std::make_shared<Sockets*>(this)) {}

void Sockets::later(std::function<void()> what) {
  loop_.post([weak = std::weak_ptr(alive_), what = std::move(what)] {
    if (!weak.expired()) what();
  });
}

Sockets::~Sockets() {
  while (!listeners_.empty()) close_listener(listeners_.begin()->first);
  while (!sockets_.empty()) close(sockets_.begin()->first, true);
}

Sockets::Socket* Sockets::find(uint64_t id) {
  const auto it = sockets_.find(id);
  return it == sockets_.end() ? nullptr : it->second;
}

Result<std::string> Sockets::listen(uint64_t request, const std::string& address) {
  const SocketAddress at = TRY(parse_local(address));
  auto* listener = new Listener{this, request, {}};
  uv_tcp_init(loop_.uv(), &listener->tcp);
  listener->tcp.data = listener;
  int code = uv_tcp_bind(&listener->tcp, &at.any, 0);
  if (code == 0) {
    code = uv_listen(reinterpret_cast<uv_stream_t*>(&listener->tcp), kBacklog, [](uv_stream_t* s, int status) {
      auto* self = static_cast<Listener*>(s->data);
      if (status == 0 && self->owner != nullptr) self->owner->on_connection(*self);
    });
  }
  if (code != 0) {
    uv_close(reinterpret_cast<uv_handle_t*>(&listener->tcp), [](uv_handle_t* h) { delete static_cast<Listener*>(h->data); });
    return fail(code == UV_EADDRINUSE ? Errc::kBusy : Errc::kIo, "cannot listen at " + address + ": " + uv_strerror(code));
  }
  listeners_[request] = listener;
  return text_of(listener->tcp);
}

void Sockets::close_listener(uint64_t request) {
  const auto it = listeners_.find(request);
  if (it == listeners_.end()) return;
  it->second->owner = nullptr;
  uv_close(reinterpret_cast<uv_handle_t*>(&it->second->tcp), [](uv_handle_t* h) { delete static_cast<Listener*>(h->data); });
  listeners_.erase(it);
}

static uv_stream_t* stream_of(uv_tcp_t& tcp) { return reinterpret_cast<uv_stream_t*>(&tcp); }

void Sockets::on_connection(Listener& listener) {
  Socket* socket = make(last_came_ * 2 + 1);
  const bool accepted = uv_accept(stream_of(listener.tcp), stream_of(socket->tcp)) == 0;
  ++last_came_;
  if (!accepted || sockets_.size() > kSocketsMax) return close(socket->id, true);
  uv_tcp_nodelay(&socket->tcp, 1);
  socket->open = true;
  events_.came(listener.request, socket->id);
}

Sockets::Socket* Sockets::make(uint64_t id) {
  auto* socket = new Socket{};
  socket->owner = this;
  socket->id = id;
  uv_tcp_init(loop_.uv(), &socket->tcp);
  uv_timer_init(loop_.uv(), &socket->flush);
  socket->tcp.data = socket->flush.data = socket->connecting.data = socket;
  sockets_[id] = socket;
  return socket;
}

void Sockets::connect_within(uint64_t id, const std::string& target) {
  const auto answer = [this, id](Status status) { later([this, id, status] { events_.connected(id, status); }); };
  int ends[2];
  if (sockets_.contains(id) || sockets_.size() >= kSocketsMax) return answer(fail(Errc::kLimit, "too many connections are open"));
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) return answer(fail(Errc::kIo, std::string("cannot make a socket: ") + strerror(errno)));
  const Status taken = events_.within(target, ends[1]);
  if (!taken.ok()) {
    ::close(ends[0]);
    return answer(taken);
  }
  Socket* socket = make(id);
  const int code = uv_tcp_open(&socket->tcp, ends[0]);   // any stream will do
  socket->open = code == 0;
  if (code != 0) ::close(ends[0]);
  answer(code == 0 ? ok() : Status(fail(Errc::kIo, uv_strerror(code))));
}

void Sockets::connect(uint64_t id, const std::string& target) {
  if (target.starts_with("service:")) return connect_within(id, target);
  const Result<SocketAddress> at = parse_local(target);
  if (!at.ok() || sockets_.contains(id) || sockets_.size() >= kSocketsMax) {
    const Error why = at.ok() ? Error{Errc::kLimit, "too many connections are open"} : at.error();
    return later([this, id, why] { events_.connected(id, why); });
  }
  Socket* socket = make(id);
  const int code = uv_tcp_connect(&socket->connecting, &socket->tcp, &at->any, [](uv_connect_t* c, int status) {
    auto* self = static_cast<Socket*>(c->data);
    if (self->owner == nullptr) return;
    self->open = status == 0;
    if (self->open) uv_tcp_nodelay(&self->tcp, 1);
    self->owner->events_.connected(self->id, status == 0 ? ok() : Status(fail(Errc::kUnavailable, uv_strerror(status))));
  });
  if (code != 0) later([this, id, code] { events_.connected(id, fail(Errc::kUnavailable, uv_strerror(code))); });
}

void Sockets::broke(Socket& socket) {
  const uint64_t id = socket.id;
  close(id, true);
  events_.closed(id);
}

void Sockets::set_paused(uint64_t id, bool paused) {
  Socket* socket = find(id);
  if (socket == nullptr || !socket->open || socket->reading == !paused) return;
  socket->reading = !paused;
  if (paused) {
    uv_read_stop(stream_of(socket->tcp));
    return;
  }
  uv_read_start(stream_of(socket->tcp), [](uv_handle_t* h, size_t, uv_buf_t* out) {
    auto* self = static_cast<Socket*>(h->data);
    self->buffer.resize(kSocketReadBytes);
    *out = uv_buf_init(self->buffer.data(), unsigned(self->buffer.size()));
  }, [](uv_stream_t* s, ssize_t count, const uv_buf_t*) {
    auto* self = static_cast<Socket*>(s->data);
    if (self->owner == nullptr || count == 0) return;
    if (count > 0) return self->owner->events_.read(self->id, Bytes(self->buffer.begin(), self->buffer.begin() + count));
    uv_read_stop(s);
    self->reading = true;  // there is nothing more to resume
    if (count == UV_EOF) self->owner->events_.ended(self->id);
    else self->owner->broke(*self);
  });
}

void Sockets::write(uint64_t id, Bytes bytes) {
  Socket* socket = find(id);
  if (socket == nullptr || !socket->open || socket->ending) return;
  auto* write = new Write{{}, socket, std::move(bytes)};
  write->request.data = write;
  socket->unsent += write->bytes.size();
  const uv_buf_t piece = uv_buf_init(reinterpret_cast<char*>(write->bytes.data()), unsigned(write->bytes.size()));
  const int code = uv_write(&write->request, stream_of(socket->tcp), &piece, 1, [](uv_write_t* w, int status) {
    auto* self = static_cast<Write*>(w->data);
    Socket* socket_of = self->socket;
    const size_t size = self->bytes.size();
    delete self;
    socket_of->unsent -= size;
    if (socket_of->owner != nullptr) {
      if (status == 0) socket_of->owner->events_.written(socket_of->id, size);
      else socket_of->owner->broke(*socket_of);
    } else if (socket_of->closing && socket_of->unsent == 0) {
      bury(socket_of, false);
    }
  });
  if (code == 0) return;
  socket->unsent -= write->bytes.size();
  delete write;
  later([this, id] {
    if (Socket* broken = find(id)) broke(*broken);
  });
}

void Sockets::end(uint64_t id) {
  Socket* socket = find(id);
  if (socket == nullptr || !socket->open || socket->ending) return;
  socket->ending = true;
  socket->shutdown.data = socket;
  uv_shutdown(&socket->shutdown, stream_of(socket->tcp), [](uv_shutdown_t*, int) {});  // after all writes
}

void Sockets::bury(Socket* socket, bool reset) {
  if (std::exchange(socket->buried, true)) return;
  const uv_close_cb gone = [](uv_handle_t* h) {
    auto* dead = static_cast<Socket*>(h->data);
    if (--dead->handles == 0) delete dead;
  };
  uv_close(reinterpret_cast<uv_handle_t*>(&socket->flush), gone);
  // A reset cannot follow an end that is on its way; then an end it is.
  if (reset && socket->open && uv_tcp_close_reset(&socket->tcp, gone) == 0) return;
  uv_close(reinterpret_cast<uv_handle_t*>(&socket->tcp), gone);
}

void Sockets::close(uint64_t id, bool reset) {
  Socket* socket = find(id);
  if (socket == nullptr) return;
  sockets_.erase(id);
  socket->owner = nullptr;
  if (reset || socket->unsent == 0) return bury(socket, reset);
  // What was written leaves first.
  uv_read_stop(stream_of(socket->tcp));
  socket->closing = true;
  uv_timer_start(&socket->flush, [](uv_timer_t* t) { bury(static_cast<Socket*>(t->data), true); }, uint64_t(kSocketFlush.ms()), 0);
}

}  // namespace selvedge::host
