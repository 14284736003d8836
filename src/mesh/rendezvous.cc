#include "mesh/rendezvous.h"

#include <algorithm>

#include "object/sealed.h"

namespace selvedge::mesh {

Bytes join_channel(const NodeKey& rendezvous, const object::EndpointHandle& handle, const crypto::PublicKey& relay) {
  Bytes out = to_bytes(view("selvedge join v1"));
  append(out, rendezvous);
  append(out, handle);
  append(out, relay);
  return out;
}

Bytes answer_context(const crypto::PublicKey& service) {
  Bytes out = to_bytes(view("selvedge rendezvous answer v1"));
  append(out, service);
  return out;
}

bool Rendezvous::may_ask(Instant now, const NodeKey& from) {
  auto it = rates_.find(from);
  if (it == rates_.end()) {
    if (rates_.size() >= kRendezvousSourcesMax) std::erase_if(rates_, [&](const auto& each) { return each.second.full(now); });
    if (rates_.size() >= kRendezvousSourcesMax) return false;
    it = rates_.emplace(from, TokenBucket(kRendezvousBurst, kRendezvousEvery)).first;
  }
  return it->second.take(now);
}

Status Rendezvous::keep(Instant now, const NodeKey& from, const Bytes& bytes) {
  if (!may_ask(now, from)) return fail(Errc::kBusy, "too many at once; try again shortly");
  auto set = TRY(object::open_object<object::IngressSet>(bytes, verifier_));
  const uint64_t here = now.unix_seconds();
  if (set.body.expires <= here) return fail(Errc::kExpired, "this ingress has expired");
  if (set.body.issued > here + object::kClockSkewSecondsMax) return fail(Errc::kInvalid, "this ingress is of the future; check the clock");
  const auto known = sets_.find(set.body.service);
  if (known != sets_.end()) {
    const object::IngressSet& old = known->second.set.body;
    if (set == known->second.set) return ok();
    if (set.body.epoch == old.epoch) return fail(Errc::kExists, "another ingress of this epoch is known: the service's key signed two");
    if (set.body.epoch < old.epoch) return fail(Errc::kExpired, "a newer ingress is known");
    if (--sets_by_source_[known->second.source] == 0) sets_by_source_.erase(known->second.source);
    sets_.erase(known);
  }
  size_t& of_source = sets_by_source_[from];
  if (sets_.size() >= kRendezvousSetsMax || of_source >= kRendezvousSetsPerSourceMax) {
    if (of_source == 0) sets_by_source_.erase(from);
    return fail(Errc::kLimit, "this rendezvous keeps no more; use another one");
  }
  ++of_source;
  const crypto::PublicKey service = set.body.service;
  sets_.emplace(service, Kept{from, std::move(set)});
  return ok();
}

RendezvousAck Rendezvous::on_publish(Instant now, const NodeKey& from, const RendezvousPublish& publish) {
  const Status kept = keep(now, from, publish.set);
  return {publish.request, kept.ok() ? uint8_t(0) : uint8_t(kept.code()), kept.ok() ? "" : kept.error().message};
}

RendezvousAnswer Rendezvous::on_ask(Instant now, const NodeKey& from, const RendezvousAsk& ask, crypto::Drbg& drbg) {
  const auto refuse = [&](Errc why) { return RendezvousAnswer{ask.request, uint8_t(why), {}}; };
  if (!may_ask(now, from)) return refuse(Errc::kBusy);
  if (ask.region > kRegionsMax) return refuse(Errc::kInvalid);
  const auto known = sets_.find(ask.service);
  if (known == sets_.end() || known->second.set.body.expires <= now.unix_seconds()) return refuse(Errc::kNotFound);
  const std::vector<object::IngressEndpoint>& endpoints = known->second.set.body.endpoints;
  const bool spoken = std::any_of(endpoints.begin(), endpoints.end(), [&](const object::IngressEndpoint& each) { return (each.protocols & ask.protocols) != 0; });
  if (!spoken) return refuse(Errc::kUnsupported);
  Result<Bytes> sealed = object::seal_to(ask.client, known->second.set.bytes, answer_context(ask.service), drbg);
  if (!sealed.ok()) return refuse(sealed.error().code);
  return {ask.request, 0, std::move(sealed).value()};
}

std::vector<RendezvousMember> Rendezvous::some_of(const Cluster& cluster, const crypto::PublicKey& but) {
  std::vector<RendezvousMember> out;
  for (const auto& [id, each] : cluster) {
    if (id != but) out.push_back(each.member);
  }
  rng_.shuffle(std::span(out));
  out.resize(std::min(out.size(), kRendezvousMembersTold));
  return out;
}

Result<std::vector<RendezvousMember>> Rendezvous::join(Instant now, const RendezvousJoin& join) {
  const auto token = TRY(object::open_object<object::IdentityToken>(join.token, verifier_));
  if (token.body.purpose != kJoinPurpose) return fail(Errc::kUnauthorized, "this identity token is for \"" + token.body.purpose + "\", not for joining a cluster");
  // Of the origin's revocations this node knows nothing; that tokens live for minutes has to do.
  const object::RevocationSet none(token.body.origin);
  object::TokenCheck check;
  check.origin = token.body.origin;
  check.revocations = &none;
  const object::TokenBearer bearer = TRY(object::verify_token(token, check, verifier_, now));
  if (!object::verify_possession(token, join_channel(self_, join.handle, join.relay), join.proof, verifier_)) {
    return fail(Errc::kUnauthorized, "whoever shows this identity token does not hold its key");
  }
  if (!clusters_.contains(token.body.origin) && clusters_.size() >= kRendezvousClustersMax) return fail(Errc::kLimit, "this rendezvous knows enough clusters; use another one");
  Cluster& cluster = clusters_[token.body.origin];
  std::erase_if(cluster, [&](const auto& each) { return each.second.until <= now; });
  const Member member{{bearer.node_id, join.handle, join.relay}, bearer.tier, Instant::from_unix_seconds(bearer.expires)};
  // Keys without hardware behind them cost nothing, so they never fill a cluster alone.
  const auto software = [](const auto& each) { return each.second.tier == object::IdentityTier::kSoftware; };
  const bool there = cluster.contains(bearer.node_id);
  const bool crowded = bearer.tier == object::IdentityTier::kSoftware && size_t(std::count_if(cluster.begin(), cluster.end(), software)) >= kRendezvousSoftwareMembersMax;
  if (!there && (cluster.size() >= kRendezvousMembersMax || crowded)) return fail(Errc::kLimit, "this cluster has enough members without hardware behind their keys");
  cluster.insert_or_assign(bearer.node_id, member);
  return some_of(cluster, bearer.node_id);
}

RendezvousMembers Rendezvous::on_join(Instant now, const NodeKey& from, const RendezvousJoin& ask) {
  Result<std::vector<RendezvousMember>> members = fail(Errc::kBusy, "too many at once; try again shortly");
  if (may_ask(now, from)) members = join(now, ask);
  if (members.ok()) return {ask.request, 0, "", std::move(members).value()};
  return {ask.request, uint8_t(members.error().code), members.error().message, {}};
}

void Rendezvous::on_deadline(Instant now) {
  if (now < next_deadline()) return;
  swept_at_ = now;
  for (auto it = sets_.begin(); it != sets_.end();) {
    if (it->second.set.body.expires > now.unix_seconds()) {
      ++it;
      continue;
    }
    if (--sets_by_source_[it->second.source] == 0) sets_by_source_.erase(it->second.source);
    it = sets_.erase(it);
  }
  for (auto& [origin, cluster] : clusters_) std::erase_if(cluster, [&](const auto& each) { return each.second.until <= now; });
  std::erase_if(clusters_, [](const auto& each) { return each.second.empty(); });
}

}  // namespace selvedge::mesh
