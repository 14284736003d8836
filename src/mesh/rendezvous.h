// Rendezvous: tells whoever asks where a service can be reached, and members of a cluster of each other. spec: WF 9.2, 9.3, 9.9.1
//
// It keeps what services said of themselves (object/ingress.h) until it expires and gives out the bytes as they came, so it cannot change them; that
// there are several providers is what stops one from keeping them back. It is shown no address and knows none: endpoints are handles
// at relays, members are keys made for one origin. An answer is sealed to a key that the client made for this question.
//
// Pure. The node owns one and feeds it while the role is on; bounded by the constants below.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/rng.h"
#include "base/token_bucket.h"
#include "codec/message_set.h"
#include "crypto/drbg.h"
#include "mesh/placement.h"
#include "object/identity.h"
#include "object/ingress.h"

namespace selvedge::mesh {

constexpr size_t kRendezvousSetsMax = 65536;
constexpr size_t kRendezvousSetsPerSourceMax = 256;
constexpr size_t kRendezvousClustersMax = 1024;
constexpr size_t kRendezvousMembersMax = 1024;       // of one origin
constexpr size_t kRendezvousSoftwareMembersMax = 512;  // of them without hardware behind their keys: keys cost nothing
constexpr size_t kRendezvousMembersTold = 16;        // in one answer: a partial view
constexpr size_t kRendezvousSourcesMax = 16384;      // whose rates are remembered
constexpr Duration kRendezvousSweep = seconds(10);
constexpr uint32_t kRendezvousBurst = 64;
constexpr Duration kRendezvousEvery = milliseconds(50);
/// What a join's identity token is for.
constexpr std::string_view kJoinPurpose = "join the cluster";

/// Where a client is, so coarsely that a continent is all it says; 0 is nothing.
constexpr uint8_t kRegionsMax = 8;

struct RendezvousPublish {
  static constexpr uint8_t kType = 112;
  uint64_t request = 0;
  Bytes set;                 // signed IngressSet
  template <class V> void visit(V& v) { v("request", request); v("set", set); }
};
struct RendezvousAck {
  static constexpr uint8_t kType = 113;
  uint64_t request = 0;
  uint8_t error = 0;
  std::string message;
  template <class V> void visit(V& v) { v("request", request); v("error", error); v("message", message); }
};
struct RendezvousAsk {
  static constexpr uint8_t kType = 114;
  uint64_t request = 0;
  crypto::PublicKey service;
  crypto::SealPublicKey client;  // made for this question
  uint8_t protocols = object::kProtocolsAll;
  uint8_t region = 0;
  template <class V> void visit(V& v) { v("request", request); v("service", service); v("client", client); v("protocols", protocols); v("region", region); }
};
/// error 0: `sealed` opens to the signed IngressSet with the key that asked.
struct RendezvousAnswer {
  static constexpr uint8_t kType = 115;
  uint64_t request = 0;
  uint8_t error = 0;
  Bytes sealed;
  template <class V> void visit(V& v) { v("request", request); v("error", error); v("sealed", sealed); }
};
/// Enters the cluster of the token's origin, and asks who is there.
struct RendezvousJoin {
  static constexpr uint8_t kType = 116;
  uint64_t request = 0;
  Bytes token;               // signed IdentityToken for the origin, of this purpose
  object::EndpointHandle handle;
  crypto::PublicKey relay;
  crypto::Signature proof;   // by the token's key over join_channel()
  template <class V> void visit(V& v) { v("request", request); v("token", token); v("handle", handle); v("relay", relay); v("proof", proof); }
};
struct RendezvousMember {
  crypto::PublicKey node_id; // towards this origin only
  object::EndpointHandle handle;
  crypto::PublicKey relay;
  template <class V> void visit(V& v) { v("node_id", node_id); v("handle", handle); v("relay", relay); }
};
struct RendezvousMembers {
  static constexpr uint8_t kType = 117;
  uint64_t request = 0;
  uint8_t error = 0;
  std::string message;
  std::vector<RendezvousMember> members;
  template <class V> void visit(V& v) { v("request", request); v("error", error); v("message", message); v("members", members); }
};

using RendezvousMessages = codec::MessageSet<RendezvousPublish, RendezvousAck, RendezvousAsk, RendezvousAnswer, RendezvousJoin, RendezvousMembers>;

/// What a member's key signs: this rendezvous and this handle, so that a token that was seen brings nobody else in.
Bytes join_channel(const NodeKey& rendezvous, const object::EndpointHandle& handle, const crypto::PublicKey& relay);
/// What answers are sealed for.
Bytes answer_context(const crypto::PublicKey& service);

class Rendezvous {
 public:
  /// The verifier outlives the machine.
  Rendezvous(NodeKey self, const crypto::Verifier& verifier, uint64_t seed) : self_(std::move(self)), verifier_(verifier), rng_(seed) {}

  RendezvousAck on_publish(Instant now, const NodeKey& from, const RendezvousPublish& publish);
  RendezvousAnswer on_ask(Instant now, const NodeKey& from, const RendezvousAsk& ask, crypto::Drbg& drbg);
  RendezvousMembers on_join(Instant now, const NodeKey& from, const RendezvousJoin& join);
  /// Forgets what expired.
  void on_deadline(Instant now);
  Instant next_deadline() const { return swept_at_ + kRendezvousSweep; }
  size_t sets() const { return sets_.size(); }

 private:
  struct Kept {
    NodeKey source;
    object::Signed<object::IngressSet> set;
  };
  struct Member {
    RendezvousMember member;
    object::IdentityTier tier;
    Instant until;
  };
  using Cluster = std::map<crypto::PublicKey, Member>;

  bool may_ask(Instant now, const NodeKey& from);
  Status keep(Instant now, const NodeKey& from, const Bytes& bytes);
  Result<std::vector<RendezvousMember>> join(Instant now, const RendezvousJoin& join);
  std::vector<RendezvousMember> some_of(const Cluster& cluster, const crypto::PublicKey& but);

  const NodeKey self_;
  const crypto::Verifier& verifier_;
  Rng rng_;
  std::map<crypto::PublicKey, Kept> sets_;
  std::map<NodeKey, size_t> sets_by_source_;
  std::map<crypto::PublicKey, Cluster> clusters_;   // by origin
  std::map<NodeKey, TokenBucket> rates_;
  Instant swept_at_{0};
};

}  // namespace selvedge::mesh
