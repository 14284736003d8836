#include "host/daemon/web_door.h"

#include "host/daemon/dash_assets.h"

namespace selvedge::host {

namespace {

// Any page may load these, from wherever it is: what it loads asks its visitor first (web/sdk).
std::vector<std::pair<std::string, std::string>> open_to_pages(std::string_view type) {
  return {{"Access-Control-Allow-Origin", "*"}, {"Cross-Origin-Resource-Policy", "cross-origin"}, {"X-Content-Type-Options", "nosniff"},
          {"Cache-Control", "no-cache"}, {"Content-Type", std::string(type)}};
}

// Of the pages that the door itself serves: nothing inline, nothing from elsewhere but what other doors say.
constexpr std::string_view kPagePolicy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self'; connect-src 'self' http: https: ws: wss:; "
                                         "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

}  // namespace

struct WebDoor::Visitor {
  std::unique_ptr<WebSocket> socket;
  mesh::SecureChannel channel;
  std::string from;
  Instant since;
  bool told = false;                          // of its opening
  bool paused[kChannels] = {false, false};
};

Result<std::unique_ptr<WebDoor>> WebDoor::listen(Loop& loop, WebDoorOptions options, Events events) {
  HttpServer::Options http;
  http.address = options.address;
  http.body_bytes_max = 0;
  http.connections_max = kWebConnectionsMax;
  // Who comes over the loopback comes through a proxy that everybody shares.
  const bool behind_a_proxy = options.address.starts_with("127.") || options.address.starts_with("[::1]");
  http.connections_per_client_max = behind_a_proxy ? 0 : kWebConnectionsPerClientMax;
  std::unique_ptr<WebDoor> door(new WebDoor(loop, std::move(options), std::move(events)));
  HttpServer::Events of_http;
  of_http.request = [self = door.get()](const HttpRequest& request) { self->on_request(request); };
  of_http.gone = [](uint64_t) {};
  door->server_ = TRY(HttpServer::listen(loop, http, std::move(of_http)));
  return door;
}

WebDoor::WebDoor(Loop& loop, WebDoorOptions options, Events events)
    : loop_(loop), options_(std::move(options)), events_(std::move(events)), drbg_(crypto::Drbg::from_os()), sweep_timer_(loop, [this] { sweep(); }) {}

WebDoor::~WebDoor() = default;

void WebDoor::on_request(const HttpRequest& request) {
  if (request.path == "/selvedge") {
    auto answer = web_socket_answer(request);
    if (!answer.ok()) return server_->answer(request.id, {426, {{"Upgrade", "websocket"}, {"Sec-WebSocket-Version", "13"}}, answer.error().message + "\n"});
    return server_->upgrade(request.id, std::move(*answer), [this, from = request.from](UpgradedConnection connection) { take(std::move(connection), from); });
  }
  if (request.method != "GET" && request.method != "HEAD") return server_->answer(request.id, {405, open_to_pages("text/plain; charset=utf-8"), "GET\n"});
  if (request.path == "/node") return server_->answer(request.id, {200, open_to_pages("application/json"), options_.about});
  for (const DashAsset& asset : sdk_assets()) {
    if (request.path != asset.path) continue;
    HttpResponse response{200, open_to_pages(asset.type), std::string(asset.content)};
    if (asset.type.starts_with("text/html")) response.headers.emplace_back("Content-Security-Policy", std::string(kPagePolicy));
    response.headers.emplace_back("Content-Encoding", "gzip");   // there is no browser that does not read it
    return server_->answer(request.id, std::move(response));
  }
  server_->answer(request.id, {404, open_to_pages("text/plain; charset=utf-8"), "Here are / for people, /sdk/edge.js and /node for pages, and /selvedge, a WebSocket for nodes.\n"});
}

void WebDoor::take(UpgradedConnection connection, const std::string& from) {
  const uint64_t id = ++last_;
  auto visitor = std::make_unique<Visitor>(Visitor{nullptr, {mesh::ChannelSide::kAcceptor, *options_.signer, {}, drbg_.fork()}, from, loop_.now()});
  WebSocket::Events events;
  events.packet = [this, id](Bytes packet) {
    const auto it = visitors_.find(id);
    if (it == visitors_.end()) return;
    mesh::SecureChannel::Out out;
    it->second->channel.on_record(std::move(packet), out);
    carry_out(id, out);
  };
  events.closed = [this, id](Error why) { end(id, std::move(why)); };
  visitor->socket = std::make_unique<WebSocket>(loop_, std::move(connection), mesh::kChannelRecordBytesMax, std::move(events));
  mesh::SecureChannel::Out out;
  visitor->channel.start(out);
  visitors_.emplace(id, std::move(visitor));
  carry_out(id, out);
  sweep_timer_.set(loop_.now() + kWebHandshakeTimeout);
}

void WebDoor::carry_out(uint64_t id, mesh::SecureChannel::Out& out) {
  for (mesh::ChannelEffect& effect : out.take()) {
    const auto it = visitors_.find(id);
    if (it == visitors_.end()) return;
    Visitor& visitor = *it->second;
    if (const auto* record = std::get_if<mesh::SendRecord>(&effect)) {
      visitor.socket->send(record->record);
    } else if (const auto* opened = std::get_if<mesh::ChannelOpened>(&effect)) {
      visitor.told = true;
      events_.opened(id, opened->peer, "web " + visitor.from);
    } else if (auto* received = std::get_if<mesh::ChannelReceived>(&effect)) {
      events_.message(id, received->bulk ? Channel::kBulk : Channel::kControl, std::move(received->message));
    } else if (const auto* delivered = std::get_if<mesh::ChannelDelivered>(&effect)) {
      events_.delivered(id, delivered->bulk ? Channel::kBulk : Channel::kControl, delivered->messages, kWebWindowBytes);
    } else if (const auto* failed = std::get_if<mesh::ChannelFailed>(&effect)) {
      visitor.socket->close(failed->why.message);
    }
  }
}

void WebDoor::end(uint64_t id, Error why) {
  const auto it = visitors_.find(id);
  if (it == visitors_.end()) return;
  gone_.push_back(std::move(it->second));   // what calls this belongs to it
  visitors_.erase(it);
  sweep_timer_.set(loop_.now());
  if (gone_.back()->told) events_.closed(id, std::move(why));
}

// Whoever connects and does not prove a key goes.
void WebDoor::sweep() {
  gone_.clear();
  const Instant now = loop_.now();
  Instant next = Instant::never();
  for (auto& [id, visitor] : visitors_) {
    if (visitor->told) continue;
    if (now - visitor->since >= kWebHandshakeTimeout) visitor->socket->close("no key was proved");
    else next = std::min(next, visitor->since + kWebHandshakeTimeout);
  }
  if (next != Instant::never()) sweep_timer_.set(next);
}

Status WebDoor::send(uint64_t connection, Channel channel, Bytes message) {
  const auto it = visitors_.find(connection);
  if (it == visitors_.end()) return fail(Errc::kNotFound, "the connection is gone");
  mesh::SecureChannel::Out out;
  TRY(it->second->channel.send(channel == Channel::kBulk, message, out));
  carry_out(connection, out);
  return ok();
}

void WebDoor::set_paused(uint64_t connection, Channel channel, bool paused) {
  const auto it = visitors_.find(connection);
  if (it == visitors_.end()) return;
  it->second->paused[size_t(channel)] = paused;
  it->second->socket->set_paused(it->second->paused[0] || it->second->paused[1]);   // there is one stream for both
}

void WebDoor::close(uint64_t connection, const std::string& reason) {
  const auto it = visitors_.find(connection);
  if (it != visitors_.end()) it->second->socket->close(reason);
}

void WebDoor::close_all(const std::string& reason) {
  for (auto& [id, visitor] : visitors_) visitor->socket->close(reason);
}

}  // namespace selvedge::host
