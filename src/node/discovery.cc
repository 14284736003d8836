#include "node/discovery.h"

#include <algorithm>

namespace selvedge::node {

Discovery::Discovery(Core& core) : core_(core), finder_(core.authority.verifier(), core.config.hint_sources) {}

void Discovery::restore(Turn& turn) {
  const Bytes* bytes = core_.find_record(Record::kAnnounce, core_.self());
  if (bytes == nullptr) return;
  Result<Announced> announced = codec::decode<Announced>(*bytes);
  if (!announced.ok()) return;
  announced_ = std::move(announced).value();
  tell_at_ = turn.now;
}

// ---- finding

void Discovery::find(Turn& turn, const NodeKey& node, OnFound then) {
  mesh::Finder::Out effects;
  const Result<uint64_t> id = finder_.start(turn.now, node, effects);
  if (!id.ok()) return then(turn, id.error());
  finds_[*id] = [node, then](Turn& t, Result<FindAnswer> found) {
    if (found.ok()) found->node = node;
    then(t, std::move(found));
  };
  route(turn, effects);
}

void Discovery::on_unreachable(Turn& turn, const NodeKey& peer) {
  if (finder_.sources().empty()) return;
  if (looked_.size() >= mesh::kPeersMax) std::erase_if(looked_, [&](const auto& each) { return each.second + kLookAgain <= turn.now; });
  const auto before = looked_.find(peer);
  if ((before != looked_.end() && before->second + kLookAgain > turn.now) || looked_.size() >= mesh::kPeersMax) return;
  looked_[peer] = turn.now;
  find(turn, peer, [this, peer](Turn& t, Result<FindAnswer> found) {
    if (!found.ok()) return core_.trace(t, "looked for " + peer.brief() + ": " + found.error().message);
    const mesh::Peer* wanted = core_.sessions.find(peer);
    if (wanted == nullptr || wanted->wanted_until <= t.now || core_.sessions.up(peer)) return;
    core_.want_peer(t, peer, found->addresses, wanted->wanted_until);
  });
}

void Discovery::route(Turn& turn, mesh::Finder::Out& effects) {
  for (mesh::FinderEffect& effect : effects.take()) {
    if (const auto* ask = std::get_if<mesh::AskHints>(&effect)) {
      const uint64_t token = ++last_token_;
      asked_[token] = {ask->find, ask->source};
      turn.out.push(AskHintSource{token, finder_.sources()[ask->source], ask->node});
      continue;
    }
    mesh::Found& found = std::get<mesh::Found>(effect);
    const auto it = finds_.find(found.find);
    if (it == finds_.end()) continue;
    const OnFound then = std::move(it->second);
    finds_.erase(it);
    if (!found.hints.ok()) {
      then(turn, found.hints.error());
      continue;
    }
    FindAnswer answer{{}, found.hints->addresses, found.hints->expires, {}};
    for (const mesh::SourceSaid& each : found.asked) answer.asked.push_back({each.source, each.said});
    then(turn, std::move(answer));
  }
}

void Discovery::on_hints(Turn& turn, uint64_t token, const Result<Bytes>& payload) {
  const auto it = asked_.find(token);
  if (it == asked_.end()) return;
  const Asked asked = it->second;
  asked_.erase(it);
  mesh::Finder::Out effects;
  finder_.on_answer(turn.now, asked.find, asked.source, payload, effects);
  route(turn, effects);
}

// ---- being found

std::vector<std::string> Discovery::addresses(bool own) const {
  std::vector<std::string> out = relay_addresses();
  if (own) out.insert(out.begin(), core_.config.addresses.begin(), core_.config.addresses.end());
  std::erase_if(out, [](const std::string& each) { return each.starts_with("0.0.0.0:") || each.starts_with("[::]:"); });
  if (out.size() > codec::kHintAddressesMax) out.resize(codec::kHintAddressesMax);
  return out;
}

void Discovery::announce(Turn& turn, const AnnounceRequest& request, std::function<void(Turn&, Result<AnnounceAnswer>)> then) {
  if (request.to.size() > mesh::kHintSourcesMax) return then(turn, fail(Errc::kInvalid, "name at most 8 relays"));
  for (const std::string& text : request.to) {
    const Result<mesh::HintSource> relay = mesh::parse_hint_source(text);
    if (!relay.ok()) return then(turn, relay.error());
    if (relay->kind == mesh::HintSource::Kind::kDns) return then(turn, fail(Errc::kInvalid, "a node writes to no DNS server: put the TXT record that this prints into the zone file, and name PKARR relays or the DHT here"));
  }
  const std::optional<Announced> before = std::exchange(announced_, Announced{request.to, request.own_addresses});
  const Status told = tell(turn);
  if (!told.ok()) {
    announced_ = before;
    return then(turn, told.error());
  }
  core_.put_record(turn, Record::kAnnounce, core_.self(), codec::encode(*announced_), [](Turn&, const Status&) {});
  waiting_.push_back(std::move(then));
  settle(turn);
}

void Discovery::on_addresses(Turn& turn) {
  if (announced_) tell_at_ = turn.now;
}

Status Discovery::tell(Turn& turn) {
  // Who is on the same network sees where this machine is anyway.
  const bool lan = std::any_of(announced_->to.begin(), announced_->to.end(), [](const std::string& each) { return each == "lan"; });
  const bool elsewhere = announced_->to.empty() || announced_->to.size() > (lan ? 1 : 0);
  const std::vector<std::string> where = addresses(announced_->own_addresses || !elsewhere);
  tell_at_ = turn.now + kAnnounceRetry;
  if (where.empty()) return fail(Errc::kUnavailable, "there is nothing to tell: this node uses no relay (selvedge relay use TICKET), and its own addresses stay unsaid (--addresses)");
  const uint64_t expires = turn.now.unix_seconds() + kAnnounceHoldsSeconds;
  const uint64_t micros = std::max(uint64_t(turn.now.ns) / 1000, packet_ ? packet_->micros + 1 : 0);
  packet_ = TRY(codec::sign_node_hints(*core_.config.node, micros, {expires, where}, kAnnounceTtlSeconds));
  const codec::PkarrPacket here = lan ? TRY(codec::sign_node_hints(*core_.config.node, micros, {expires, addresses(true)}, kAnnounceTtlSeconds)) : *packet_;
  packet_addresses_ = where;
  packet_expires_ = expires;
  tell_at_ = turn.now + kAnnounceEvery;
  if (!lan) stop_lan(turn);
  told_.clear();
  telling_.clear();
  for (const std::string& text : announced_->to) {
    const uint64_t token = ++last_token_;
    telling_[token] = told_.size();
    told_.push_back({TRY(mesh::parse_hint_source(text)), ""});
    const bool to_lan = told_.back().relay.kind == mesh::HintSource::Kind::kLan;
    turn.out.push(TellHintSource{token, told_.back().relay, core_.self(), to_lan ? here.payload() : packet_->payload()});
  }
  return ok();
}

void Discovery::on_told(Turn& turn, uint64_t token, const Status& status) {
  const auto it = telling_.find(token);
  if (it == telling_.end()) return;
  told_[it->second].said = status.ok() ? kKeepsIt : status.error().message;
  telling_.erase(it);
  if (!status.ok()) tell_at_ = std::min(tell_at_, turn.now + kAnnounceRetry);
  settle(turn);
}

void Discovery::settle(Turn& turn) {
  if (!telling_.empty()) return;
  for (auto& then : std::exchange(waiting_, {})) then(turn, show());
}

AnnounceAnswer Discovery::show() const {
  AnnounceAnswer out;
  out.on = announced_.has_value();
  if (!announced_) return out;
  out.own_addresses = announced_->own_addresses;
  out.addresses = packet_addresses_;
  out.expires = packet_expires_;
  for (const Told& each : told_) out.to.push_back({each.relay.text(), each.said.empty() ? "no answer yet" : each.said});
  out.name = codec::hints_name(core_.self());
  if (packet_) out.texts = codec::pkarr_texts(packet_->payload());
  return out;
}

void Discovery::stop_lan(Turn& turn) {
  for (const Told& each : told_) {
    if (each.relay.kind == mesh::HintSource::Kind::kLan) turn.out.push(TellHintSource{++last_token_, each.relay, core_.self(), {}});
  }
}

AnnounceAnswer Discovery::off(Turn& turn) {
  stop_lan(turn);
  announced_.reset();
  packet_.reset();
  told_.clear();
  telling_.clear();
  tell_at_ = Instant::never();
  core_.erase_record(turn, Record::kAnnounce, core_.self(), [](Turn&, const Status&) {});
  settle(turn);
  return show();
}

void Discovery::on_deadline(Turn& turn) {
  mesh::Finder::Out effects;
  finder_.on_deadline(turn.now, effects);
  route(turn, effects);
  if (tell_at_ > turn.now || !announced_) return;
  const Status told = tell(turn);
  if (!told.ok()) core_.trace(turn, "could not say where this node is: " + told.error().message);
}

Instant Discovery::next_deadline() const { return std::min(finder_.next_deadline(), tell_at_); }

}  // namespace selvedge::node
