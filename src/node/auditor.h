// Auditor: this node's audit log as others may trust it, and this node as a witness of others' logs.
//
// When entries have come, at most once a second, the auditor signs a checkpoint of what is on disk and asks its witnesses to cosign it: the
// owner's other nodes, and whoever an issuer set of the zone's policy lets do "audit.cosign". A witness cosigns a checkpoint that goes on from the
// last one it cosigned of that log, written down before it answers; so a log that was cut, rewritten or rolled back finds no witness any
// more. With as many distinct cosigners as the policy's audit_quorum asks for the head is complete: a signed AuditHead.
//
// Two trees of one size, a proof that does not hold, or a log that is suddenly shorter are evidence: both signed checkpoints are
// kept, an entry says so, and `selvedge audit head` shows it until the owner has dealt with it.
//
// Invariants:
//  - A checkpoint covers only entries that are on disk, and never contradicts one that this node signed before.
//  - When this node finds that its own log is behind what a witness has seen (its store was rolled back), it signs no more checkpoints.
//  - A cosignature leaves only after the tree it stands for is on disk as the last one cosigned.
//
// Owned by Node, which wires it to the Core.
#pragma once

#include "node/api_audit.h"
#include "node/audit_log.h"
#include "node/audit_messages.h"
#include "object/audit_head.h"

namespace selvedge::node {

inline constexpr Duration kAuditHeadPause = seconds(1);
/// How long a new checkpoint waits for the witnesses of the one before.
inline constexpr Duration kAuditWitnessPatience = seconds(10);
/// And who asks for the head.
inline constexpr Duration kAuditHeadPatience = seconds(2);
inline constexpr size_t kAuditHeadWaitersMax = 64;
inline constexpr size_t kAuditWitnessedMax = 1024;
inline constexpr size_t kAuditEvidenceMax = 64;
/// Asked again with the size that the witness named, at most so often for one checkpoint.
inline constexpr int kAuditAsksMax = 4;

class Auditor {
 public:
  explicit Auditor(Core& core);

  /// At start, after the records are there. Errors: kIntegrity when the log on this disk cannot be read.
  Status start(Turn& turn);
  void on_peer_up(Turn& turn, const NodeKey& peer);
  void on_peer_down(Turn& turn, const NodeKey& peer);
  void on_message(Turn& turn, const NodeKey& from, const AuditMessages::Message& message);
  void on_deadline(Turn& turn);
  Instant next_deadline() const;

  /// "ENTRIES ROOT" of what is on disk. Errors: kUnavailable for a log that signs no more.
  Result<std::string> height() const;

  // ---- for the local API; every answer is an error when the log or its disk cannot give it
  using OnHead = std::function<void(Turn&, const AuditHeadAnswer&)>;
  /// Of all that is on disk; waits a moment for the witnesses that are asked.
  void head(Turn& turn, OnHead then);
  using OnList = std::function<void(Turn&, Result<AuditListAnswer>)>;
  void list(Turn& turn, const AuditListRequest& request, OnList then);
  using OnProve = std::function<void(Turn&, Result<AuditProveAnswer>)>;
  void prove(Turn& turn, const AuditProveRequest& request, OnProve then);
  using OnExport = std::function<void(Turn&, Result<AuditExportAnswer>)>;
  void export_to(Turn& turn, const AuditExportRequest& request, OnExport then);

 private:
  struct Head {
    object::Checkpoint checkpoint;
    codec::SignedNote note;
    std::map<NodeKey, uint64_t> cosigners;  // and when
    Instant made;
  };
  /// What is known of a node that is asked to cosign.
  struct Witness {
    uint64_t last_size = 0;    // of what it cosigned last, as far as known
    uint64_t request = 0;      // the newest that was sent
    uint64_t asked_size = 0;   // of its checkpoint
    Instant asked_until = Instant::never();  // never: nothing is asked
    int asks = 0;              // about the newest checkpoint
    bool refused = false;      // does not cosign for this log; until the next session
  };

  // ---- the log's side (auditor.cc)
  Status restore_head(Turn& turn);
  void check_restored_head(Turn& turn);
  void go_on_under_new_key(Turn& turn, const NodeKey& old_key, const Bytes& last_note);
  void make_head(Turn& turn);
  /// A checkpoint of all that is on disk, whatever the time; false when this log signs no more.
  bool head_now(Turn& turn);
  void keep_head(Turn& turn);
  void ask_all(Turn& turn);
  void ask(Turn& turn, const NodeKey& peer);
  void on_answer(Turn& turn, const NodeKey& from, const AddCheckpointAnswer& answer);
  void on_cosigned(Turn& turn, const NodeKey& from, const std::string& lines);
  void complete_head(Turn& turn);
  void stop_log(Turn& turn, std::string why);
  bool counts_as_witness(const NodeKey& peer) const;
  bool names_in_policy(const crypto::PublicKey& zone_owner, const NodeKey& node, const crypto::PublicKey& owner) const;
  const object::Signed<object::ZonePolicy>* policy() const { return core_.authority.policy(core_.zone()); }
  uint32_t quorum() const { return policy() == nullptr ? 0 : policy()->body.audit_quorum; }

  // ---- the witness's side (audit_witness.cc)
  void on_ask(Turn& turn, const NodeKey& from, const AddCheckpointAsk& ask);
  void cosign(Turn& turn, const NodeKey& log, uint64_t request, const object::WitnessVerdict& verdict, const std::string& note);
  void keep_evidence(Turn& turn, const NodeKey& log, std::string why, const std::string& first, const std::string& second);
  void answer_ask(Turn& turn, const NodeKey& to, uint64_t request, object::WitnessStatus status, std::string body);

  // ---- the API's side (audit_queries.cc)
  struct Listing;
  void list_bundle(Turn& turn, std::shared_ptr<Listing> listing);
  struct Search;
  void search_bundle(Turn& turn, std::shared_ptr<Search> search);
  void prove_index(Turn& turn, uint64_t index, OnProve then);
  struct Export;
  void export_next(Turn& turn, std::shared_ptr<Export> job);
  std::string best_note(uint64_t size_min) const;
  AuditHeadAnswer head_answer() const;
  bool asking() const;
  void settle_heads(Turn& turn);

  Core& core_;
  AuditLog log_;
  std::optional<Head> head_;
  uint64_t complete_size_ = 0;
  Instant head_not_before_{0};
  uint64_t last_request_ = 0;
  std::string stopped_;  // why this log signs no more
  struct HeadWaiter {
    Instant until;
    OnHead then;
  };
  std::deque<HeadWaiter> head_waiters_;
  std::map<NodeKey, Witness> witnesses_;  // of the sessions that are up
};

}  // namespace selvedge::node
