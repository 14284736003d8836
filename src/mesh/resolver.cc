#include "mesh/resolver.h"

#include <algorithm>

#include "object/sealed.h"

namespace selvedge::mesh {

Result<uint64_t> Resolver::start(Instant now, const ResolveRequest& request, Out& out) {
  if (resolves_.size() >= kResolvesMax) return fail(Errc::kLimit, "too many services are being looked for at once; try again shortly");
  const uint64_t id = ++last_id_;
  const auto known = known_.find(request.service);
  if (known != known_.end() && known->second.body.expires > now.unix_seconds()) {
    out.push(Resolved{id, known->second, {}});
    return id;
  }
  if (request.providers.empty()) return fail(Errc::kInvalid, "there is no rendezvous to ask; name one with --via, or connect to one");
  if (request.providers.size() > kResolveProvidersMax) return fail(Errc::kLimit, "at most 8 rendezvous are asked");
  if (request.quorum == 0 || request.quorum > request.providers.size()) return fail(Errc::kInvalid, "a quorum is 1 up to the number of rendezvous asked");
  Resolve& resolve = resolves_.emplace(id, Resolve{request, crypto::SealKeyPair(drbg_.seed()), {}, now + kProviderPatience}).first->second;
  for (size_t i = 0; i < request.providers.size(); ++i) {
    const NodeKey& provider = request.providers[i];
    const uint64_t number = id << 8 | i;
    resolve.asked.push_back({provider, number, "", std::nullopt});
    out.push(AskProvider{provider, {number, request.service, resolve.client.public_key(), request.protocols, hint(now, provider, request.region)}});
  }
  return id;
}

uint8_t Resolver::hint(Instant now, const NodeKey& provider, uint8_t region) {
  if (region == 0 || region > kRegionsMax) return 0;
  if (hints_.size() >= kResolvedMax && !hints_.contains(provider)) return 0;
  HintBudget& budget = hints_[provider];
  const uint64_t day = now.unix_seconds() / object::kDay;
  if (budget.day != day) budget = {day, 0};
  if (budget.spent >= kRegionHintsPerDay) return 0;
  ++budget.spent;
  return region;
}

Result<Resolver::Set> Resolver::checked(Instant now, const Resolve& resolve, const RendezvousAnswer& answer) const {
  if (answer.error != 0) return fail(Errc(answer.error), answer.error == uint8_t(Errc::kNotFound) ? "does not know it" : std::string("refused: ") + errc_name(Errc(answer.error)));
  const Bytes bytes = TRY(object::open_sealed(resolve.client, answer.sealed, answer_context(resolve.request.service)));
  Set set = TRY(object::open_object<object::IngressSet>(bytes, verifier_));
  if (set.body.service != resolve.request.service) return fail(Errc::kUnauthorized, "showed another service");
  if (set.body.expires <= now.unix_seconds()) return fail(Errc::kExpired, "showed an epoch that is over");
  const auto seen = epochs_.find(set.body.service);
  if (seen != epochs_.end() && set.body.epoch < seen->second) return fail(Errc::kExpired, "showed an older epoch than was seen before");
  return set;
}

void Resolver::on_answer(Instant now, const NodeKey& from, const RendezvousAnswer& answer, Out& out) {
  const auto it = resolves_.find(answer.request >> 8);
  if (it == resolves_.end()) return;
  const size_t index = answer.request & 0xFF;
  if (index >= it->second.asked.size() || it->second.asked[index].provider != from || !it->second.asked[index].said.empty()) return;
  Asked& asked = it->second.asked[index];
  Result<Set> set = checked(now, it->second, answer);
  asked.said = set.ok() ? "showed epoch " + std::to_string(set->body.epoch) : set.error().message;
  if (set.ok()) asked.set = std::move(set).value();
  settle(now, it->first, out);
}

void Resolver::on_unreachable(Instant now, const NodeKey& provider, const std::string& why, Out& out) {
  std::vector<uint64_t> touched;
  for (auto& [id, resolve] : resolves_) {
    for (Asked& asked : resolve.asked) {
      if (asked.provider != provider || !asked.said.empty()) continue;
      asked.said = why.empty() ? "cannot be reached" : why;
      touched.push_back(id);
    }
  }
  for (uint64_t id : touched) settle(now, id, out);
}

void Resolver::settle(Instant now, uint64_t id, Out& out) {
  const auto it = resolves_.find(id);
  if (it == resolves_.end()) return;
  Resolve& resolve = it->second;
  size_t open = 0;
  const Set* best = nullptr;
  for (const Asked& asked : resolve.asked) {
    open += asked.said.empty() ? 1 : 0;
    if (!asked.set) continue;
    const auto same = [&](const Asked& other) { return other.set && *other.set == *asked.set; };
    const size_t votes = size_t(std::count_if(resolve.asked.begin(), resolve.asked.end(), same));
    if (votes >= resolve.request.quorum && (best == nullptr || asked.set->body.epoch > best->body.epoch)) best = &*asked.set;
  }
  const bool late = now >= resolve.until;
  if (best == nullptr && open > 0 && !late) return;
  Resolved done{id, fail(Errc::kUnavailable, ""), {}};
  for (const Asked& asked : resolve.asked) done.asked.push_back({asked.provider, asked.said.empty() ? "did not answer" : asked.said});
  if (best != nullptr) {
    remember(*best);
    done.set = *best;
  } else {
    std::string text = resolve.request.quorum > 1 ? "fewer than " + std::to_string(resolve.request.quorum) + " rendezvous agree on where this service is:" : "no rendezvous knows where this service is:";
    for (const ProviderSaid& each : done.asked) text += " " + each.provider.brief() + " " + each.said + ";";
    text.back() = '.';
    done.set = fail(Errc::kUnavailable, text);
  }
  resolves_.erase(it);
  out.push(std::move(done));
}

void Resolver::remember(const Set& set) {
  const crypto::PublicKey& service = set.body.service;
  // Who resolves very many services forgets the first by key; an old epoch may then be shown again.
  if (epochs_.size() >= kResolvedMax && !epochs_.contains(service)) epochs_.erase(epochs_.begin());
  epochs_[service] = std::max(epochs_[service], set.body.epoch);
  if (known_.size() >= kResolvedMax && !known_.contains(service)) known_.erase(known_.begin());
  known_.insert_or_assign(service, set);
}

void Resolver::on_deadline(Instant now, Out& out) {
  std::vector<uint64_t> late;
  for (const auto& [id, resolve] : resolves_) {
    if (resolve.until <= now) late.push_back(id);
  }
  for (uint64_t id : late) settle(now, id, out);
  std::erase_if(known_, [&](const auto& each) { return each.second.body.expires <= now.unix_seconds(); });
}

Instant Resolver::next_deadline() const {
  Instant soonest = Instant::never();
  for (const auto& [id, resolve] : resolves_) soonest = std::min(soonest, resolve.until);
  return soonest;
}

}  // namespace selvedge::mesh
