// Core: what every part of a node shares: its keys, its store, its sessions, and the ways to have something done.
//
// A part asks for disk, worker, file or symbol work and names what to do with the answer; Core issues the effect under
// a token and calls the continuation when the answer comes in as an input. Continuations hold ids, never pointers into
// a part's state, because that state may be gone by then. A message to oneself takes the same road as any other, at
// the end of the turn, so that no part is entered twice.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>

#include "crypto/seal.h"
#include "crypto/vrf.h"
#include "mesh/fetch.h"
#include "mesh/spread.h"
#include "mesh/streams.h"
#include "node/authority.h"
#include "node/effects.h"
#include "node/roles.h"
#include "object/audit_entry.h"
#include "store/store.h"
#include "work/messages.h"

namespace selvedge::node {

/// Where an owner's data goes when no zone is named.
inline constexpr const char* kZoneName = "private";
inline constexpr size_t kOwnZonesMax = 64;
inline constexpr size_t kDevicesMax = 64;
/// Of a key, to name a node by its beginning.
inline constexpr size_t kNodePrefixMin = 4;

/// Whether the store is what this node left, or an empty one for a node that was before: then the owner's index is looked for
/// on hosts before anything is written that could take its place.
enum class Birth : uint8_t { kKnown, kRestored };

/// Everything a node is given at its start. The signers, keys and verifier outlive the node.
struct NodeConfig {
  const crypto::Signer* owner = nullptr;  // null on a device that does not hold the owner's key
  std::optional<crypto::Seed> zone_root;  // there exactly where `owner` is
  Bytes record;                           // where `owner` is null: the signed NodeRecord by which the owner says that it is theirs
  const crypto::Signer* node = nullptr;
  const crypto::SealKeyPair* seal = nullptr;
  std::optional<NodeKey> succeeds;        // the key that this node had before
  const crypto::Verifier* verifier = nullptr;
  Instant started;                        // now, when the node is made
  uint32_t processors = 1;                // of this machine
  crypto::Seed random;                    // seeds every generator of the node
  std::string label;                      // what the owner calls this device
  std::vector<object::Holder> hosts;      // where nodes may be, from a backup or an enrolment
  Birth birth = Birth::kKnown;
  std::vector<std::string> addresses;     // where this node can be dialled, for its tickets
  std::string version;
  const crypto::VrfKeyPair* vrf = nullptr;  // of this node's beacon; null: it has none
  crypto::Seed identity_secret;           // from which its keys towards origins follow (object/identity.h)
  /// The highest tier that an Attest effect can reach here, and for a person what higher tiers lack.
  object::IdentityTier attestation = object::IdentityTier::kSoftware;
  std::string attestation_missing = "this node was started without a TPM (selvedge up --tpm device:/dev/tpmrm0)";
  /// How a key of the node's own making signs; a simulation puts in its own.
  std::function<std::unique_ptr<crypto::Signer>(const crypto::Seed&)> make_signer = [](const crypto::Seed& seed) -> std::unique_ptr<crypto::Signer> {
    return std::make_unique<crypto::Ed25519Signer>(seed);
  };
  work::Isolation isolation = work::Isolation::kProcess;  // of the programs that run here,
  std::string isolation_text = "process";                // and for a person
  std::shared_ptr<fountain::PlanCache> plans;
  store::Limits limits;
  Roles roles = 0;
  PathPolicy paths = PathPolicy::kRelayOk;
  std::vector<mesh::HintSource> hint_sources;  // who is asked where other nodes are
};

/// What the transport gives as the address of a way through a relay.
inline constexpr const char* kCircuitAddress = "circuit";

/// One input being handled: when, and where its effects go.
struct Turn {
  Instant now;
  Outbox<Effect>& out;
};

/// The kinds of records in the store. The numbers are on disk: never reuse one.
enum class Record : store::RecordKind {
  kPeer = 1,           // by node key: PeerRecord
  kGrantGiven = 2,     // by grant: signed Grant
  kGrantReceived = 3,  // by grant: signed Grant
  kRevocation = 4,     // by object: signed Revocation
  kPolicy = 5,         // by zone: signed ZonePolicy
  kBlob = 6,           // by content digest: Blob
  kPlacement = 7,      // by object: mesh::Placement
  kBanned = 8,         // by node key: why
  kLease = 9,          // by grant: signed Lease
  kNodeRecord = 10,    // by node key: signed NodeRecord, this node's own
  kPaused = 11,        // by grant: empty; its lease is paused until the owner resumes it
  kZoneKey = 12,       // by zone and epoch (zones.h): signed ZoneKeyEpoch
  kDevice = 13,        // by node key: signed NodeRecord of a device of the same owner
  kIndexSeen = 14,     // by writer of index entries: how far they are known here; by zero: this store's own writer
  kDeviceGrant = 15,   // by grant: signed Grant that this device signed for another machine of the same owner
  kHostZones = 16,     // by node key: the zones whose policies a host was told
  kAlert = 17,         // by object: signed Alert
  kIndexCopy = 18,     // by zero: what of the index is kept on hosts (index_copy.h)
  kAuditEntry = 20,    // by index: an entry of the audit log that is not sealed yet (audit_log.h)
  kAuditHead = 21,     // 0: the newest checkpoint; 1: the newest signed AuditHead with a quorum (auditor.h)
  kAuditWitnessed = 22,  // by node key: the checkpoint of its log that was cosigned last
  kAuditEvidence = 23,   // by its hash: how a log contradicted itself
  kAuditEdge = 24,     // 0: the rows of the audit log's higher levels
  kPermission = 25,    // by request: AskedPermission (consent.h)
  kDecision = 26,      // by origin and class: RememberedDecision
  kShare = 60,         // by hash of owner, secret and generation: HeldShare (vault.h)
  kSecret = 61,        // by secret: OwnedSecret, this owner's (secrets.h)
  kSecretOffered = 62, // by secret: OfferedSecret, another owner's that this node may ask for
  kSecretLeave = 63,   // by capability: SecretLeave, given to another for a secret of this owner
  kIntent = 74,        // by service key: Intent, a service that is to run on machines of others (deployer.h)
  kStateHead = 75,     // by service key: StateHead, a copy of a service's state (states.h)
  kStateValue = 76,    // by hash of service key and slot: StateValue, of such a copy
  kStateTerm = 77,     // by service key: StateTerm, who holds the state of a service of this owner's (state_keeper.h)
  kThrottled = 73,     // by grant: to how many thousandths of a processor its owner holds it, 4 bytes big-endian
  kExposed = 72,       // by service key: Exposed (services.h)
  kAnnounce = 71,      // by node key: Announced, whom this node tells where it is (discovery.h)
  kPageProgram = 90,   // by the SHA-256 of its name: PageProgram, published for visitors' pages (page_jobs.h)
  kRelayUsed = 70,     // by handle: RelayUsed, a relay through which this node can be reached (meetings.h)
};

template <class To, class From>
To convert(const From& from) {
  static_assert(To::kSize == From::kSize);
  To to;
  to.bytes = from.bytes;
  return to;
}

/// A zone of this node's owner, as far as this device has its keys.
struct OwnZone {
  std::string name;
  uint64_t epoch = 0;                              // seals what is new; 0: no key of it is here
  std::shared_ptr<const object::ZoneKeys> keys;
};

/// What goes into the audit log beside the bytes of the thing itself.
enum class AuditBytes : uint8_t { kWithin, kElsewhere };
struct AuditNote {
  object::AuditKind kind = object::AuditKind::kNode;
  crypto::Digest subject;                    // the object's id; zero: the SHA-256 of its bytes
  std::string detail;                        // one line for a person
  AuditBytes bytes = AuditBytes::kWithin;    // kElsewhere: this node keeps them anyway, so the entry holds their hash alone
};

class Core {
 public:
  explicit Core(NodeConfig config);
  /// Whether a node can be made of it. Errors: kUnauthorized (no record by the owner, or one for another node).
  static Status check(const NodeConfig& config);

