#include "mesh/visits.h"

#include <algorithm>

namespace selvedge::mesh {

Status Visits::want(Instant, const NodeKey& provider, const std::vector<std::string>& addresses, Instant until, Out& out) {
  const auto known = visits_.find(provider);
  if (known == visits_.end()) {
    if (addresses.empty()) return fail(Errc::kInvalid, "no address of " + provider.brief() + " is known; add its ticket first (selvedge peer add TICKET)");
    if (visits_.size() >= kVisitsMax) return fail(Errc::kLimit, "this node uses enough relays and rendezvous");
  }
  Visit& visit = visits_[provider];
  for (const std::string& address : addresses) {
    const bool there = std::find(visit.addresses.begin(), visit.addresses.end(), address) != visit.addresses.end();
    if (!there && visit.addresses.size() < kAddressesPerPeerMax) visit.addresses.push_back(address);
  }
  visit.until = std::max(visit.until, until);
  if (!visit.link && !visit.dialling && visit.retry_at == Instant::never()) dial(provider, visit, out);
  return ok();
}

void Visits::unwant(Instant now, const NodeKey& provider) {
  const auto it = visits_.find(provider);
  if (it != visits_.end()) it->second.until = now;
}

void Visits::dial(const NodeKey& provider, Visit& visit, Out& out) {
  visit.dialling = true;
  visit.retry_at = Instant::never();
  out.push(DialVisit{provider, visit.addresses[visit.next_address++ % visit.addresses.size()]});
}

Status Visits::send(const NodeKey& provider, Bytes message, Out& out) {
  const auto it = visits_.find(provider);
  if (it == visits_.end()) return fail(Errc::kNotFound, "nobody is visited there");
  if (it->second.link) {
    out.push(SendOnLink{*it->second.link, std::move(message)});
    return ok();
  }
  if (it->second.waiting.size() >= kVisitWaitingMax) return fail(Errc::kLimit, "too much waits for " + provider.brief() + ", which does not answer");
  it->second.waiting.push_back(std::move(message));
  return ok();
}

void Visits::on_opened(const NodeKey& provider, LinkId link, Out& out) {
  const auto it = visits_.find(provider);
  if (it == visits_.end()) return;
  Visit& visit = it->second;
  visit.dialling = false;
  visit.retry_at = Instant::never();
  visit.link = link;
  visit.pause = kVisitRetryMin;
  links_[link] = provider;
  out.push(SendOnLink{link, MeshMessages::encode(Hello{{kProtocolVersion}, uint32_t(kFrameBytesMax), {}, kSymbolsRaptorQ, 0})});
  out.push(VisitUp{provider});
  for (Bytes& message : std::exchange(visit.waiting, {})) out.push(SendOnLink{link, std::move(message)});
}

void Visits::lost(Instant now, const NodeKey& provider, Visit& visit, const std::string& why, Out& out) {
  visit.dialling = false;
  visit.waiting.clear();
  out.push(VisitDown{provider, why});
  if (visit.until <= now) {
    visits_.erase(provider);
    return;
  }
  visit.retry_at = now + visit.pause;
  visit.pause = std::min(visit.pause * 2, kVisitRetryMax);
}

void Visits::on_failed(Instant now, const NodeKey& provider, const std::string& why, Out& out) {
  const auto it = visits_.find(provider);
  if (it != visits_.end()) lost(now, NodeKey(provider), it->second, why, out);
}

void Visits::on_closed(Instant now, LinkId link, const std::string& why, Out& out) {
  const auto it = links_.find(link);
  if (it == links_.end()) return;
  const NodeKey provider = it->second;
  links_.erase(it);
  const auto visit = visits_.find(provider);
  if (visit == visits_.end() || visit->second.link != link) return;
  visit->second.link.reset();
  lost(now, provider, visit->second, why, out);
}

void Visits::on_deadline(Instant now, Out& out) {
  for (auto it = visits_.begin(); it != visits_.end();) {
    Visit& visit = it->second;
    if (visit.until > now) {
      if (visit.retry_at <= now) dial(it->first, visit, out);
      ++it;
      continue;
    }
    if (visit.link) {
      out.push(CloseLink{*visit.link, "done here"});
      links_.erase(*visit.link);
    }
    it = visit.dialling ? std::next(it) : visits_.erase(it);
  }
}

Instant Visits::next_deadline() const {
  Instant soonest = Instant::never();
  for (const auto& [provider, visit] : visits_) soonest = std::min({soonest, visit.retry_at, visit.dialling ? Instant::never() : visit.until});
  return soonest;
}

std::optional<NodeKey> Visits::provider_of(LinkId link) const {
  const auto it = links_.find(link);
  return it == links_.end() ? std::nullopt : std::optional(it->second);
}

std::optional<LinkId> Visits::link_of(const NodeKey& provider) const {
  const auto it = visits_.find(provider);
  return it == visits_.end() ? std::nullopt : it->second.link;
}

}  // namespace selvedge::mesh
