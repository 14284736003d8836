#include "mesh/fetch.h"

#include <algorithm>

namespace selvedge::mesh {

namespace {

// The runs of ids in `seen`, so that a holder can leave them out.
void append_ranges(const std::vector<bool>& seen, uint8_t block, std::vector<EsiRange>& out) {
  constexpr size_t kRangesMax = 256;  // past this a few duplicates cost less than the list
  for (size_t i = 0; i < seen.size() && out.size() < kRangesMax;) {
    if (!seen[i]) {
      ++i;
      continue;
    }
    size_t end = i;
    while (end < seen.size() && seen[end]) ++end;
    out.push_back({block, uint32_t(i), uint32_t(end - i)});
    i = end;
  }
}

}  // namespace

Result<uint64_t> Fetcher::add(Instant now, FetchRequest request) {
  if (fetches_.size() >= kFetchesMax) return fail(Errc::kLimit, "too many objects are being fetched at once; try again shortly");
  if (request.holders.size() > kHoldersMax) return fail(Errc::kLimit, "an object has more holders than this node will ask");
  const std::vector<uint32_t> sizes = block_sizes(request.group);
  if (sizes.size() > kBlocksMax) return fail(Errc::kInvalid, "an object has more source blocks than RFC 6330 allows");
  Fetch fetch{std::move(request), {}, {}, {}, 0, now + kFetchTimeout, false};
  for (uint32_t k : sizes) fetch.blocks.push_back({k, fetch.request.group.whole ? 1 : k + kDecodeMargin, 0, {}});
  for (const NodeKey& holder : fetch.request.holders) {
    fetch.holders.push_back({holder, {}});
    fetch.holders.back().second.silent_since = now;
  }
  const uint64_t id = next_id_++;
  fetches_.emplace(id, std::move(fetch));
  return id;
}

void Fetcher::step(Instant now, uint64_t id, Out& out) {
  Fetch& fetch = fetches_.at(id);
  if (fetch.decoding) return;
  const bool enough = std::all_of(fetch.blocks.begin(), fetch.blocks.end(), [](const Block& b) { return b.have >= b.target; });
  const bool exhausted = std::all_of(fetch.holders.begin(), fetch.holders.end(),
                                     [](const auto& h) { return h.second.state == Holder::kExhausted; });
  const bool decodable = std::all_of(fetch.blocks.begin(), fetch.blocks.end(), [](const Block& b) { return b.have >= b.k; });
  const Status sources = diverse(fetch);
  if ((enough || decodable) && exhausted && !sources.ok()) return finish(id, sources.error(), out);
  // With every holder exhausted, K symbols without the margin still decode in 99 of 100 cases.
  if (sources.ok() && (enough || (exhausted && decodable && !fetch.frames.empty()))) {
    auto job = std::make_shared<DecodeJob>(
        DecodeJob{fetch.request.group, fetch.request.object, fetch.request.key.clone(), std::move(fetch.frames), plans_});
    fetch.frames.clear();
    fetch.decoding = true;
    out.push(StartDecode{id, std::move(job)});
    return;
  }
  if (exhausted) return finish(id, missing(fetch), out);
  if (enough && !fetch.request.group.whole) {
    // Enough of them, but too many from too few: more is asked of those who gave least.
    for (Block& block : fetch.blocks) block.target += std::max(1u, block.k / 8);
  }
  ask(now, fetch, id, out);
  const bool hopeful = std::any_of(fetch.holders.begin(), fetch.holders.end(),
                                   [](const auto& h) { return h.second.state == Holder::kAsked || h.second.state == Holder::kWaiting; });
  if (enough && !hopeful) finish(id, sources.error(), out);
}

Status Fetcher::diverse(const Fetch& fetch) {
  std::vector<object::SymbolSource> sources;
  for (size_t i = 0; i < fetch.holders.size(); ++i) {
    const auto& [key, holder] = fetch.holders[i];
    sources.push_back({key, i < fetch.request.owners.size() ? fetch.request.owners[i] : key, holder.given});
  }
  return object::check_diversity(fetch.request.diversity, sources);
}

void Fetcher::ask(Instant now, Fetch& fetch, uint64_t id, Out& out) {
  std::vector<size_t> ready;
  bool anyone_asked = false;
  for (size_t i = 0; i < fetch.holders.size(); ++i) {
    if (fetch.holders[i].second.state == Holder::kReady) ready.push_back(i);
    anyone_asked = anyone_asked || fetch.holders[i].second.state == Holder::kAsked;
  }
  if (ready.empty()) return;
  const object::Diversity& diversity = fetch.request.diversity;
  const uint32_t nodes_min = std::max(diversity.nodes_min, diversity.owners_min);
  if (fetch.request.group.whole) {
    if (anyone_asked) return;
    std::erase_if(ready, [&](size_t i) { return nodes_min > 1 && fetch.holders[i].second.given > 0; });
    if (ready.empty()) return;
    ready.resize(1);
  }
  // What is missing and not asked of anybody yet is shared out evenly; who is asked later makes up for loss.
  for (size_t n = 0; n < ready.size(); ++n) {
    const size_t i = ready[n];
    auto& [key, holder] = fetch.holders[i];
    // Whoever is here first does not give all of it where several must.
    const uint32_t sharers = std::max(uint32_t(ready.size() - n), n == 0 && holder.given == 0 && !fetch.request.group.whole ? nodes_min : 1u);
    SymbolRequest request;
    uint32_t wanted = 0;
    for (size_t b = 0; b < fetch.blocks.size(); ++b) {
      const Block& block = fetch.blocks[b];
      uint32_t coming = 0;
      for (const auto& [other, state] : fetch.holders) coming += b < state.asked.size() ? state.asked[b] : 0;
      uint32_t need = block.have + coming >= block.target ? 0 : block.target - block.have - coming;
      // A whole object is one symbol: who is to vouch for it gives it again.
      if (fetch.request.group.whole && nodes_min > 1) need = 1;
      const uint64_t share_max = (uint64_t(block.target) * diversity.node_share_permille_max + 999) / 1000;
      request.limits.push_back(uint32_t(std::min<uint64_t>((need + sharers - 1) / sharers, share_max)));
      wanted += request.limits.back();
      if (!fetch.request.group.whole || nodes_min <= 1) append_ranges(block.seen, uint8_t(b), request.have);
    }
    if (wanted == 0) continue;
    request.request = id << 8 | uint64_t(i);
    request.object = fetch.request.object;
    request.capabilities = fetch.request.capabilities;
    request.within_ms = uint32_t(kFetchTimeout.ms());
    request.urgent = fetch.request.urgent;
    holder.state = Holder::kAsked;
    holder.asked = request.limits;
    holder.received = 0;
    holder.promised.reset();
    holder.silent_since = now;
    out.push(AskSymbols{key, std::move(request)});
  }
}

void Fetcher::settle(Holder& holder) {
  if (holder.state != Holder::kAsked || !holder.promised || holder.received < *holder.promised) return;
  holder.asked.clear();
  // A holder that gave something may have more; one that gave nothing has no more.
  holder.state = *holder.promised > 0 ? Holder::kReady : Holder::kExhausted;
}

void Fetcher::count(Fetch& fetch, uint8_t block_index, const std::vector<uint32_t>& esis) {
  Block& block = fetch.blocks[block_index];
  for (uint32_t esi : esis) {
    if (block.seen.size() <= esi) block.seen.resize(esi + 1);
    if (!block.seen[esi]) ++block.have;
    block.seen[esi] = true;
  }
}

void Fetcher::on_frame(Instant now, const NodeKey& from, const FrameView& frame, Bytes bytes, Out& out) {
  const uint64_t id = frame.header.transfer >> 8;
  auto it = fetches_.find(id);
  if (it == fetches_.end()) return;  // a late answer to a finished fetch
  Fetch& fetch = it->second;
  const size_t index = frame.header.transfer & 0xFF;
  if (index >= fetch.holders.size() || fetch.holders[index].first != from) return;
  if (frame.header.object != fetch.request.object || frame.header.whole != fetch.request.group.whole ||
      frame.header.object_bytes != fetch.request.group.object_bytes || frame.header.source_block >= fetch.blocks.size() ||
      (!frame.header.whole && frame.header.symbol_bytes != fetch.request.group.symbol_bytes) || fetch.decoding) {
    return;
  }
  if (fetch.bytes + bytes.size() > kFetchBytesMax) return finish(id, fail(Errc::kLimit, "holders sent more than the object can need"), out);
  fetch.bytes += bytes.size();
  Holder& holder = fetch.holders[index].second;
  holder.silent_since = heard_[from] = now;
  holder.received += uint32_t(frame.esis.size());
  holder.given += frame.esis.size();
  if (frame.header.source_block < holder.asked.size()) {
    uint32_t& coming = holder.asked[frame.header.source_block];
    coming -= std::min(coming, uint32_t(frame.esis.size()));
  }
  settle(holder);
  fetch.give_up = now + kFetchTimeout;
  count(fetch, frame.header.source_block, frame.esis);
  fetch.frames.push_back({from, std::move(bytes)});
  step(now, id, out);
}

void Fetcher::on_end(Instant now, const NodeKey& from, const SymbolEnd& end, Out& out) {
  const uint64_t id = end.request >> 8;
  auto it = fetches_.find(id);
  if (it == fetches_.end()) return;
  const size_t index = end.request & 0xFF;
  if (index >= it->second.holders.size() || it->second.holders[index].first != from) return;
  Holder& holder = it->second.holders[index].second;
  if (holder.state != Holder::kAsked) return;
  holder.error = end.message;
  holder.promised = end.error == 0 ? end.symbols : 0;
  if (end.error != 0) holder.received = 0;
  settle(holder);
  step(now, id, out);
}

void Fetcher::on_decoded(Instant now, uint64_t id, DecodeResult result, Out& out) {
  auto it = fetches_.find(id);
  if (it == fetches_.end()) return;
  Fetch& fetch = it->second;
  fetch.decoding = false;
  for (const NodeKey& liar : result.liars) {
    out.push(HolderLied{liar, fetch.request.object});
    for (auto& [key, holder] : fetch.holders) {
      if (key != liar) continue;
      holder.state = Holder::kExhausted;
      holder.given = 0;
      holder.asked.clear();
      holder.error = "sent symbols that do not authenticate";
    }
  }
  if (result.plaintext) return finish(id, std::move(*result.plaintext), out);
  // The genuine symbols come back with the result; what lied is forgotten so that it can be asked of others.
  fetch.frames = std::move(result.kept);
  fetch.bytes = 0;
  for (Block& block : fetch.blocks) {
    block.have = 0;
    block.seen.clear();
  }
  for (const DecodeJob::From& from : fetch.frames) {
    fetch.bytes += from.frame.size();
    const Result<FrameView> frame = parse_frame(from.frame);
    CHECK(frame.ok());  // decode() kept it because it parsed
    count(fetch, frame->header.source_block, frame->esis);
  }
  for (size_t b = 0; b < fetch.blocks.size() && b < result.more_needed.size(); ++b) {
    Block& block = fetch.blocks[b];
    if (result.more_needed[b] > 0) block.target = std::max(block.target, block.have + result.more_needed[b]);
  }
  // Decoding the same symbols again would fail the same way.
  const bool any_left = std::any_of(fetch.holders.begin(), fetch.holders.end(),
                                    [](const auto& h) { return h.second.state != Holder::kExhausted; });
  if (!any_left) return finish(id, missing(fetch), out);
  step(now, id, out);
}

void Fetcher::on_peer_up(Instant now, const NodeKey& peer, Out& out) {
  std::vector<uint64_t> touched;
  for (auto& [id, fetch] : fetches_) {
    for (auto& [key, holder] : fetch.holders) {
      if (key != peer || holder.state != Holder::kWaiting) continue;
      holder.state = Holder::kReady;
      touched.push_back(id);
    }
  }
  for (uint64_t id : touched) {
    if (fetches_.count(id)) step(now, id, out);
  }
}

// Whoever went away may come back before the fetch is given up; meanwhile the others are asked for its part.
void Fetcher::on_peer_down(Instant now, const NodeKey& peer, Out& out) {
  heard_.erase(peer);
  std::vector<uint64_t> touched;
  for (auto& [id, fetch] : fetches_) {
    for (auto& [key, holder] : fetch.holders) {
      if (key != peer || holder.state == Holder::kExhausted || holder.state == Holder::kWaiting) continue;
      holder.state = Holder::kWaiting;
      holder.asked.clear();
      holder.error = "connection lost";
      touched.push_back(id);
    }
  }
  if (!touched.empty()) out.push(WantPeer{peer});
  for (uint64_t id : touched) {
    if (fetches_.count(id)) step(now, id, out);
  }
}

Instant Fetcher::heard(const NodeKey& peer) const {
  const auto it = heard_.find(peer);
  return it == heard_.end() ? Instant{0} : it->second;
}

Instant Fetcher::silent_at(const Fetch& fetch, const NodeKey& key, const Holder& holder) const {
  const Instant at = std::max(holder.silent_since, heard(key)) + kHolderSilenceMax;
  const bool others = std::any_of(fetch.holders.begin(), fetch.holders.end(), [&](const auto& each) { return each.first != key && each.second.state != Holder::kExhausted; });
  return others ? std::min(at, holder.silent_since + kFetchTimeout) : at;
}

Instant Fetcher::given_up_at(const Fetch& fetch) const {
  Instant at = fetch.give_up;
  for (const auto& [key, holder] : fetch.holders) {
    if (holder.state == Holder::kAsked) at = std::max(at, heard(key) + kFetchTimeout);
  }
  return at;
}

void Fetcher::on_deadline(Instant now, Out& out) {
  std::vector<uint64_t> ids;
  for (const auto& [id, fetch] : fetches_) ids.push_back(id);
  for (uint64_t id : ids) {
    Fetch& fetch = fetches_.at(id);
    if (fetch.decoding) continue;
    if (given_up_at(fetch) <= now) {
      finish(id, missing(fetch), out);
      continue;
    }
    bool changed = false;
    for (auto& [key, holder] : fetch.holders) {
      const bool silent = holder.state == Holder::kAsked && silent_at(fetch, key, holder) <= now;
      const bool away = holder.state == Holder::kWaiting && holder.silent_since + kConnectWaitMax <= now;
      if (!silent && !away) continue;
      holder.state = Holder::kExhausted;
      holder.asked.clear();
      holder.error = silent ? "no answer" : "not connected";
      changed = true;
    }
    if (changed) step(now, id, out);
  }
}

Instant Fetcher::next_deadline() const {
  Instant soonest = Instant::never();
  for (const auto& [id, fetch] : fetches_) {
    if (fetch.decoding) continue;
    soonest = std::min(soonest, given_up_at(fetch));
    for (const auto& [key, holder] : fetch.holders) {
      if (holder.state == Holder::kAsked) soonest = std::min(soonest, silent_at(fetch, key, holder));
      if (holder.state == Holder::kWaiting) soonest = std::min(soonest, holder.silent_since + kConnectWaitMax);
    }
  }
  return soonest;
}

Error Fetcher::missing(const Fetch& fetch) const {
  uint64_t have = 0, want = 0;
  for (const Block& block : fetch.blocks) {
    have += std::min(block.have, block.k);
    want += block.k;
  }
  const Status sources = diverse(fetch);
  if (have == want && !sources.ok()) return sources.error();
  std::string message = "object " + fetch.request.object.brief() + ": " + std::to_string(want - have) + " of " +
                        std::to_string(want) + " symbols are missing; asked " + std::to_string(fetch.holders.size()) + " holders";
  for (const auto& [key, holder] : fetch.holders) {
    if (!holder.error.empty()) message += "; " + key.brief() + ": " + holder.error;
    if (message.size() > 600) break;
  }
  return fail(Errc::kUnavailable, message + ". Bring a holder back (selvedge peer list shows who is away) and try again");
}

void Fetcher::finish(uint64_t id, Result<Bytes> result, Out& out) {
  fetches_.erase(id);
  out.push(Fetched{id, std::move(result)});
}

}  // namespace selvedge::mesh