  const NodeKey& self() const { return config.node->public_key(); }
  const crypto::PublicKey& owner() const { return record.body.owner; }
  bool holds_root() const { return config.owner != nullptr; }
  /// Errors: kUnauthorized, with the command to give on the device that does hold the owner's key.
  Status need_root(const std::string& command) const;
  /// This node's record from now on.
  void set_record(object::Signed<object::NodeRecord> record);
  /// Whether a node, of whatever owner, was taken back by its owner.
  bool revoked_device(const NodeKey& node, const crypto::PublicKey& by, Instant now) const;

  // ---- zones of this owner
  object::ZoneId zone() const { return object::zone_id(owner(), kZoneName); }
  const OwnZone* find_zone(const object::ZoneId& zone) const;
  /// Errors: kNotFound, naming those there are.
  Result<object::ZoneId> zone_named(const std::string& name) const;
  std::string zone_name(const object::ZoneId& zone) const;
  /// A node by its key or the beginning of it, among those that are known. Errors: kInvalid (too short, or several begin so), kNotFound.
  Result<NodeKey> find_node(const std::string& text) const;

  // ---- having things done
  using OnStatus = std::function<void(Turn&, const Status&)>;
  using OnComputed = std::function<void(Turn&, ComputeResult)>;
  using OnAttested = std::function<void(Turn&, Result<object::Attestation>)>;
  using OnBytes = std::function<void(Turn&, Result<Bytes>)>;
  using OnLoaded = std::function<void(Turn&, store::Loaded)>;
  using OnSpread = std::function<void(Turn&, const mesh::Spread&)>;
  using OnStopped = std::function<void(Turn&)>;

