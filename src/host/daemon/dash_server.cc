#include "host/daemon/dash_server.h"

#include <algorithm>
#include <set>

#include "codec/multibase.h"
#include "crypto/hash.h"
#include "host/daemon/dash_assets.h"

namespace selvedge::host {

namespace {

constexpr size_t kSecretBytes = 32;
constexpr const char* kKeyHeader = "x-selvedge-key";
constexpr size_t kDashConnectionsMax = 64;
constexpr size_t kCallBytesMax = 64u << 10;

const std::set<std::string_view> kMethods{"status", "peer.list", "grant.list", "lease.list", "lease.change", "lease.throttle", "domain.list", "task.list", "task.move", "blob.list", "receipts",
                                          "grant.requests", "grant.answer", "grant.withdraw", "service.list", "service.unexpose", "relay.list", "announce.show",
                                          "audit.head", "audit.list", "audit.prove", "device.list", "policy.list", "revoke.list", "watch"};

const std::vector<std::pair<std::string, std::string>> kSafety{
    {"Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
                                "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"},
    {"X-Content-Type-Options", "nosniff"}, {"Referrer-Policy", "no-referrer"}, {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"}, {"X-Frame-Options", "DENY"}, {"Cache-Control", "no-store"}};

// "127.0.0.1:8080": whatever port, since somebody may have led one here from another machine.
bool is_loopback_name(const std::string& host) {
  const size_t colon = host.rfind(':');
  const bool port = colon != std::string::npos && host.find(']', colon) == std::string::npos;
  const std::string name = port ? host.substr(0, colon) : host;
  return name == "127.0.0.1" || name == "localhost" || name == "[::1]";
}

std::string cookie_of(const HttpRequest& request, const std::string& name) {
  const std::string all = request.header("cookie");
  for (size_t at = 0; at < all.size();) {
    const size_t end = std::min(all.find(';', at), all.size());
    size_t begin = at;
    while (begin < end && all[begin] == ' ') ++begin;
    if (all.compare(begin, name.size() + 1, name + "=") == 0) return all.substr(begin + name.size() + 1, end - begin - name.size() - 1);
    at = end + 1;
  }
  return "";
}

}  // namespace

Result<std::unique_ptr<DashServer>> DashServer::listen(Loop& loop, const std::string& address, ApiDesk& desk, crypto::Drbg drbg) {
  if (!is_loopback_name(address) || address.starts_with("localhost")) {
    return fail(Errc::kInvalid, "the dashboard listens on this machine only, like 127.0.0.1:0; from elsewhere lead a port here: ssh -L 8080:127.0.0.1:PORT MACHINE");
  }
  std::unique_ptr<DashServer> dash(new DashServer(loop, desk, std::move(drbg)));
  HttpServer::Options options;
  options.address = address;
  options.body_bytes_max = kCallBytesMax;
  options.connections_max = kDashConnectionsMax;
  HttpServer::Events events;
  events.request = [self = dash.get()](const HttpRequest& request) { self->on_request(request); };
  events.gone = [self = dash.get()](uint64_t id) { self->end_stream(id); };
  dash->server_ = TRY(HttpServer::listen(loop, options, std::move(events)));
  return dash;
}

DashServer::DashServer(Loop& loop, ApiDesk& desk, crypto::Drbg drbg)
    : loop_(loop), desk_(desk), drbg_(std::move(drbg)), heartbeat_(loop, [this] { on_heartbeat(); }) {}

DashServer::~DashServer() {
  for (const auto& [id, stream] : streams_) desk_.leave(stream.client);
}

std::string DashServer::secret() {
  Bytes bytes(kSecretBytes);
  drbg_.fill(bytes);
  return codec::base32_encode(bytes);
}

std::string DashServer::cookie_name() const { return "selvedge-" + address().substr(address().rfind(':') + 1); }

std::string DashServer::link() {
  const Instant now = loop_.now();
  std::erase_if(links_, [&](const auto& each) { return each.second <= now; });
  if (links_.size() >= kDashLinksMax) links_.erase(std::min_element(links_.begin(), links_.end(), [](const auto& a, const auto& b) { return a.second < b.second; }));
  const std::string token = secret();
  links_[crypto::sha256(view(token))] = now + kDashLinkLife;
  return "http://" + address() + "/#open=" + token;
}

void DashServer::answer(uint64_t id, unsigned status, const std::string& type, std::string body, std::vector<std::pair<std::string, std::string>> headers) {
  headers.emplace_back("Content-Type", type);
  headers.insert(headers.end(), kSafety.begin(), kSafety.end());
  server_->answer(id, {status, std::move(headers), std::move(body)});
}

void DashServer::refuse(uint64_t id, unsigned status, const std::string& why) { answer(id, status, "text/plain; charset=utf-8", why + "\n"); }

void DashServer::on_request(const HttpRequest& request) {
  const std::string host = request.header("host");
  if (!is_loopback_name(host)) return refuse(request.id, 421, "This is the dashboard of the machine that you sit at, under 127.0.0.1 or localhost only.");
  if (request.method == "GET" || request.method == "HEAD") {
    for (const DashAsset& asset : dash_assets()) {
      if (request.path == asset.path || (request.path == "/" && asset.path == "/index.html")) return answer(request.id, 200, std::string(asset.type), std::string(asset.content));
    }
    return refuse(request.id, 404, "There is nothing here; the dashboard is at /");
  }
  if (request.method != "POST") return refuse(request.id, 405, "GET or POST");
  // A browser says of every POST whose page it is from. Of other sites' nothing is taken, whatever they know.
  const std::string site = request.header("sec-fetch-site");
  if (request.header("origin") != "http://" + host || (!site.empty() && site != "same-origin")) return refuse(request.id, 403, "Only the dashboard's own page may ask this.");
  if (request.path == "/open") return open(request);
  if (request.path == "/close") return close(request);
  if (request.path == "/api") return call(request);
  refuse(request.id, 404, "There is nothing here.");
}

// The body is the token of a link. spec: docs/dashboard.md
void DashServer::open(const HttpRequest& request) {
  const Instant now = loop_.now();
  const auto link = links_.find(crypto::sha256(view(request.body)));
  const bool good = link != links_.end() && link->second > now;
  if (link != links_.end()) links_.erase(link);
  if (!good) return refuse(request.id, 401, "This link was used already or is too old. Ask for another: selvedge dash");
  std::erase_if(sessions_, [&](const auto& each) { return now - each.second.used > kDashSessionLife; });
  if (sessions_.size() >= kDashSessionsMax) {
    sessions_.erase(std::min_element(sessions_.begin(), sessions_.end(), [](const auto& a, const auto& b) { return a.second.used < b.second.used; }));
  }
  const std::string cookie = secret(), key = secret();
  sessions_[crypto::sha256(view(cookie))] = {crypto::sha256(view(key)), now};
  answer(request.id, 200, "application/json", "{\"key\":\"" + key + "\"}",
         {{"Set-Cookie", cookie_name() + "=" + cookie + "; HttpOnly; SameSite=Strict; Path=/; Max-Age=" + std::to_string(kDashSessionLife.ms() / 1000)}});
}

std::map<crypto::Digest, DashServer::Session>::iterator DashServer::session_of(const HttpRequest& request) {
  const auto it = sessions_.find(crypto::sha256(view(cookie_of(request, cookie_name()))));
  if (it == sessions_.end() || loop_.now() - it->second.used > kDashSessionLife) return sessions_.end();
  const crypto::Digest shown = crypto::sha256(view(request.header(kKeyHeader)));
  return crypto::constant_time_equal(shown.bytes, it->second.key.bytes) ? it : sessions_.end();
}

void DashServer::close(const HttpRequest& request) {
  const auto session = session_of(request);
  if (session != sessions_.end()) {
    std::vector<uint64_t> open;
    for (const auto& [id, stream] : streams_) {
      if (stream.session == session->first) open.push_back(id);
    }
    for (const uint64_t id : open) end_stream(id);
    sessions_.erase(session);
  }
  answer(request.id, 200, "application/json", "{}", {{"Set-Cookie", cookie_name() + "=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0"}});
}

// One request of the local API; its lines are the body of the answer.
void DashServer::call(const HttpRequest& request) {
  const auto session = session_of(request);
  if (session == sessions_.end()) return refuse(request.id, 401, "Not signed in here any more. Ask for a link: selvedge dash");
  session->second.used = loop_.now();
  std::vector<std::pair<std::string, std::string>> headers{{"Content-Type", "application/x-ndjson"}};
  headers.insert(headers.end(), kSafety.begin(), kSafety.end());
  const uint64_t id = request.id;
  server_->begin(id, {200, std::move(headers), ""});
  if (streams_.empty()) heartbeat_.set(loop_.now() + kDashHeartbeat);
  const ApiDesk::ClientId client = desk_.join({[this, id](const std::string& text, bool last) { line(id, text, last); }, &kMethods});
  streams_[id] = {client, session->first};
  desk_.ask(client, request.body);
}

void DashServer::line(uint64_t id, const std::string& text, bool last) {
  if (!streams_.contains(id)) return;
  server_->write(id, text + "\n");
  if (last) end_stream(id);
}

void DashServer::end_stream(uint64_t id) {
  const auto stream = streams_.find(id);
  if (stream == streams_.end()) return;
  server_->end(id);   // of one that is gone: nothing
  const ApiDesk::ClientId client = stream->second.client;
  streams_.erase(stream);
  desk_.leave(client);
}

void DashServer::on_heartbeat() {
  for (const auto& [id, stream] : streams_) server_->write(id, "\n");
  if (!streams_.empty()) heartbeat_.set(loop_.now() + kDashHeartbeat);
}

}  // namespace selvedge::host
