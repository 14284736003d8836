#include "node/states.h"

#include <algorithm>

#include "crypto/hash.h"
#include "object/sealed.h"

namespace selvedge::node {

namespace {

constexpr uint64_t kDay = 24 * 3600;
constexpr Duration kDialEvery = seconds(1800), kDialFor = seconds(3600);
const auto kNothing = [](Turn&, const Status&) {};

}  // namespace

store::RecordId States::value_id(const crypto::PublicKey& service, const StateSlot& slot) {
  return convert<store::RecordId>(crypto::Sha256().update(service).update(slot).finish());
}

std::optional<crypto::PublicKey> States::owner_of(const NodeKey& node) const {
  if (node == core_.self()) return core_.owner();
  const mesh::Peer* peer = core_.sessions.find(node);
  if (peer == nullptr || !peer->record) return std::nullopt;
  return peer->record->body.owner;
}

bool States::of_origin(const NodeKey& node, const crypto::PublicKey& origin) const { return owner_of(node) == origin; }

void States::restore(Turn& turn) {
  for (const store::RecordRef& record : core_.records(Record::kStateHead)) {
    const Result<StateHead> head = codec::decode<StateHead>(*record.value);
    if (!head.ok() || copies_.size() >= kStateCopiesMax) continue;
    Copy& copy = copies_[convert<crypto::PublicKey>(record.id)];
    copy.head = *head;
    copy.durable = head->seq;
  }
  for (const store::RecordRef& record : core_.records(Record::kStateValue)) {
    const Result<StateValue> value = codec::decode<StateValue>(*record.value);
    const auto copy = value.ok() ? copies_.find(value->service) : copies_.end();
    if (copy == copies_.end()) {
      core_.erase_record(turn, Record::kStateValue, record.id, kNothing);
      continue;
    }
    copy->second.slots[value->entry.slot] = uint32_t(value->entry.sealed.size());
    copy->second.bytes += value->entry.sealed.size();
  }
}

// ---- the disk

bool States::room_for(const Copy& copy, const std::vector<StateEntry>& entries) const {
  uint64_t bytes = 0;
  size_t slots = 0;
  for (const auto& [service, each] : copies_) bytes += each.bytes, slots += each.slots.size();
  for (const StateEntry& entry : entries) {
    if (entry.sealed.empty() || copy.slots.contains(entry.slot)) continue;
    slots += 1;
    bytes += entry.sealed.size();
  }
  return bytes <= kStateCopyBytesMax && slots <= kStateCopySlotsMax;
}

bool States::write(Turn& turn, const crypto::PublicKey& service, const std::vector<StateEntry>& entries, Core::OnStatus then) {
  Copy& copy = copies_.at(service);
  if (!room_for(copy, entries)) {
    give_up(turn, service, "this machine has no room for it");
    return false;
  }
  Outbox<store::Effect> disk;
  const uint64_t cookie = core_.expect_stored(std::move(then));
  Status good = ok();
  core_.store.begin_batch();
  for (const StateEntry& entry : entries) {
    const auto before = copy.slots.find(entry.slot);
    if (before != copy.slots.end()) copy.bytes -= before->second, copy.slots.erase(before);
    const store::RecordId id = value_id(service, entry.slot);
    const uint64_t nobody = core_.expect_stored(kNothing);
    const auto kind = store::RecordKind(Record::kStateValue);
    const auto done = entry.sealed.empty() ? core_.store.erase_record(kind, id, nobody, disk) : core_.store.put_record(kind, id, codec::encode(StateValue{service, entry}), nobody, disk);
    if (!done.ok() || *done == store::Accepted::kDurable) core_.forget_stored(nobody);
    if (!done.ok()) good = done.error();
    else if (!entry.sealed.empty()) copy.slots[entry.slot] = uint32_t(entry.sealed.size()), copy.bytes += entry.sealed.size();
  }
  const auto head = core_.store.put_record(store::RecordKind(Record::kStateHead), convert<store::RecordId>(service), codec::encode(copy.head), cookie, disk);
  if (!head.ok()) good = head.error();
  core_.store.end_batch(disk);
  core_.route_disk(turn, disk);
  if (!good.ok()) {
    core_.forget_stored(cookie);
    give_up(turn, service, good.error().message);
    return false;
  }
  if (*head == store::Accepted::kDurable) core_.settle_now(turn, cookie, ok());
  return true;
}

// What is on disk may be less than what was promised: others have what was kept.
void States::give_up(Turn& turn, const crypto::PublicKey& service, const std::string& why) {
  core_.trace(turn, "ALERT: the copy of a service's state is given up: " + why);
  drop(turn, service, kNothing);
}

void States::drop(Turn& turn, const crypto::PublicKey& service, Core::OnStatus then) {
  end_lead(turn, service, "the state is not here any more");
  const auto it = copies_.find(service);
  if (it == copies_.end()) return then(turn, ok());
  const Copy gone = std::move(it->second);
  copies_.erase(it);
  Outbox<store::Effect> disk;
  const uint64_t cookie = core_.expect_stored(std::move(then));
  core_.store.begin_batch();
  for (const auto& [slot, bytes] : gone.slots) {
    const uint64_t nobody = core_.expect_stored(kNothing);
    const auto erased = core_.store.erase_record(store::RecordKind(Record::kStateValue), value_id(service, slot), nobody, disk);
    if (!erased.ok() || *erased == store::Accepted::kDurable) core_.forget_stored(nobody);
  }
  const auto erased = core_.store.erase_record(store::RecordKind(Record::kStateHead), convert<store::RecordId>(service), cookie, disk);
  core_.store.end_batch(disk);
  core_.route_disk(turn, disk);
  if (!erased.ok()) core_.settle_now(turn, cookie, erased.error());
  else if (*erased == store::Accepted::kDurable) core_.settle_now(turn, cookie, ok());
  on_lead_changed(turn, service);
}

void States::drop_of(Turn& turn, const crypto::PublicKey& origin) {
  std::vector<crypto::PublicKey> over;
  for (const auto& [service, copy] : copies_) {
    if (copy.head.origin == origin && origin != core_.owner()) over.push_back(service);
  }
  for (const crypto::PublicKey& service : over) drop(turn, service, kNothing);
}

// ---- telling how far it is

std::optional<StateReady> States::ready(const crypto::PublicKey& service) const {
  const auto it = copies_.find(service);
  if (it == copies_.end()) return std::nullopt;
  const Copy& copy = it->second;
  return StateReady{service, copy.head.promised, copy.head.term, copy.head.seq, copy.lead != nullptr ? copy.lead->term : 0, copy.behind, copy.bytes, copy.slots.size()};
}

void States::tell(Turn& turn, const crypto::PublicKey& service, const NodeKey& to) {
  if (const auto now = ready(service)) core_.send(turn, to, StateMessages::encode(*now));
}

void States::tell_origin(Turn& turn, const crypto::PublicKey& service) {
  const crypto::PublicKey origin = copies_.at(service).head.origin;
  if (origin == core_.owner()) tell(turn, service, core_.self());
  for (const auto& [key, peer] : core_.sessions.peers()) {
    if (core_.sessions.up(key) && peer.record && peer.record->body.owner == origin) tell(turn, service, key);
  }
}

void States::on_peer_up(Turn& turn, const NodeKey& peer) {
  for (auto& [service, copy] : copies_) {
    if (of_origin(peer, copy.head.origin)) {
      tell(turn, service, peer);
      if (copy.head.seen + kDay < turn.now.unix_seconds()) {
        copy.head.seen = turn.now.unix_seconds();
        core_.put_record(turn, Record::kStateHead, service, codec::encode(copy.head), kNothing);
      }
    }
    // What was under way to it when the last session ended may not have come.
    if (copy.lead != nullptr && copy.lead->quorum.holds(peer)) resend(turn, copy, peer, copy.lead->quorum.of(peer));
  }
}

// ---- as a holder

void States::on_message(Turn& turn, const NodeKey& from, const StateMessages::Message& message) {
  if (!owner_of(from)) return;
  if (const auto* prepare = std::get_if<StatePrepare>(&message)) on_prepare(turn, from, *prepare);
  else if (const auto* part = std::get_if<StatePart>(&message)) on_part(turn, from, *part);
  else if (const auto* lead = std::get_if<StateLead>(&message)) on_lead(turn, from, *lead);
  else if (const auto* batch = std::get_if<StateBatch>(&message)) on_batch(turn, from, *batch);
  else if (const auto* stored = std::get_if<StateStored>(&message)) on_stored(turn, from, *stored);
  if (const auto* pull = std::get_if<StatePull>(&message)) {
    const auto it = copies_.find(pull->service);
    if (it != copies_.end() && of_origin(from, it->second.head.origin)) send_copy(turn, pull->service, from, it->second.head.promised);
  } else if (const auto* dropping = std::get_if<StateDrop>(&message)) {
    const auto it = copies_.find(dropping->service);
    if (it != copies_.end() && !of_origin(from, it->second.head.origin)) return;
    drop(turn, dropping->service, [this, from, service = dropping->service](Turn& t, const Status& done) {
      if (done.ok()) core_.send(t, from, StateMessages::encode(StateDropped{service}));
    });
  }
}

void States::on_prepare(Turn& turn, const NodeKey& from, const StatePrepare& prepare) {
  auto it = copies_.find(prepare.service);
  const crypto::PublicKey origin = *owner_of(from);
  if (it != copies_.end() && it->second.head.origin != origin) return;
  if (it == copies_.end()) {
    if ((from != core_.self() && !welcome(prepare.service, origin)) || copies_.size() >= kStateCopiesMax) return;
    it = copies_.try_emplace(prepare.service).first;
    it->second.head.origin = origin;
  }
  StateHead& head = it->second.head;
  if (prepare.term > head.promised) {
    head.promised = prepare.term;
    head.seen = turn.now.unix_seconds();
    it->second.coming.reset();
    it->second.expected.reset();
    end_lead(turn, prepare.service, "another machine is to take over");
  }
  // The disk keeps order: what it answers now was promised and written by then.
  (void)write(turn, prepare.service, {}, [this, from, service = prepare.service](Turn& t, const Status& kept) {
    if (kept.ok()) tell(t, service, from);
  });
}

void States::expect(const crypto::PublicKey& service, const NodeKey& from) {
  const auto it = copies_.find(service);
  if (it != copies_.end()) it->second.expected = from;
}

void States::send_copy(Turn& turn, const crypto::PublicKey& service, const NodeKey& to, uint64_t promised) {
  const auto it = copies_.find(service);
  if (it == copies_.end()) return;
  StatePart part{service, promised, it->second.head.term, it->second.head.seq, 0, false, {}};
  size_t bytes = 0;
  for (const auto& [slot, size] : it->second.slots) {
    const Bytes* record = core_.find_record(Record::kStateValue, value_id(service, slot));
    Result<StateValue> value = record != nullptr ? codec::decode<StateValue>(*record) : fail(Errc::kInternal, "it is not there");
    if (!value.ok()) return give_up(turn, service, "a value of it cannot be read");
    if (bytes + size > kStatePartBytes) {
      core_.send(turn, to, StateMessages::encode(part));
      part.entries.clear();
      part.number += 1;
      bytes = 0;
    }
    bytes += size;
    part.entries.push_back(std::move(value->entry));
  }
  part.last = true;
  core_.send(turn, to, StateMessages::encode(part));
}

void States::on_part(Turn& turn, const NodeKey& from, const StatePart& part) {
  const auto it = copies_.find(part.service);
  if (it == copies_.end() || part.promised != it->second.head.promised) return;
  Copy& copy = it->second;
  const bool pulled = copy.expected == from;
  if (!pulled && (from == core_.self() || !of_origin(from, copy.head.origin))) return;
  if (part.number == 0) copy.coming = Coming{part.term, part.seq, 0, 0, {}};
  if (!copy.coming || copy.coming->next != part.number || copy.coming->term != part.term || copy.coming->seq != part.seq) return copy.coming.reset();
  Coming& coming = *copy.coming;
  coming.next += 1;
  for (const StateEntry& entry : part.entries) {
    coming.bytes += entry.sealed.size();
    if (entry.sealed.empty() || entry.sealed.size() > 2 * wasi::kStateValueMax) return copy.coming.reset();
    coming.entries.push_back(entry);
  }
  if (coming.bytes > 2 * wasi::kStateBytesMax || coming.entries.size() > wasi::kStateKeysMax) return copy.coming.reset();
  if (part.last) install(turn, part.service, pulled ? core_.self() : from);
}

void States::install(Turn& turn, const crypto::PublicKey& service, const NodeKey& told) {
  Copy& copy = copies_.at(service);
  Coming coming = std::move(*copy.coming);
  copy.coming.reset();
  copy.expected.reset();
  copy.behind = false;
  copy.head.term = coming.term;
  copy.head.seq = coming.seq;
  copy.head.follows = 0;
  std::map<StateSlot, bool> stays;
  for (const StateEntry& entry : coming.entries) stays[entry.slot] = true;
  for (const auto& [slot, bytes] : copy.slots) {
    if (!stays.contains(slot)) coming.entries.push_back({slot, {}});
  }
  (void)write(turn, service, coming.entries, [this, service, told, seq = coming.seq](Turn& t, const Status& kept) {
    const auto it = copies_.find(service);
    if (it == copies_.end()) return;
    if (!kept.ok()) return give_up(t, service, kept.error().message);
    it->second.durable = seq;
    tell(t, service, told);
  });
}

void States::make_empty(Turn& turn, const crypto::PublicKey& service, uint64_t term, Core::OnStatus then) {
  Copy& copy = copies_[service];
  copy.head.origin = core_.owner();
  copy.head.promised = std::max(copy.head.promised, term);
  copy.head.term = term;
  copy.head.seq = copy.durable = 0;
  copy.head.follows = 0;
  copy.behind = false;
  std::vector<StateEntry> entries;
  for (const auto& [slot, bytes] : copy.slots) entries.push_back({slot, {}});
  (void)write(turn, service, entries, std::move(then));
}

void States::on_batch(Turn& turn, const NodeKey& from, const StateBatch& batch) {
  const auto it = copies_.find(batch.service);
  if (it == copies_.end()) return;
  Copy& copy = it->second;
  StateHead& head = copy.head;
  if (batch.term != head.follows || batch.term != head.promised || from != head.writer || copy.behind) {
    core_.send(turn, from, StateMessages::encode(StateStored{batch.service, batch.term, copy.durable, batch.sent, false}));
    return;
  }
  const auto stored = [this, from, service = batch.service, term = batch.term, sent = batch.sent](Turn& t, uint64_t seq) {
    core_.send(t, from, StateMessages::encode(StateStored{service, term, seq, sent, true}));
  };
  const bool next = !batch.entries.empty() && batch.seq == head.seq + 1 && batch.before == head.term;
  if (!next && batch.seq <= head.seq) return stored(turn, copy.durable);
  if (!next) {
    copy.behind = true;
    return tell_origin(turn, batch.service);
  }
  head.term = batch.term;
  head.seq = batch.seq;
  (void)write(turn, batch.service, batch.entries, [this, service = batch.service, seq = batch.seq, stored](Turn& t, const Status& kept) {
    const auto mine = copies_.find(service);
    if (mine == copies_.end()) return;
    if (!kept.ok()) return give_up(t, service, kept.error().message);
    mine->second.durable = std::max(mine->second.durable, seq);
    stored(t, seq);
  });
}

void States::on_lead(Turn& turn, const NodeKey& from, const StateLead& lead) {
  const auto it = copies_.find(lead.service);
  if (it == copies_.end() || !of_origin(from, it->second.head.origin)) return;
  StateHead& head = it->second.head;
  const bool ready = lead.term == head.promised && lead.from_term == head.term && lead.from_seq == head.seq && !it->second.behind && head.follows != lead.term;
  if (!ready) return tell(turn, lead.service, from);
  head.follows = lead.term;
  head.writer = lead.writer;
  (void)write(turn, lead.service, {}, [this, lead](Turn& t, const Status& kept) {
    if (kept.ok() && lead.writer == core_.self()) begin_lead(t, lead);
  });
}

// ---- as the writer

void States::begin_lead(Turn& turn, const StateLead& asked) {
  const auto it = copies_.find(asked.service);
  if (it == copies_.end() || it->second.head.promised != asked.term || it->second.head.seq != asked.from_seq) return;
  Copy& copy = it->second;
  Result<Bytes> key = object::open_sealed(*core_.config.seal, asked.key, asked.service);
  if (!key.ok()) return core_.trace(turn, "the key of a service's state is not for this machine: " + key.error().message);
  std::vector<NodeKey> holders;
  for (const object::Holder& each : asked.holders) holders.push_back(each.node);
  auto lead = std::make_unique<Lead>(asked.term, StateSeal(asked.service, *key), work::StateQuorum(holders, core_.self(), copy.head.seq));
  crypto::wipe(*key);
  for (const auto& [slot, bytes] : copy.slots) {
    const Bytes* record = core_.find_record(Record::kStateValue, value_id(asked.service, slot));
    const Result<StateValue> value = record != nullptr ? codec::decode<StateValue>(*record) : fail(Errc::kInternal, "it is not there");
    auto opened = value.ok() ? lead->seal.open(slot, value->entry.sealed) : Result<std::pair<std::string, Bytes>>(value.error());
    if (!opened.ok()) return give_up(turn, asked.service, opened.error().message);
    lead->values->apply({{std::move(opened->first), std::move(opened->second)}});
  }
  lead->holders = asked.holders;
  lead->beat_at = lead->dial_at = turn.now;
  copy.lead = std::move(lead);
  beat(turn, asked.service, copy);
  tell_origin(turn, asked.service);
  on_lead_changed(turn, asked.service);
}

uint64_t States::leads(const crypto::PublicKey& service) const {
  const auto it = copies_.find(service);
  return it == copies_.end() || it->second.lead == nullptr ? 0 : it->second.lead->term;
}

bool States::serves(Instant now, const crypto::PublicKey& service) const {
  const auto it = copies_.find(service);
  return it != copies_.end() && it->second.lead != nullptr && now < it->second.lead->quorum.lease();
}

std::shared_ptr<const wasi::StateView> States::view(const crypto::PublicKey& service) const {
  const auto it = copies_.find(service);
  return it == copies_.end() || it->second.lead == nullptr ? nullptr : it->second.lead->values;
}

void States::commit(Turn& turn, const crypto::PublicKey& service, const std::vector<wasi::StateWrite>& writes, Core::OnStatus then) {
  const auto it = copies_.find(service);
  if (it == copies_.end() || it->second.lead == nullptr) return then(turn, fail(Errc::kUnavailable, "another machine is to take over"));
  Copy& copy = it->second;
  Lead& lead = *copy.lead;
  if (const Status good = lead.values->check(writes); !good.ok()) return then(turn, good);
  lead.waiting.push_back({copy.head.seq + (writes.empty() ? 0 : 1), turn.now + kStateKeepMax, std::move(then)});
  if (writes.empty()) return settle(turn, service);
  StateBatch batch{service, lead.term, copy.head.term, copy.head.seq + 1, uint64_t(turn.now.ns), {}};
  for (const wasi::StateWrite& write : writes) {
    const uint32_t index = uint32_t(batch.entries.size());
    batch.entries.push_back({lead.seal.slot_of(write.key), write.value ? lead.seal.seal(lead.term, batch.seq, index, write.key, *write.value) : Bytes()});
  }
  lead.values->apply(writes);
  copy.head.term = lead.term;
  copy.head.seq = batch.seq;
  Bytes message = StateMessages::encode(batch);
  for (const object::Holder& holder : lead.holders) {
    if (holder.node != core_.self()) core_.send(turn, holder.node, Bytes(message));
  }
  lead.window_bytes += message.size();
  lead.window.push_back({batch.seq, std::move(message)});
  lead.beat_at = turn.now + work::kStateBeat;   // the batch asks as well
  (void)write(turn, service, batch.entries, [this, service, seq = batch.seq](Turn& t, const Status& kept) {
    const auto mine = copies_.find(service);
    if (mine == copies_.end()) return;
    if (!kept.ok()) return give_up(t, service, kept.error().message);
    mine->second.durable = std::max(mine->second.durable, seq);
    if (mine->second.lead == nullptr) return;
    mine->second.lead->quorum.stored(core_.self(), seq, t.now);
    settle(t, service);
  });
}

void States::on_stored(Turn& turn, const NodeKey& from, const StateStored& stored) {
  const auto it = copies_.find(stored.service);
  if (it == copies_.end() || it->second.lead == nullptr) return;
  Lead& lead = *it->second.lead;
  if (stored.term != lead.term || !lead.quorum.holds(from) || from == core_.self() || !stored.follows) return;
  // It cannot have what was not sent, nor have heard what is not said yet.
  if (stored.seq > it->second.head.seq || stored.sent > uint64_t(turn.now.ns)) return;
  const bool served = turn.now < lead.quorum.lease();
  lead.quorum.stored(from, stored.seq, Instant{int64_t(stored.sent)});
  settle(turn, stored.service);
  if (!served) on_lead_changed(turn, stored.service);
}

// Responses whose writes are kept go out; what everybody has is not sent again.
void States::settle(Turn& turn, const crypto::PublicKey& service) {
  std::vector<Core::OnStatus> kept;
  Lead& lead = *copies_.at(service).lead;
  while (!lead.waiting.empty() && lead.waiting.front().seq <= lead.quorum.kept() && turn.now < lead.quorum.lease()) {
    kept.push_back(std::move(lead.waiting.front().then));
    lead.waiting.pop_front();
  }
  const uint64_t slowest = lead.quorum.slowest();
  while (!lead.window.empty() && (lead.window.front().seq <= slowest || lead.window_bytes > kStateWindowBytes || lead.window.size() > kStateWindowWrites)) {
    lead.window_bytes -= lead.window.front().message.size();
    lead.window.pop_front();
  }
  for (Core::OnStatus& then : kept) then(turn, ok());
}

void States::beat(Turn& turn, const crypto::PublicKey& service, Copy& copy) {
  Lead& lead = *copy.lead;
  const bool dial = lead.dial_at <= turn.now;
  if (dial) lead.dial_at = turn.now + kDialEvery;
  lead.beat_at = turn.now + work::kStateBeat;
  const Bytes message = StateMessages::encode(StateBatch{service, lead.term, copy.head.term, copy.head.seq, uint64_t(turn.now.ns), {}});
  for (const object::Holder& holder : lead.holders) {
    if (holder.node == core_.self()) continue;
    if (dial) core_.want_peer(turn, holder.node, holder.addresses, turn.now + kDialFor);
    core_.send(turn, holder.node, Bytes(message));
  }
}

void States::resend(Turn& turn, Copy& copy, const NodeKey& to, uint64_t after) {
  for (const Sent& each : copy.lead->window) {
    if (each.seq > after) core_.send(turn, to, Bytes(each.message));
  }
}

void States::resign(Turn& turn, const crypto::PublicKey& service) {
  if (leads(service) == 0) return;
  end_lead(turn, service, "the program does not run here any more");
  tell_origin(turn, service);
}

void States::end_lead(Turn& turn, const crypto::PublicKey& service, const char* why) {
  const auto it = copies_.find(service);
  if (it == copies_.end() || it->second.lead == nullptr) return;
  const std::unique_ptr<Lead> over = std::move(it->second.lead);
  for (Waiting& each : over->waiting) each.then(turn, fail(Errc::kUnavailable, why));
  on_lead_changed(turn, service);
}

// ---- time

void States::on_deadline(Turn& turn) {
  std::vector<crypto::PublicKey> forgotten;
  std::vector<Core::OnStatus> late;
  for (auto& [service, copy] : copies_) {
    if (copy.head.origin != core_.owner() && copy.head.seen + uint64_t(kStateKept.ns / 1'000'000'000) <= turn.now.unix_seconds()) forgotten.push_back(service);
    if (copy.lead == nullptr) continue;
    if (copy.lead->beat_at <= turn.now) beat(turn, service, copy);
    while (!copy.lead->waiting.empty() && copy.lead->waiting.front().until <= turn.now) {
      late.push_back(std::move(copy.lead->waiting.front().then));
      copy.lead->waiting.pop_front();
    }
  }
  for (Core::OnStatus& then : late) then(turn, fail(Errc::kUnavailable, "too few of the machines that hold the state can be reached"));
  for (const crypto::PublicKey& service : forgotten) give_up(turn, service, "its origin has not been heard of for long");
}

Instant States::next_deadline() const {
  Instant soonest = Instant::never();
  for (const auto& [service, copy] : copies_) {
    if (copy.head.origin != core_.owner()) soonest = std::min(soonest, Instant::from_unix_seconds(copy.head.seen) + kStateKept);
    if (copy.lead == nullptr) continue;
    soonest = std::min(soonest, copy.lead->beat_at);
    if (!copy.lead->waiting.empty()) soonest = std::min(soonest, copy.lead->waiting.front().until);
  }
  return soonest;
}

}  // namespace selvedge::node