  void put_record(Turn& turn, Record kind, ByteView id, Bytes value, OnStatus then);
  void erase_record(Turn& turn, Record kind, ByteView id, OnStatus then);
  const Bytes* find_record(Record kind, ByteView id) const;
  /// All records of a kind, in id order.
  std::vector<store::RecordRef> records(Record kind) const;
  /// Something happened that an owner will want to prove: an entry of the audit log, in this turn. Where a record or receipt stands for
  /// it, use the two below: then a crash keeps both or neither.
  void audit(Turn& turn, AuditNote note, ByteView bytes);
  /// put_record() and the audit entry about it, as one write. A record that is there already, with these bytes, adds no entry.
  void put_audited(Turn& turn, Record kind, ByteView id, Bytes value, AuditNote note, OnStatus then);
  void erase_audited(Turn& turn, Record kind, ByteView id, AuditNote note, OnStatus then);
  /// A receipt of `origin`'s log and the audit entry about it, as one write.
  void keep_receipt(Turn& turn, const crypto::PublicKey& origin, Bytes receipt, AuditNote note, OnStatus then);
  /// Calls `then` once every entry made so far is on disk: for what must not leave this node unless it is written down that it did.
  /// Errors: kLimit when the log could not take one of them.
  void after_audit(Turn& turn, OnStatus then);
  /// Where entries go, and who waits for them; Node plugs the Auditor in.
  std::function<void(Turn&, object::AuditEntry)> on_audit;
  std::function<void(Turn&, OnStatus)> on_after_audit;

  /// A cookie for a store call; `then` is called when the store answers it.
  uint64_t expect_stored(OnStatus then);
  uint64_t expect_loaded(OnLoaded then);
  void forget_loaded(uint64_t cookie) { loaded_.erase(cookie); }
  void forget_stored(uint64_t cookie) { stored_.erase(cookie); }
  /// For a store call that answered kDurable: nothing follows, so the continuation runs now.
  void settle_now(Turn& turn, uint64_t cookie, const Status& status);

