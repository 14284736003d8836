// Secrets: the owner's and the asker's side of shared secrets; vault.h is the holders'.
//
// A node keeps the manifests of its owner's secrets, brings shares to holders, refreshes them and moves them to other holders, and
// gathers releases. It handles no secret and no share in the clear, but for those that belong to runs (run_keys.h). A new generation comes into force in two steps: every holder
// has its share on disk; then the manifest is written down here; then each holder is told to erase what came before, again and again until it
// has said so. So a crash at any point leaves k shares of one generation, and it is known which.
#pragma once

#include <functional>

#include "node/api_secret.h"
#include "node/core.h"
#include "node/secret_messages.h"
#include "object/zone_keys.h"

namespace selvedge::node {

constexpr size_t kSecretsMax = 4096;
constexpr size_t kSecretsOfferedMax = 1024;
constexpr size_t kSecretLeavesMax = 4096;
constexpr size_t kSecretAsksMax = 8192;
constexpr size_t kGatheringsMax = 64;
constexpr Duration kSecretAskTimeout = seconds(20);
/// How long a holder that is not connected is waited for.
constexpr Duration kGatherTimeout = seconds(10);

/// What a holder is still to be told.
struct Unsettled {
  crypto::PublicKey node;
  uint64_t generation = 0;
  SettleAction action = SettleAction::kKeep;
  template <class V> void visit(V& v) { v("node", node); v("generation", generation); v("action", action); }
};
/// A secret of this owner, as it lies on disk.
struct OwnedSecret {
  Bytes manifest;  // signed, of the generation in force
  bool removed = false;
  std::vector<Unsettled> unsettled;
  template <class V> void visit(V& v) { v("manifest", manifest); v("removed", removed); v("unsettled", unsettled); }
};
/// Another owner's secret that this node may ask for.
struct OfferedSecret {
  Bytes manifest;
  Bytes capability;
  template <class V> void visit(V& v) { v("manifest", manifest); v("capability", capability); }
};
/// Leave that this owner gave to another node.
struct SecretLeave {
  object::SecretId secret;
  Bytes capability;  // signed
  bool denied = false;
  template <class V> void visit(V& v) { v("secret", secret); v("capability", capability); v("denied", denied); }
};

class Secrets {
 public:
  explicit Secrets(Core& core) : core_(core) {}

  using OnInfo = std::function<void(Turn&, Result<SecretInfo>)>;
  using OnReleased = std::function<void(Turn&, Result<SecretReleaseAnswer>)>;
  using OnLeave = std::function<void(Turn&, Result<SecretLeaveAnswer>)>;

  /// Revokes a capability of this owner's and answers when that is on disk; whoever composes the node plugs it in.
  std::function<void(Turn&, const object::ObjectId& capability, Core::OnStatus)> on_deny;

  /// At start: what is on disk.
  void restore(Turn& turn);
  Result<SecretPrepareAnswer> prepare(Instant now, const SecretPrepareRequest& request) const;
  void store(Turn& turn, const SecretStoreRequest& request, OnInfo then);
  void release(Turn& turn, const SecretReleaseRequest& request, OnReleased then);
  void refresh(Turn& turn, const std::string& name, OnInfo then);
  void reshare(Turn& turn, const SecretReshareRequest& request, OnInfo then);
  void remove(Turn& turn, const std::string& name, OnInfo then);
  void allow(Turn& turn, const SecretAllowRequest& request, OnLeave then);
  void deny(Turn& turn, const SecretDenyRequest& request, OnLeave then);
  // ---- secrets of runs, which the node itself makes and opens (secrets_run.cc)
  /// Shares `plain` among these nodes, under a name of this owner. Errors as prepare() and store().
  void keep(Turn& turn, const std::string& name, ByteView plain, uint32_t threshold, const std::vector<NodeKey>& holders, uint64_t seconds, OnInfo then);
  /// The manifest of that secret, and leave for another node to ask its holders until the secret's end. Nothing is written down: it falls with the secret.
  Result<object::KeyLeave> leave_for(Instant now, const std::string& name, const NodeKey& node);
  /// With leave that another owner's offer brought: asks as many holders as it takes, and combines what they give.
  void open(Turn& turn, const object::KeyLeave& leave, const std::string& purpose, std::function<void(Turn&, Result<crypto::LockedBytes>)> then);

  /// Capabilities by which that node may ask for secrets of this owner.
  std::vector<object::ObjectId> leaves_of(const NodeKey& node) const;
  std::vector<SecretInfo> list() const;

  void on_message(Turn& turn, const NodeKey& from, const SecretMessages::Message& message);
  void on_peer_up(Turn& turn, const NodeKey& peer);
  void on_peer_down(Turn& turn, const NodeKey& peer);
  void on_deadline(Turn& turn);
  Instant next_deadline() const;

