#include "mesh/pkarr_shelf.h"

#include <algorithm>

#include "codec/pkarr.h"

namespace selvedge::mesh {

Status PkarrShelf::admit(Instant now, const std::string& client, bool put) {
  if (clients_.size() >= kShelfClientsMax && !clients_.count(client)) {
    std::erase_if(clients_, [&](const auto& each) { return each.second.puts.full(now) && each.second.gets.full(now); });
    if (clients_.size() >= kShelfClientsMax) return fail(Errc::kBusy, "too many ask at once; try again in a second");
  }
  Client& known = clients_[client];
  TokenBucket& bucket = put ? known.puts : known.gets;
  if (bucket.take(now)) return ok();
  return fail(Errc::kBusy, "too often; try again in " + std::to_string(bucket.wait(now).ms()) + " ms");
}

Status PkarrShelf::put(Instant now, const crypto::PublicKey& key, ByteView payload) {
  const codec::PkarrPacket packet = TRY(codec::open_pkarr(key, payload, verifier_));
  const std::vector<codec::DnsText> texts = TRY(codec::parse_dns_reply(packet.dns));
  uint32_t ttl = texts.empty() ? kShelfTtlMin : kShelfTtlMax;
  for (const codec::DnsText& each : texts) ttl = std::min(ttl, each.ttl);
  const auto it = kept_.find(key);
  if (it != kept_.end()) {
    Kept& kept = it->second;
    // Of two that were made at one time neither is later.
    if (packet.micros < kept.micros || (packet.micros == kept.micros && !std::equal(payload.begin(), payload.end(), kept.payload.begin(), kept.payload.end()))) {
      return fail(Errc::kExists, "a packet that was made later is here");
    }
    by_age_.erase({kept.put, key});
  } else {
    make_room(now);
  }
  kept_[key] = {Bytes(payload.begin(), payload.end()), packet.micros, std::clamp(ttl, kShelfTtlMin, kShelfTtlMax), now};
  by_age_.insert({now, key});
  return ok();
}

const PkarrShelf::Kept* PkarrShelf::get(Instant now, const crypto::PublicKey& key) {
  const auto it = kept_.find(key);
  if (it == kept_.end()) return nullptr;
  if (now - it->second.put <= kShelfKeeps) return &it->second;
  by_age_.erase({it->second.put, key});
  kept_.erase(it);
  return nullptr;
}

void PkarrShelf::make_room(Instant now) {
  while (!by_age_.empty() && (kept_.size() >= kShelfKeysMax || now - by_age_.begin()->first > kShelfKeeps)) {
    kept_.erase(by_age_.begin()->second);
    by_age_.erase(by_age_.begin());
  }
}

}  // namespace selvedge::mesh