  void compute(Turn& turn, ComputeJob job, OnComputed then);
  void attest(Turn& turn, object::AttestationRequest request, OnAttested then);
  void fetch(Turn& turn, mesh::FetchRequest request, OnBytes then);
  void spread(Turn& turn, std::vector<mesh::EncodedShare> shares, OnSpread then);
  void read_file(Turn& turn, const std::string& path, uint64_t offset, uint64_t bytes_max, OnBytes then);
  void write_file(Turn& turn, const std::string& path, uint64_t offset, Bytes bytes, bool last, OnStatus then);
  void stop_tasks(Turn& turn, uint64_t lease_number, OnStopped then);

  /// False when there is no session with `peer`.
  bool send(Turn& turn, const NodeKey& peer, Bytes message);
  /// Signed objects, in as many messages as it takes.
  void send_records(Turn& turn, const NodeKey& peer, const std::vector<Bytes>& objects);
  /// The largest frame that goes to a peer.
  size_t frame_bytes_max(const NodeKey& peer) const;
  bool send_symbols(Turn& turn, const NodeKey& peer, Bytes frame);
  bool reachable(const NodeKey& peer) const { return peer == self() || sessions.up(peer); }
  /// A session wants a peer dialled; Node plugs in who knows the ways.
  std::function<void(Turn&, const mesh::Dial&)> on_dial = [](Turn& turn, const mesh::Dial& dial) { turn.out.push(DialPeer{dial.peer, dial.address}); };
  void want_peer(Turn& turn, const NodeKey& peer, const std::vector<std::string>& addresses, Instant until);

  /// Where the other end of a link is, by the way that messages take, as the transport says; empty for what is not known.
  std::string address_of(LinkId link) const {
    const auto it = link_ways.find(link);
    return it == link_ways.end() || it->second.empty() ? "" : it->second.front();
  }
  std::map<LinkId, std::vector<std::string>> link_ways;

  void trace(Turn& turn, std::string text) { turn.out.push(Trace{std::move(text)}); }

  // ---- answers coming in (called by Node)
  void on_done(Turn& turn, std::vector<store::Done> done);
  void on_loaded(Turn& turn, store::Loaded loaded);
  void on_computed(Turn& turn, uint64_t token, ComputeResult result);
  void on_attested(Turn& turn, uint64_t token, Result<object::Attestation> attestation);
  void on_file_read(Turn& turn, uint64_t token, Result<Bytes> bytes);
  void on_file_written(Turn& turn, uint64_t token, const Status& status);
  void on_tasks_stopped(Turn& turn, uint64_t token);
  void route_disk(Turn& turn, Outbox<store::Effect>& effects);
  void route(Turn& turn, mesh::Fetcher::Out& effects);
  void route(Turn& turn, mesh::Spreader::Out& effects);

  struct Local { Bytes bytes; bool symbols; };

  NodeConfig config;
  crypto::Drbg drbg;
  Rng rng;
  object::Signed<object::NodeRecord> record;   // this node's own
  store::Store store;
  mesh::Sessions sessions;
  mesh::Fetcher fetcher;
  mesh::Spreader spreader;
  Authority authority;
  std::map<object::ZoneId, OwnZone> zones;
  /// Peers whose machine has said, in this session, that a lease of this owner's is in force there: it knows the zone's
  /// policy by then, so nothing sent to it is refused for want of it.
  std::set<NodeKey> serving;
  /// This home was restored and has not found its index yet: nothing is signed or stored that could take the place of what is lost.
  bool awaiting_index = false;
  std::deque<Local> to_self;                   // served at the end of the turn

 private:
  uint64_t next_token() { return ++last_token_; }
  uint64_t last_token_ = 0;
  std::map<uint64_t, OnStatus> stored_;
  std::map<uint64_t, OnLoaded> loaded_;
  std::map<uint64_t, OnComputed> computed_;
  std::map<uint64_t, OnAttested> attestations_;
  std::map<uint64_t, OnBytes> fetches_;
  std::map<uint64_t, OnSpread> spreads_;
  std::map<uint64_t, OnBytes> file_reads_;
  std::map<uint64_t, OnStatus> file_writes_;
  std::map<uint64_t, OnStopped> stops_;
};

}  // namespace selvedge::node
