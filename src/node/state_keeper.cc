#include "node/state_keeper.h"

#include <algorithm>

#include "crypto/hash.h"
#include "object/ingress.h"
#include "object/sealed.h"

namespace selvedge::node {

namespace {

template <class List, class Item>
bool contains(const List& list, const Item& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}
template <class Item>
void add(std::vector<Item>& to, const Item& item) {
  if (!contains(to, item)) to.push_back(item);
}
/// So many of the last term's holders have to promise that one of them has what any majority of them has.
size_t promises_needed(const StateTerm& term) { return term.active == 0 ? 0 : term.holders.size() - (term.holders.size() / 2 + 1) + 1; }

}  // namespace

void StateKeeper::restore() {
  for (const store::RecordRef& record : core_.records(Record::kStateTerm)) {
    Result<StateTerm> term = codec::decode<StateTerm>(*record.value);
    if (term.ok()) kept_[convert<crypto::PublicKey>(record.id)].term = std::move(term).value();
  }
}

void StateKeeper::keep(Turn& turn, const crypto::PublicKey& service, const StateTerm& term, Core::OnStatus then) {
  core_.put_record(turn, Record::kStateTerm, service, codec::encode(term), std::move(then));
}

StateKeeper::Service* StateKeeper::find(const crypto::PublicKey& service) {
  const auto it = kept_.find(service);
  return it == kept_.end() ? nullptr : &*it;
}

bool StateKeeper::has(const crypto::PublicKey& service) const {
  const auto it = kept_.find(service);
  return it != kept_.end() && it->second.term.removed == 0;
}

void StateKeeper::want(Turn& turn, const crypto::PublicKey& service, const std::string& name, Core::OnStatus then) {
  if (has(service)) return then(turn, ok());
  StateTerm& term = kept_[service].term;
  term.name = name;
  term.removed = 0;   // what machines still have of what was removed is of no term that holds
  keep(turn, service, term, std::move(then));
}

void StateKeeper::remove(Turn& turn, const crypto::PublicKey& service) {
  Service* each = find(service);
  if (each == nullptr || each->second.term.removed != 0) return;
  StateTerm& term = each->second.term;
  term.removed = turn.now.unix_seconds();
  term.active = 0;
  for (const NodeKey& holder : term.holders) add(term.told, holder);
  std::erase(term.told, core_.self());
  term.holders.clear();
  each->second.change.reset();
  each->second.due = Instant::never();
  keep(turn, service, term, [](Turn&, const Status&) {});
  states_.drop(turn, service, [](Turn&, const Status&) {});
  tend(turn);
}

// ---- what is seen

void StateKeeper::on_message(Turn& turn, const NodeKey& from, const StateMessages::Message& message) {
  if (const auto* ready = std::get_if<StateReady>(&message)) {
    Service* each = find(ready->service);
    // Of a service that this node does not know another device of its owner does.
    if (each == nullptr || (from != core_.self() && core_.sessions.find(from) == nullptr)) return;
    Kept& kept = each->second;
    if (from != core_.self() && !contains(kept.term.told, from) && !contains(kept.term.holders, from)) return;
    seen_[{ready->service, from}] = *ready;
    kept.promised = std::max(kept.promised, ready->promised);
    if (kept.change && ready->promised == kept.change->term) kept.change->ready[from] = *ready;
    // Somebody promised a later term than this node knows of: it was restored from an older disk.
    if (kept.change && ready->promised > kept.change->term && kept.change->phase != Phase::kBeginning) kept.change.reset(), kept.due = turn.now;
    tend(turn);
  } else if (const auto* dropped = std::get_if<StateDropped>(&message)) {
    Service* each = find(dropped->service);
    if (each == nullptr || contains(each->second.term.holders, from) || !contains(each->second.term.told, from)) return;
    each->second.dropping.erase(from);
    if (each->second.change && each->second.change->asked.contains(from)) return;   // it was asked anew since
    seen_.erase({dropped->service, from});
    std::erase(each->second.term.told, from);
    if (each->second.term.removed != 0 && each->second.term.told.empty()) {
      kept_.erase(dropped->service);
      core_.erase_record(turn, Record::kStateTerm, dropped->service, [](Turn&, const Status&) {});
    } else {
      keep(turn, dropped->service, each->second.term, [](Turn&, const Status&) {});
    }
  }
}

void StateKeeper::on_peer_down(const NodeKey& peer) {
  std::erase_if(seen_, [&](const auto& each) { return each.first.second == peer; });
  for (auto& [service, kept] : kept_) {
    kept.dropping.erase(peer);
    if (!kept.change) continue;
    kept.change->asked.erase(peer);
    kept.change->given.erase(peer);
  }
}

// ---- making it so

void StateKeeper::tend(Turn& turn) {
  std::vector<crypto::PublicKey> all;
  for (const auto& [service, kept] : kept_) all.push_back(service);
  for (const crypto::PublicKey& service : all) {
    if (Service* each = find(service)) tend(turn, *each);
  }
}

void StateKeeper::tend(Turn& turn, Service& each) {
  Kept& kept = each.second;
  if (kept.term.removed != 0 && kept.term.removed + kStateTombSeconds <= turn.now.unix_seconds()) {
    core_.erase_record(turn, Record::kStateTerm, each.first, [](Turn&, const Status&) {});
    return void(kept_.erase(each.first));
  }
  const std::vector<NodeKey> hosts = kept.term.removed != 0 ? std::vector<NodeKey>() : able(each.first);
  if (!kept.change) {
    drop_others(turn, each, hosts);
    const std::optional<Duration> pause = change_due(turn, each, hosts);
    if (!pause) kept.due = Instant::never();
    else kept.due = std::min(kept.due, turn.now + *pause);
    if (!pause || kept.due > turn.now) return;
    begin(turn, each, hosts);
  }
  if (kept.change) go_on(turn, each, hosts);
}

// What machines hold that are to hold nothing: of a service that was removed, or since another took their place.
void StateKeeper::drop_others(Turn& turn, Service& each, const std::vector<NodeKey>& hosts) {
  const StateTerm& term = each.second.term;
  if (term.removed == 0 && term.active == 0) return;
  for (const NodeKey& node : term.told) {
    if (contains(term.holders, node) || contains(hosts, node) || !core_.sessions.up(node) || !each.second.dropping.insert(node).second) continue;
    core_.send(turn, node, StateMessages::encode(StateDrop{each.first}));
  }
}

/// After how long there is to be a new term; nothing: all is as it should be, or nothing can be done.
std::optional<Duration> StateKeeper::change_due(Turn& turn, const Service& each, const std::vector<NodeKey>& hosts) const {
  const Kept& kept = each.second;
  if (hosts.empty()) return std::nullopt;
  if (kept.term.active == 0) return Duration{};
  const auto seen = [&](const NodeKey& node) -> const StateReady* {
    const auto it = seen_.find({each.first, node});
    return it == seen_.end() ? nullptr : &it->second;
  };
  if (!contains(hosts, kept.term.writer)) return kStateWriterGone;
  const StateReady* writer = seen(kept.term.writer);
  if (writer != nullptr && writer->leads != kept.term.active && turn.now >= kept.began + kStateAnswerMax) return Duration{};
  if (writer == nullptr) return kStateAnswerMax;
  const auto own = states_.ready(each.first);
  if (!own || own->behind) return Duration{};
  for (const NodeKey& host : hosts) {
    const StateReady* ready = seen(host);
    if (!contains(kept.term.holders, host) || (ready != nullptr && ready->behind)) return kStateHoldersChange;
  }
  // One that is gone for good: fewer holders need fewer to agree.
  for (const NodeKey& holder : kept.term.holders) {
    if (holder != core_.self() && !contains(hosts, holder)) return kStateWriterGone;
  }
  if (writer->leads != kept.term.active) return kStateAnswerMax;
  return std::nullopt;
}

std::vector<NodeKey> StateKeeper::reachable(const Service& each, const std::vector<NodeKey>& hosts) const {
  std::vector<NodeKey> out{core_.self()};
  for (const std::vector<NodeKey>* list : {&each.second.term.holders, &hosts}) {
    for (const NodeKey& node : *list) {
      if (core_.reachable(node)) add(out, node);
    }
  }
  return out;
}

void StateKeeper::begin(Turn& turn, Service& each, const std::vector<NodeKey>& hosts) {
  Kept& kept = each.second;
  kept.term.last = std::max(kept.term.last, kept.promised) + 1;
  for (const NodeKey& host : hosts) add(kept.term.told, host);
  kept.due = Instant::never();
  kept.change = Change{};
  kept.change->term = kept.term.last;
  kept.change->until = turn.now + kStateAnswerMax;
  keep(turn, each.first, kept.term, [this, service = each.first, number = kept.term.last](Turn& t, const Status& written) {
    Service* mine = find(service);
    if (mine == nullptr || !mine->second.change || mine->second.change->term != number || !written.ok()) return;
    mine->second.change->phase = Phase::kPreparing;
    tend(t, *mine);
  });
}

void StateKeeper::go_on(Turn& turn, Service& each, const std::vector<NodeKey>& hosts) {
  Change& change = *each.second.change;
  // Without any machine there is nobody to give it to; another term begins when there is one.
  if (hosts.empty() && change.phase != Phase::kBeginning) return each.second.change.reset();
  if (change.phase == Phase::kPreparing) prepare(turn, each, hosts);
  if (!each.second.change) return;
  if (change.phase == Phase::kPulling) {
    const auto own = states_.ready(each.first);
    if (own && own->term == change.from_term && own->seq == change.from_seq && !own->behind) change.phase = Phase::kGiving, change.until = turn.now + kStateCopyMax;
    else if (!core_.reachable(change.source) || change.until <= turn.now) return each.second.change.reset(), void(each.second.due = turn.now + kStateWriterGone);
  }
  if (change.phase == Phase::kGiving || change.phase == Phase::kResting) give(turn, each, hosts);
}

void StateKeeper::prepare(Turn& turn, Service& each, const std::vector<NodeKey>& hosts) {
  Kept& kept = each.second;
  Change& change = *kept.change;
  bool all = true;
  for (const NodeKey& node : reachable(each, hosts)) {
    if (change.asked.insert(node).second) core_.send(turn, node, StateMessages::encode(StatePrepare{each.first, change.term}));
    all = all && change.ready.contains(node);
  }
  const size_t promises = size_t(std::count_if(kept.term.holders.begin(), kept.term.holders.end(), [&](const NodeKey& node) { return change.ready.contains(node); }));
  const bool enough = change.ready.contains(core_.self()) && promises >= promises_needed(kept.term);
  if (enough && change.promised_at == Instant::never()) change.promised_at = turn.now;
  if (enough && (all || change.until <= turn.now)) choose(turn, each);
}

// The newest of the last term's copies has all that was kept. What is newer than that was answered to nobody, and stays as well.
void StateKeeper::choose(Turn& turn, Service& each) {
  Change& change = *each.second.change;
  if (each.second.term.active == 0) {
    change.phase = Phase::kPulling;   // of nobody: what there is now is empty
    change.from_term = change.term;
    change.from_seq = 0;
    change.source = core_.self();
    change.until = turn.now + kStateCopyMax;
    return states_.make_empty(turn, each.first, change.term, [this](Turn& t, const Status&) { tend(t); });
  }
  const StateReady* best = nullptr;
  for (const NodeKey& node : each.second.term.holders) {
    const auto it = change.ready.find(node);
    if (it == change.ready.end()) continue;
    const auto newer = [](const StateReady& a, const StateReady& b) { return std::pair(a.term, a.seq) > std::pair(b.term, b.seq); };
    if (best == nullptr || newer(it->second, *best)) best = &it->second, change.source = node;
  }
  change.from_term = best->term;
  change.from_seq = best->seq;
  change.phase = Phase::kPulling;
  change.until = turn.now + kStateCopyMax;
  const auto own = states_.ready(each.first);
  if (own && own->term == best->term && own->seq == best->seq && !own->behind) change.source = core_.self();
  if (change.source == core_.self()) return;
  states_.expect(each.first, change.source);
  core_.send(turn, change.source, StateMessages::encode(StatePull{each.first}));
}

void StateKeeper::give(Turn& turn, Service& each, const std::vector<NodeKey>& hosts) {
  Kept& kept = each.second;
  Change& change = *kept.change;
  std::vector<NodeKey> have;
  bool all = true;
  for (const NodeKey& host : hosts) {
    const auto it = change.ready.find(host);
    if (it == change.ready.end() || !core_.reachable(host)) continue;   // it comes with the next term
    const StateReady& ready = it->second;
    const bool same = ready.term == change.from_term && ready.seq == change.from_seq && !ready.behind;
    if (same && have.size() + 1 < kStateHoldersMax) have.push_back(host);
    all = all && same;
    if (!same && change.given.insert(host).second) states_.send_copy(turn, each.first, host, change.term);
  }
  if (!all && change.until > turn.now) return;
  if (have.empty()) return kept.change.reset(), void(kept.due = turn.now + kStateWriterGone);
  // A writer that did not promise may still believe that it is one.
  const bool steps_down = kept.term.active == 0 || change.ready.contains(kept.term.writer);
  if (!steps_down && turn.now < change.promised_at + work::kStateLeaseOver) {
    change.phase = Phase::kResting;
    return;
  }
  activate(turn, each, have);
}

void StateKeeper::activate(Turn& turn, Service& each, const std::vector<NodeKey>& holders) {
  Kept& kept = each.second;
  Change& change = *kept.change;
  change.phase = Phase::kBeginning;
  StateTerm next = kept.term;
  next.active = change.term;
  // Who has held it longer has fewer values to open, and is known to answer.
  const auto held = std::find_if(holders.begin(), holders.end(), [&](const NodeKey& node) { return contains(kept.term.holders, node); });
  if (!contains(holders, next.writer)) next.writer = held != holders.end() ? *held : holders.front();
  next.holders = holders;
  next.holders.push_back(core_.self());
  for (const NodeKey& old : kept.term.holders) {
    if (old != core_.self()) add(next.told, old);
  }
  keep(turn, each.first, next, [this, service = each.first, next, from_term = change.from_term, from_seq = change.from_seq](Turn& t, const Status& written) {
    Service* mine = find(service);
    if (mine == nullptr || mine->second.term.removed != 0 || !mine->second.change || mine->second.change->term != next.active) return;
    mine->second.change.reset();
    if (!written.ok()) return core_.trace(t, "ALERT: who holds a service's state could not be written down: " + written.error().message);
    mine->second.term = next;
    mine->second.began = t.now;
    tell_lead(t, service, next, from_term, from_seq);
    on_changed(t);
  });
}

void StateKeeper::tell_lead(Turn& turn, const crypto::PublicKey& service, const StateTerm& term, uint64_t from_term, uint64_t from_seq) {
  const std::string text = "service " + term.name + ": its state is written by " + term.writer.hex() + " from term " + std::to_string(term.active) + ", " +
                           std::to_string(term.holders.size()) + " hold it";
  core_.audit(turn, {object::AuditKind::kNode, crypto::sha256(service), text, AuditBytes::kWithin}, view(text));
  StateLead lead{service, term.active, from_term, from_seq, term.writer, {}, {}};
  for (const NodeKey& holder : term.holders) {
    object::Holder named{holder, {}};
    const mesh::Peer* peer = core_.sessions.find(holder);
    if (holder == core_.self()) named.addresses = core_.config.addresses;
    else if (peer != nullptr && !peer->addresses.empty()) named.addresses = {peer->addresses.back()};
    lead.holders.push_back(std::move(named));
  }
  if (!core_.config.zone_root) return;
  const mesh::Peer* writer = core_.sessions.find(term.writer);
  const crypto::AeadKey key = state_key(object::service_key_seed(*core_.config.zone_root, term.name));
  const auto sealed = writer != nullptr && writer->record ? object::seal_to(writer->record->body.seal_key, key.view(), service, core_.drbg)
                                                          : fail(Errc::kUnavailable, "the machine went away");
  if (!sealed.ok()) return core_.trace(turn, "the key of a service's state cannot be given to its writer: " + sealed.error().message);
  for (const NodeKey& holder : term.holders) {
    lead.key = holder == term.writer ? *sealed : Bytes();
    core_.send(turn, holder, StateMessages::encode(lead));
  }
}

Instant StateKeeper::next_deadline() const {
  Instant soonest = Instant::never();
  for (const auto& [service, kept] : kept_) {
    soonest = std::min(soonest, kept.due);
    if (!kept.change) continue;
    const Phase phase = kept.change->phase;
    if (phase == Phase::kPulling || phase == Phase::kGiving) soonest = std::min(soonest, kept.change->until);
    if (phase == Phase::kPreparing && kept.change->promised_at != Instant::never()) soonest = std::min(soonest, kept.change->until);
    if (phase == Phase::kResting) soonest = std::min(soonest, kept.change->promised_at + work::kStateLeaseOver);
  }
  return soonest;
}

// ---- telling

std::string StateKeeper::why(const crypto::PublicKey& service) const {
  const auto it = kept_.find(service);
  if (it == kept_.end() || it->second.term.removed != 0) return "";
  const Kept& kept = it->second;
  if (kept.change && kept.change->phase == Phase::kPreparing && kept.change->promised_at == Instant::never()) {
    return "its state waits for machines that hold it: " + std::to_string(promises_needed(kept.term)) + " of " + std::to_string(kept.term.holders.size()) + " are needed";
  }
  const std::vector<NodeKey> hosts = able(service);
  const bool settled = kept.term.active != 0 && !kept.change && std::all_of(hosts.begin(), hosts.end(), [&](const NodeKey& host) { return contains(kept.term.holders, host); });
  return settled ? "" : "its state is not with all of them yet";
}

Result<ServiceStateAnswer> StateKeeper::info(const crypto::PublicKey& service) const {
  const auto it = kept_.find(service);
  if (it == kept_.end() || it->second.term.removed != 0) return fail(Errc::kNotFound, "the service has no state (selvedge deploy --state)");
  const StateTerm& term = it->second.term;
  ServiceStateAnswer out;
  out.term = term.active;
  out.writer = term.writer;
  out.why = why(service);
  for (const NodeKey& node : term.holders) {
    std::optional<StateReady> ready;
    if (node == core_.self()) ready = states_.ready(service);
    else if (const auto seen = seen_.find({service, node}); seen != seen_.end()) ready = seen->second;
    out.holders.push_back({node, node == core_.self() ? "origin" : node == term.writer ? "writer" : "standby", core_.reachable(node), ready ? ready->term : 0, ready ? ready->seq : 0});
    if (!ready || ready->seq < out.sequence) continue;
    out.sequence = ready->seq;
    out.bytes = ready->bytes;
    out.keys = ready->keys;
  }
  return out;
}

}  // namespace selvedge::node
