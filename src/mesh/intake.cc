#include "mesh/intake.h"

namespace selvedge::mesh {

namespace {

TokenBucket bucket_of(const IntakeRates::Rate& rate) { return TokenBucket(rate.burst, nanoseconds(1'000'000'000 / int64_t(rate.per_second))); }
uint32_t cost_of(const Arrival& arrival) { return uint32_t(1 + arrival.bytes.size() / kIntakeTokenBytes); }

/// Rates of whoever was not heard of for long enough are full again, and need not be remembered.
template <class Key>
TokenBucket* bucket_for(std::map<Key, TokenBucket>& buckets, const Key& key, const IntakeRates::Rate& rate, Instant now) {
  const auto known = buckets.find(key);
  if (known != buckets.end()) return &known->second;
  if (buckets.size() >= kIntakeBucketsMax) std::erase_if(buckets, [&](const auto& each) { return each.second.full(now); });
  if (buckets.size() >= kIntakeBucketsMax) return nullptr;
  return &buckets.emplace(key, bucket_of(rate)).first->second;
}

}  // namespace

const char* priority_name(Priority priority) {
  switch (priority) {
    case Priority::kControl: return "control";
    case Priority::kAudit: return "audit";
    case Priority::kCapability: return "capability";
    case Priority::kResponse: return "response";
    case Priority::kRequest: return "request";
    case Priority::kEvent: return "event";
  }
  return "unknown";
}

Intake::Intake(IntakeRates rates) : rates_(rates), global_(bucket_of(rates.global)) {
  for (const IntakeRates::Rate& rate : rates.kind) kind_buckets_.push_back(bucket_of(rate));
}

void Intake::offer(Arrival arrival, Out& out) {
  const NodeKey from = arrival.from;
  const size_t priority = size_t(arrival.priority);
  Source& source = sources_[from];
  source.waiting += 1;
  source.bytes += arrival.bytes.size();
  stats_.waiting += 1;
  stats_.waiting_bytes += arrival.bytes.size();
  source.queues[priority].push_back(std::move(arrival));
  // One that sleeps stays asleep: its first message waits, and with it the later ones.
  if (source.queues[priority].size() == 1) ready_[priority].insert(from);
  const bool full = stats_.waiting > kIntakeMessagesMax || stats_.waiting_bytes > kIntakeBytesMax;
  if (!source.paused && (full || source.waiting >= kIntakeSourceMessagesMax || source.bytes >= kIntakeSourceBytesMax)) {
    source.paused = true;
    ++stats_.pauses;
    out.push(PauseSource{from});
  }
  while (stats_.waiting > kIntakeMessagesMax || stats_.waiting_bytes > kIntakeBytesMax) {
    const size_t before = stats_.waiting;
    shed(out);
    if (stats_.waiting == before) break;  // nothing of it may be dropped; whoever sends is paused at its next message
  }
}

void Intake::wake(Instant now) {
  while (!sleeping_.empty() && sleeping_.begin()->until <= now) {
    const Sleeper sleeper = *sleeping_.begin();
    sleeping_.erase(sleeping_.begin());
    const auto source = sources_.find(sleeper.source);
    if (source != sources_.end() && !source->second.queues[sleeper.priority].empty()) ready_[sleeper.priority].insert(sleeper.source);
  }
}

std::optional<Arrival> Intake::next(Instant now, Out& out) {
  wake(now);
  shared_until_ = Instant::never();
  for (size_t priority = 0; priority < kPriorities; ++priority) {
    std::set<NodeKey>& ready = ready_[priority];
    // What all of a kind share keeps all of them waiting, and each stays ready: to put every peer to sleep and wake it for
    // every token costs more than the message.
    const Duration shared = std::max(kind_buckets_[priority].wait(now), global_.wait(now));
    if (shared > Duration{}) {
      if (!ready.empty()) shared_until_ = std::min(shared_until_, now + shared);
      continue;
    }
    while (!ready.empty()) {
      auto turn = ready.upper_bound(last_[priority]);
      if (turn == ready.end()) turn = ready.begin();
      const NodeKey source = *turn;
      std::deque<Arrival>& queue = sources_.at(source).queues[priority];
      const Duration wait = wait_for(now, queue.front());
      if (wait > Duration{}) {
        ready.erase(turn);
        sleeping_.insert({now + wait, priority, source});
        continue;
      }
      pay(now, queue.front());
      last_[priority] = source;
      ++stats_.admitted[priority];
      return take(source, priority, queue.begin(), out);
    }
  }
  return std::nullopt;
}

std::optional<Arrival> Intake::next_of(uint64_t link, Out& out) {
  for (auto& [key, source] : sources_) {
    for (size_t priority = 0; priority < kPriorities; ++priority) {
      std::deque<Arrival>& queue = source.queues[priority];
      const auto found = std::find_if(queue.begin(), queue.end(), [&](const Arrival& each) { return each.link == link; });
      if (found == queue.end()) continue;
      ++stats_.admitted[priority];
      return take(NodeKey(key), priority, found, out);
    }
  }
  return std::nullopt;
}

Arrival Intake::take(const NodeKey& key, size_t priority, std::deque<Arrival>::iterator at, Out& out) {
  const auto found = sources_.find(key);
  Source& source = found->second;
  Arrival arrival = std::move(*at);
  source.queues[priority].erase(at);
  source.waiting -= 1;
  source.bytes -= arrival.bytes.size();
  stats_.waiting -= 1;
  stats_.waiting_bytes -= arrival.bytes.size();
  if (source.queues[priority].empty()) ready_[priority].erase(key);
  if (source.paused && source.waiting <= kIntakeSourceMessagesMax / 2 && source.bytes <= kIntakeSourceBytesMax / 2) {
    source.paused = false;
    out.push(ResumeSource{key});
  }
  if (source.waiting == 0) sources_.erase(found);
  return arrival;
}

Duration Intake::wait_for(Instant now, const Arrival& arrival) {
  Duration wait{};
  // Where no more rates can be remembered, the kind's and the whole's must do.
  if (TokenBucket* bucket = bucket_for(source_buckets_, arrival.from, rates_.source, now)) wait = std::max(wait, bucket->wait(now));
  if (arrival.zone) {
    if (TokenBucket* bucket = bucket_for(zone_buckets_, *arrival.zone, rates_.zone, now)) wait = std::max(wait, bucket->wait(now));
  }
  return wait;
}

void Intake::pay(Instant now, const Arrival& arrival) {
  const uint32_t cost = cost_of(arrival);
  CHECK(kind_buckets_[size_t(arrival.priority)].take(now, cost) && global_.take(now, cost));
  if (TokenBucket* bucket = bucket_for(source_buckets_, arrival.from, rates_.source, now)) CHECK(bucket->take(now, cost));
  if (!arrival.zone) return;
  if (TokenBucket* bucket = bucket_for(zone_buckets_, *arrival.zone, rates_.zone, now)) CHECK(bucket->take(now, cost));
}

void Intake::shed(Out& out) {
  for (size_t priority = kPriorities; priority-- > 0;) {
    if (drop_policy(Priority(priority)) == DropPolicy::kNever) return;
    const NodeKey* worst = nullptr;
    size_t most = 0;
    for (const auto& [key, source] : sources_) {
      if (source.queues[priority].empty() || source.waiting <= most) continue;
      worst = &key;
      most = source.waiting;
    }
    if (worst == nullptr) continue;
    const NodeKey key = *worst;
    std::deque<Arrival>& queue = sources_.at(key).queues[priority];
    ++stats_.shed[priority];
    // The newest goes: those before it have waited already.
    out.push(Shed{take(key, priority, std::prev(queue.end()), out), drop_policy(Priority(priority))});
    return;
  }
}

}  // namespace selvedge::mesh
