#include "mesh/finder.h"

#include <algorithm>

#include "codec/multibase.h"

namespace selvedge::mesh {

namespace {
constexpr std::string_view kPkarrScheme = "pkarr:", kDnsScheme = "dns:", kLan = "lan", kDht = "dht";
constexpr size_t kSourceTextMax = 512;

uint64_t unix_micros(Instant at) { return uint64_t(at.ns) / 1000; }
}  // namespace

std::string HintSource::text() const {
  if (kind == Kind::kLan) return std::string(kLan);
  if (kind == Kind::kDht) return std::string(kDht) + (at.empty() ? "" : ":" + at);
  if (kind == Kind::kPkarr) return std::string(kPkarrScheme) + at;
  return std::string(kDnsScheme) + at + (server.empty() ? "" : "@" + server);
}

Result<HintSource> parse_hint_source(const std::string& text) {
  const auto wrong = [&](const char* why) { return fail(Errc::kInvalid, "\"" + text.substr(0, 100) + "\" is no source of hints: " + why + " (pkarr:https://RELAY, lan, dht, dht:HOST:PORT, dns:SUFFIX, dns:SUFFIX@SERVER:PORT)"); };
  if (text.size() > kSourceTextMax || std::any_of(text.begin(), text.end(), [](char c) { return c <= ' ' || c == 0x7F; })) return wrong("it is too long, or holds spaces");
  HintSource source;
  if (text == kLan) {
    source.kind = HintSource::Kind::kLan;
    return source;
  }
  if (text == kDht || text.starts_with(std::string(kDht) + ":")) {
    source.kind = HintSource::Kind::kDht;
    source.at = text.substr(std::min(text.size(), kDht.size() + 1));
    const size_t colon = source.at.rfind(':');
    if (text != kDht && (colon == std::string::npos || colon == 0 || colon + 1 == source.at.size() || source.at.find(',') != std::string::npos)) return wrong("a node of the DHT is HOST:PORT");
    return source;
  }
  if (text.starts_with(kPkarrScheme)) {
    source.at = text.substr(kPkarrScheme.size());
    if (!source.at.starts_with("http://") && !source.at.starts_with("https://")) return wrong("a relay is named by an http or https address");
    while (source.at.ends_with('/')) source.at.pop_back();
    return source;
  }
  if (!text.starts_with(kDnsScheme)) return wrong("it begins with neither pkarr:, dht nor dns:, nor is it lan");
  source.kind = HintSource::Kind::kDns;
  source.at = text.substr(kDnsScheme.size());
  if (const size_t at = source.at.find('@'); at != std::string::npos) {
    source.server = source.at.substr(at + 1);
    source.at.resize(at);
    if (source.server.empty()) return wrong("the server after @ is missing");
  }
  while (source.at.ends_with('.')) source.at.pop_back();
  if (source.at.empty() || source.at.size() > 180) return wrong("a suffix has 1 to 180 characters");
  return source;
}

Result<uint64_t> Finder::start(Instant now, const NodeKey& node, Out& out) {
  if (sources_.empty()) return fail(Errc::kUnavailable, "this node asks nobody where others are: give it a ticket, or start it with a source (selvedge up --find lan, --find pkarr:https://RELAY, --find dns:SUFFIX)");
  if (finds_.size() >= kFindsMax) return fail(Errc::kLimit, "too many nodes are being looked for; try again shortly");
  const uint64_t id = ++last_id_;
  Find& find = finds_[id];
  find.node = node;
  find.sources.resize(sources_.size());
  find.names = !any(false);
  ask(now, id, find, out);
  return id;
}

bool Finder::any(bool names) const {
  return std::any_of(sources_.begin(), sources_.end(), [&](const HintSource& each) { return (each.kind == HintSource::Kind::kDns) == names; });
}

void Finder::ask(Instant now, uint64_t id, Find& find, Out& out) {
  find.until = now + kSourcePatience;
  for (size_t i = 0; i < sources_.size(); ++i) {
    if ((sources_[i].kind == HintSource::Kind::kDns) != find.names) continue;
    if (sources_[i].kind == HintSource::Kind::kDht) find.until = now + kDhtPatience;
    find.sources[i].asked = true;
    out.push(AskHints{id, i, find.node});
  }
}

Result<Finder::Seen> Finder::checked(Instant now, const NodeKey& node, ByteView payload) const {
  const codec::PkarrPacket packet = TRY(codec::open_pkarr(node, payload, verifier_));
  Seen seen{packet.micros, TRY(codec::node_hints(packet))};
  if (seen.hints.expires <= now.unix_seconds()) return fail(Errc::kExpired, "what it has is expired");
  if (seen.micros > unix_micros(now + kHintFutureMax)) return fail(Errc::kInvalid, "what it has claims to be from the future");
  const auto known = known_.find(node);
  if (known != known_.end() && seen.micros < known->second.micros) return fail(Errc::kExpired, "what it has is older than what was seen before");
  return seen;
}

void Finder::remember(const NodeKey& node, Seen seen) {
  if (known_.size() >= kHintsKnownMax && !known_.contains(node)) {
    // The one said to end first is the least worth.
    known_.erase(std::min_element(known_.begin(), known_.end(), [](const auto& a, const auto& b) { return a.second.hints.expires < b.second.hints.expires; }));
  }
  known_[node] = std::move(seen);
}

void Finder::on_answer(Instant now, uint64_t id, size_t source, const Result<Bytes>& payload, Out& out) {
  const auto it = finds_.find(id);
  if (it == finds_.end() || source >= it->second.sources.size()) return;
  Find& find = it->second;
  Asked& asked = find.sources[source];
  if (!asked.asked || !asked.said.empty()) return;
  Result<Seen> seen = payload.ok() ? checked(now, find.node, *payload) : Result<Seen>(payload.error());
  asked.said = seen.ok() ? "knows it" : seen.error().message;
  if (seen.ok()) {
    remember(find.node, std::move(seen).value());
    if (!find.found) find.until = std::min(find.until, now + kNewerAnswerWait);
    find.found = true;
  }
  settle(now, id, out);
}

bool Finder::waiting(const Find& find) const {
  return std::any_of(find.sources.begin(), find.sources.end(), [](const Asked& each) { return each.asked && each.said.empty(); });
}

void Finder::settle(Instant now, uint64_t id, Out& out) {
  Find& find = finds_.at(id);
  if (waiting(find) && find.until > now) return;
  if (find.found || find.names || !any(true)) return finish(now, id, out);
  for (Asked& each : find.sources) {
    if (each.asked && each.said.empty()) each.said = "no answer";
  }
  find.names = true;
  ask(now, id, find, out);
}

void Finder::finish(Instant now, uint64_t id, Out& out) {
  Find find = std::move(finds_.at(id));
  finds_.erase(id);
  Found found{id, fail(Errc::kNotFound, ""), {}};
  std::string why;
  for (size_t i = 0; i < sources_.size(); ++i) {
    const Asked& each = find.sources[i];
    if (!each.asked) continue;
    found.asked.push_back({sources_[i].text(), each.said.empty() ? "no answer" : each.said});
    why += "; " + sources_[i].text() + ": " + found.asked.back().said;
  }
  // What was seen before still holds for as long as it says.
  const auto known = known_.find(find.node);
  if (known != known_.end() && known->second.hints.expires > now.unix_seconds()) found.hints = known->second.hints;
  else found.hints = fail(Errc::kNotFound, "nothing leads to " + codec::key_text(find.node) + why + ". Ask its owner for a ticket (selvedge ticket)");
  out.push(std::move(found));
}

void Finder::on_deadline(Instant now, Out& out) {
  std::vector<uint64_t> due;
  for (const auto& [id, find] : finds_) {
    if (find.until <= now) due.push_back(id);
  }
  for (const uint64_t id : due) settle(now, id, out);
}

Instant Finder::next_deadline() const {
  Instant soonest = Instant::never();
  for (const auto& [id, find] : finds_) soonest = std::min(soonest, find.until);
  return soonest;
}

}  // namespace selvedge::mesh
