#include "host/daemon/api_desk.h"

#include <algorithm>

#include "crypto/hash.h"

namespace selvedge::host {

ApiDesk::ApiDesk(Loop& loop, Events events) : loop_(loop), events_(std::move(events)), timer_(loop, [this] { on_timer(); }) {}

ApiDesk::ClientId ApiDesk::join(Client client) {
  const ClientId id = next_id_++;
  clients_.emplace(id, Known{std::move(client)});
  return id;
}

void ApiDesk::leave(ClientId client) {
  if (clients_.erase(client) == 0) return;
  std::erase_if(watches_, [&](const auto& each) { return each.second.client == client; });
  std::vector<node::RequestId> withdrawn;
  for (const auto& [request, pending] : pending_) {
    if (pending.client == client) withdrawn.push_back(request);
  }
  for (node::RequestId request : withdrawn) pending_.erase(request);
  loop_.post([withdrawn, tell = events_.withdrawn] {
    for (node::RequestId request : withdrawn) tell(request);
  });
}

void ApiDesk::ask(ClientId client, const std::string& line) {
  const auto known = clients_.find(client);
  if (known == clients_.end()) return;
  ApiFault fault;
  Result<ApiCall> call = parse_call(line, known->second.client.methods, fault);
  if (!call.ok()) return send(client, error_line(fault.id, fault.error), true);
  if (known->second.requests >= kApiRequestsPerClientMax) {
    return send(client, error_line(call->id, fail(Errc::kLimit, "too many requests at once on one connection; wait for some to be answered")), true);
  }
  ++known->second.requests;
  if (call->watched) return watch(client, std::move(call).value());
  const node::RequestId request = next_id_++;
  pending_.emplace(request, Pending{client, call->id, 0, 0});
  events_.request(request, std::move(call->requests.front()));
}

// ---- answers

std::optional<ApiDesk::Pending> ApiDesk::take(node::RequestId request) {
  const auto it = pending_.find(request);
  if (it == pending_.end()) return std::nullopt;
  const Pending pending = std::move(it->second);
  pending_.erase(it);
  return pending;
}

void ApiDesk::progress(node::RequestId request, const std::string& json) {
  const auto it = pending_.find(request);
  if (it != pending_.end() && it->second.watch == 0) send(it->second.client, progress_line(it->second.id, json), false);
}

void ApiDesk::answer(node::RequestId request, const std::string& json) {
  const std::optional<Pending> pending = take(request);
  if (!pending) return;
  if (pending->watch != 0) return seen(*pending, R"("result":)" + json);
  --clients_.at(pending->client).requests;
  send(pending->client, result_line(pending->id, json), true);
}

void ApiDesk::refuse(node::RequestId request, const Error& error) {
  const std::optional<Pending> pending = take(request);
  if (!pending) return;
  if (pending->watch != 0) return seen(*pending, R"("error":)" + error_json(error));
  --clients_.at(pending->client).requests;
  send(pending->client, error_line(pending->id, error), true);
}

void ApiDesk::send(ClientId client, const std::string& line, bool last) {
  const auto it = clients_.find(client);
  if (it == clients_.end()) return;
  const auto to = it->second.client.send;   // which may leave meanwhile
  to(line, last);
}

// ---- watching

void ApiDesk::watch(ClientId client, ApiCall call) {
  if (watches_.size() >= kApiWatchesMax) {
    --clients_.at(client).requests;
    return send(client, error_line(call.id, fail(Errc::kLimit, "too many watch already; close some")), true);
  }
  Watch watch{client, call.id, *call.watched, {}, loop_.now()};
  for (node::ApiRequest& each : call.requests) watch.calls.push_back({std::move(each), false, std::nullopt});
  watches_.emplace(next_id_++, std::move(watch));
  set_timer();
}

void ApiDesk::look(WatchId id, Watch& watch) {
  watch.due = loop_.now() + watch.period;
  for (size_t i = 0; i < watch.calls.size(); ++i) {
    if (watch.calls[i].pending) continue;   // a node that is slow is not asked faster
    watch.calls[i].pending = true;
    const node::RequestId request = next_id_++;
    pending_.emplace(request, Pending{watch.client, watch.id, id, i});
    const node::ApiRequest copy = watch.calls[i].request;
    events_.request(request, copy);
    if (watches_.count(id) == 0) return;
  }
}

void ApiDesk::on_timer() {
  const Instant now = loop_.now();
  std::vector<WatchId> due;
  for (const auto& [id, watch] : watches_) {
    if (watch.due <= now) due.push_back(id);
  }
  for (WatchId id : due) {
    const auto it = watches_.find(id);
    if (it != watches_.end()) look(id, it->second);
  }
  set_timer();
}

void ApiDesk::set_timer() {
  Instant soonest = Instant::never();
  for (const auto& [id, watch] : watches_) soonest = std::min(soonest, watch.due);
  if (soonest == Instant::never()) timer_.cancel();
  else timer_.set(soonest);
}

void ApiDesk::seen(const Pending& pending, const std::string& member) {
  const auto it = watches_.find(pending.watch);
  if (it == watches_.end()) return;
  Watch::Call& call = it->second.calls[pending.call];
  call.pending = false;
  const crypto::Digest digest = crypto::sha256(view(member));
  if (call.told == digest) return;
  call.told = digest;
  send(pending.client, progress_line(pending.id, R"({"call":)" + std::to_string(pending.call) + "," + member + "}"), false);
}

}  // namespace selvedge::host
