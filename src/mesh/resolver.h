// Resolver: finds out where a service can be reached, from providers that may be slow, silent, stale or false. spec: WF 9.3, 9.8
//
// Several providers are asked. What counts is signed by the service's key and not older than what was seen before; so a
// provider can cost time and keep back news, and nothing else. First-valid takes the first good answer; a quorum waits until so many
// providers show the same set. What was found is kept until its epoch ends and not a second longer.
//
// Pure; owned by the node. Bounded by the constants below.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/outbox.h"
#include "crypto/seal.h"
#include "mesh/rendezvous.h"

namespace selvedge::mesh {

constexpr size_t kResolvesMax = 256;
constexpr size_t kResolveProvidersMax = 8;
constexpr size_t kResolvedMax = 4096;
constexpr Duration kProviderPatience = seconds(3);
/// A provider learns the region of its clients in so few of its questions a day. spec: WF 9.3, privacy-budgeted hints
constexpr uint32_t kRegionHintsPerDay = 4;

struct AskProvider { NodeKey provider; RendezvousAsk ask; };
/// What each provider said, for a person; and the set, if one was believed.
struct ProviderSaid { NodeKey provider; std::string said; };
struct Resolved {
  uint64_t resolve;
  Result<object::Signed<object::IngressSet>> set;
  std::vector<ProviderSaid> asked;  // none: it was known from before
};
using ResolverEffect = std::variant<AskProvider, Resolved>;

struct ResolveRequest {
  crypto::PublicKey service;
  std::vector<NodeKey> providers;
  uint32_t quorum = 1;             // 1: first-valid
  uint8_t protocols = object::kProtocolsAll;
  uint8_t region = 0;              // shown to a provider as far as its budget goes
};

class Resolver {
 public:
  using Out = Outbox<ResolverEffect>;
  /// The verifier outlives the machine.
  Resolver(const crypto::Verifier& verifier, crypto::Drbg drbg) : verifier_(verifier), drbg_(std::move(drbg)) {}

  /// Errors: kInvalid (no provider, or fewer than the quorum), kLimit. Resolved follows, at once where it is known.
  Result<uint64_t> start(Instant now, const ResolveRequest& request, Out& out);
  void on_answer(Instant now, const NodeKey& from, const RendezvousAnswer& answer, Out& out);
  /// It could not be asked.
  void on_unreachable(Instant now, const NodeKey& provider, const std::string& why, Out& out);
  void on_deadline(Instant now, Out& out);
  Instant next_deadline() const;
  /// What is known of a service is no longer true: its endpoints are gone.
  void forget(const crypto::PublicKey& service) { known_.erase(service); }

 private:
  using Set = object::Signed<object::IngressSet>;
  struct Asked {
    NodeKey provider;
    uint64_t request;
    std::string said;              // empty: nothing yet
    std::optional<Set> set;
  };
  struct Resolve {
    ResolveRequest request;
    crypto::SealKeyPair client;
    std::vector<Asked> asked;
    Instant until;
  };
  struct HintBudget { uint64_t day = 0; uint32_t spent = 0; };

  uint8_t hint(Instant now, const NodeKey& provider, uint8_t region);
  Result<Set> checked(Instant now, const Resolve& resolve, const RendezvousAnswer& answer) const;
  /// Ends a resolve that has what it needs, or from which nothing more can come.
  void settle(Instant now, uint64_t id, Out& out);
  void remember(const Set& set);

  const crypto::Verifier& verifier_;
  crypto::Drbg drbg_;
  uint64_t last_id_ = 0;
  std::map<uint64_t, Resolve> resolves_;
  std::map<crypto::PublicKey, Set> known_;            // in force when last looked at
  std::map<crypto::PublicKey, uint64_t> epochs_;      // the newest epoch that was seen
  std::map<NodeKey, HintBudget> hints_;
};

}  // namespace selvedge::mesh
