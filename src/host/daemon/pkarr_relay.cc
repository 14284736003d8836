#include "host/daemon/pkarr_relay.h"

#include <time.h>

#include "codec/multibase.h"
#include "codec/pkarr.h"

namespace selvedge::host {

namespace {

constexpr const char* kPayloadType = "application/pkarr.org/relays#payload";
constexpr size_t kHttpDateBytes = 64;

// RFC 9110 5.6.7
std::string http_date(uint64_t seconds) {
  const time_t at = time_t(seconds);
  tm parts{};
  char text[kHttpDateBytes];
  if (gmtime_r(&at, &parts) == nullptr || strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts) == 0) return "";
  return text;
}

// Pages ask too: what is here is signed by whom it is about, and secret to nobody.
std::vector<std::pair<std::string, std::string>> open_to_pages() {
  return {{"Access-Control-Allow-Origin", "*"}, {"Access-Control-Allow-Methods", "GET, PUT, OPTIONS"}, {"Access-Control-Allow-Headers", "*"}};
}

unsigned status_of(Errc code) {
  switch (code) {
    case Errc::kExists: return 409;
    case Errc::kBusy: return 429;
    default: return 400;
  }
}

}  // namespace

Result<std::unique_ptr<PkarrRelay>> PkarrRelay::listen(Loop& loop, const std::string& address, const crypto::Verifier& verifier, HintClient& hints,
                                                       std::vector<mesh::HintSource> dhts) {
  std::unique_ptr<PkarrRelay> relay(new PkarrRelay(loop, verifier, hints, std::move(dhts)));
  HttpServer::Options options;
  options.address = address;
  options.body_bytes_max = codec::kPkarrPayloadMax;
  options.connections_max = 1024;
  options.connections_per_client_max = 32;
  HttpServer::Events events;
  events.request = [self = relay.get()](const HttpRequest& request) { self->on_request(request); };
  events.gone = [](uint64_t) {};
  relay->server_ = TRY(HttpServer::listen(loop, options, std::move(events)));
  return relay;
}

PkarrRelay::PkarrRelay(Loop& loop, const crypto::Verifier& verifier, HintClient& hints, std::vector<mesh::HintSource> dhts)
    : loop_(loop), hints_(hints), dhts_(std::move(dhts)), shelf_(verifier), alive_(std::make_shared<PkarrRelay*>(this)) {}

void PkarrRelay::on_request(const HttpRequest& request) {
  if (request.method == "OPTIONS") return server_->answer(request.id, {204, open_to_pages(), ""});
  const bool put_it = request.method == "PUT";
  if (!put_it && request.method != "GET" && request.method != "HEAD") return refuse(request.id, 405, "GET or PUT /KEY");
  const Result<crypto::PublicKey> key = codec::parse_key(request.path.substr(std::min<size_t>(1, request.path.size())));
  if (!key.ok()) return refuse(request.id, request.path == "/" ? 404 : 400, "A PKARR relay: GET or PUT /KEY, where KEY is 52 characters of z-base-32.");
  const Status admitted = shelf_.admit(loop_.now(), request.from, put_it);
  if (!admitted.ok()) return refuse(request.id, 429, admitted.error().message);
  if (put_it) put(request, *key);
  else get(request, *key);
}

void PkarrRelay::get(const HttpRequest& request, const crypto::PublicKey& key) {
  if (const mesh::PkarrShelf::Kept* kept = shelf_.get(loop_.now(), key)) return show(request.id, *kept, request.header("if-modified-since"));
  ask_dht(request.id, key, 0);
}

void PkarrRelay::ask_dht(uint64_t id, const crypto::PublicKey& key, size_t source) {
  if (source == dhts_.size()) return refuse(id, 404, "not known here");
  hints_.ask(dhts_[source], key, [this, id, key, source, alive = std::weak_ptr(alive_)](const Result<Bytes>& payload) {
    if (alive.expired()) return;
    if (payload.ok()) (void)shelf_.put(loop_.now(), key, *payload);   // what the DHT says is no better than what anybody says
    if (const mesh::PkarrShelf::Kept* kept = shelf_.get(loop_.now(), key)) return show(id, *kept, "");
    ask_dht(id, key, source + 1);
  });
}

void PkarrRelay::put(const HttpRequest& request, const crypto::PublicKey& key) {
  const Bytes payload(request.body.begin(), request.body.end());
  const Status taken = shelf_.put(loop_.now(), key, payload);
  if (!taken.ok()) return refuse(request.id, status_of(taken.code()), taken.error().message);
  for (const mesh::HintSource& dht : dhts_) hints_.tell(dht, key, payload, [](const Status&) {});
  server_->answer(request.id, {204, open_to_pages(), ""});
}

void PkarrRelay::show(uint64_t id, const mesh::PkarrShelf::Kept& kept, const std::string& since) {
  HttpResponse response{200, open_to_pages(), ""};
  const std::string made = http_date(kept.micros / 1'000'000);
  response.headers.emplace_back("Content-Type", kPayloadType);
  response.headers.emplace_back("Cache-Control", "public, max-age=" + std::to_string(kept.ttl));
  if (!made.empty()) response.headers.emplace_back("Last-Modified", made);
  if (!made.empty() && since == made) response.status = 304;
  else response.body.assign(kept.payload.begin(), kept.payload.end());
  server_->answer(id, std::move(response));
}

void PkarrRelay::refuse(uint64_t id, unsigned status, const std::string& why) {
  HttpResponse response{status, open_to_pages(), why + "\n"};
  response.headers.emplace_back("Content-Type", "text/plain; charset=utf-8");
  server_->answer(id, std::move(response));
}

}  // namespace selvedge::host