 private:
  using Manifest = object::Signed<object::SecretManifest>;
  struct Owned {
    Manifest manifest;
    bool removed;
    std::vector<Unsettled> unsettled;
    bool busy = false;  // something is under way that ends in another generation
  };
  struct Offered {
    Manifest manifest;
    object::Signed<object::Capability> capability;
  };
  struct Leave {
    object::SecretId secret;
    object::Signed<object::Capability> capability;
    bool denied;
  };
  using Reply = std::variant<ShareStored, ShareGiven, ReshareDealt>;
  using OnReply = std::function<void(Turn&, Result<Reply>)>;
  struct Ask {
    NodeKey to;
    Instant until;
    OnReply then;
  };
  struct Refused {
    NodeKey node;
    Error why;
  };
  struct Got {
    NodeKey node;
    Reply reply;
  };
  /// One question to as many holders of a secret as it takes.
  struct Gathering {
    object::SecretManifest manifest;
    std::variant<ShareAsk, ReshareAsk> question;
    std::vector<NodeKey> left;  // not asked yet
    size_t asking = 0;
    std::vector<Got> got;
    std::vector<Refused> refused;
    Instant until;
    std::function<Status(Turn&, const NodeKey&, const Reply&)> check;
    std::function<void(Turn&, std::vector<Got>, std::vector<Refused>)> then;
  };
  /// A holder to be, as it was found.
  struct Candidate {
    NodeKey node;
    crypto::PublicKey owner;
    crypto::SealPublicKey seal_key;
    std::vector<std::string> addresses;
  };

  const object::Signed<object::NodeRecord>* record_of(const NodeKey& node) const;
  Result<std::vector<Candidate>> candidates(Instant now, const std::vector<std::string>& holders, size_t threshold, bool one_owner) const;
  Result<Candidate> candidate(Instant now, const std::string& text) const;
  Owned* find_own(const std::string& name);
  /// An own secret on which nothing is under way.
  Result<Owned*> idle_own(const std::string& name);
  /// By "OWNER/NAME": who offers a secret is part of its name, so that a stranger cannot offer one under a name that is trusted.
  Result<Offered*> find_offered(const std::string& name);
  SecretInfo info_of(const object::SecretManifest& manifest) const;
  SecretInfo info_of(const Owned& owned) const;

  template <class Message>
  void ask(Turn& turn, const NodeKey& to, Message message, OnReply then);
  void answered(Turn& turn, const NodeKey& from, uint64_t request, Reply reply);
  void gather(Turn& turn, Gathering gathering);
  void pump(Turn& turn, uint64_t id);
  void end_gathering(Turn& turn, uint64_t id);
  void ask_release(Turn& turn, const SecretReleaseRequest& request, const Manifest& manifest, const std::vector<Bytes>& capabilities, OnReleased then);
  void released(Turn& turn, const SecretReleaseRequest& request, const Manifest& manifest, const object::Unique& nonce, std::vector<Got> got,
                std::vector<Refused> refused, OnReleased then);
  /// Takes over a later generation of another owner's secret that a holder's answer told of.
  void learn_generation(Turn& turn, const ShareGiven& given);

  using Deliveries = std::vector<std::pair<NodeKey, std::variant<object::DealtShare, object::RefreshShare, object::ReshareShare>>>;
  /// Brings the shares of a generation to its holders, and puts it into force once all of them have theirs.
  void bring(Turn& turn, Manifest manifest, Deliveries deliveries, std::vector<NodeKey> leaving, OnInfo then);
  void put_in_force(Turn& turn, Manifest manifest, std::vector<NodeKey> leaving, OnInfo then);
  void take_back(Turn& turn, const Manifest& manifest, const std::vector<Refused>& refused, OnInfo then);
  void deal_zero(Turn& turn, const Manifest& old, OnInfo then);
  void reshared(Turn& turn, const Manifest& old, object::SecretManifest fresh, std::vector<Got> got, OnInfo then);
  void settle(Turn& turn, const object::SecretId& secret);
  void settled(Turn& turn, const object::SecretId& secret, const Unsettled& what, const Result<Reply>& reply);
  void write(Turn& turn, const Owned& owned, Core::OnStatus then);
  void on_offer(Turn& turn, const NodeKey& from, const SecretOffer& offer);

  Core& core_;
  std::map<object::SecretId, Owned> owned_;
  std::map<object::SecretId, Offered> offered_;
  std::map<object::ObjectId, Leave> leaves_;
  std::map<uint64_t, Ask> asks_;
  std::map<uint64_t, Gathering> gatherings_;
  uint64_t last_ask_ = 0;
  uint64_t last_gathering_ = 0;
};

}  // namespace selvedge::node
