// Workshop: the part of a node that runs others' tasks on this machine, under leases.
//
// It owns the leases and the executor. An offer is opened, put before authorize() and only then accepted; what the task
// needs is fetched with the keys sealed in the offer, and nothing else can be opened with them. A lease in force has a handle; each domain
// is started with it, and a result that comes back without the handle of a lease in force is thrown away. Grants, leases and
// receipts are written down before anyone is told of them.
#pragma once

#include "node/api.h"
#include "node/core.h"
#include "work/dtaps.h"
#include "work/leases.h"
#include "work/shaper.h"
#include "work/state_parts.h"

namespace selvedge::node {

class Workshop {
 public:
  explicit Workshop(Core& core)
      : core_(core), executor_(*core.config.node, core.drbg.fork()), handles_(core.drbg.fork()), dtaps_(core.config.processors) {}

  // ---- leases
  using OnGrant = std::function<void(Turn&, Result<object::Signed<object::Grant>>)>;
  /// Signs a grant for an origin, writes it down, opens the lease and tells the origin if it is connected. `machine` is this one or another
  /// device of the same owner, which is sent the grant and opens the lease itself. Errors: kUnauthorized without the owner's key, kInvalid, kIo.
  void give(Turn& turn, const GrantGiveRequest& request, const NodeKey& machine, OnGrant then);
  /// The same for a grant of any classes; owner, node and nonce are filled in here.
  void give(Turn& turn, object::Grant grant, const NodeKey& machine, OnGrant then);
  /// A grant for this machine that its owner signed on another device. One that is known is no error.
  void adopt(Turn& turn, object::Signed<object::Grant> grant);
  /// A machine of this owner has a new key: signs its grants anew for it, in place of those for the old one. `kind` says where they lie: given
  /// by this machine, or for another device. Needs the owner's key; without it nothing happens.
  void reissue(Turn& turn, Record kind, const NodeKey& old_key, const NodeKey& fresh);
  /// Ends every lease whose grant, origin or machine was revoked by other means than `change`.
  void enforce_revocations(Turn& turn);
  using OnLease = std::function<void(Turn&, Result<LeaseChangeAnswer>)>;
  void change(Turn& turn, const LeaseChangeRequest& request, OnLease then);
  using OnThrottle = std::function<void(Turn&, Result<LeaseThrottleAnswer>)>;
  /// Answers when the disk has it; the pace changes before. Errors: kNotFound, kInvalid (it may not compute, or has ended), kIo.
  void throttle(Turn& turn, const LeaseThrottleRequest& request, OnThrottle then);
  /// At start: a grant that was on disk.
  void restore(Turn& turn, object::Signed<object::Grant> grant);
  std::vector<LeaseInfo> list() const;
  DomainListAnswer domains() const;
  /// Tells `peer`, a node of `origin`, which of its leases are in force here.
  void tell_leases(Turn& turn, const NodeKey& peer, const crypto::PublicKey& origin);
  const work::Leases& leases() const { return leases_; }
  /// Called when a lease ends, with its grant.
  std::function<void(Turn&, const object::Signed<object::Grant>&)> on_lease_ended;
  /// Called whenever a lease is in another stage.
  std::function<void(Turn&, const object::ObjectId& grant)> on_lease_stage;

  // ---- tasks
  /// Has the holders of a run's secret asked (RunKeys::open); whoever composes the node plugs it in, or such offers are refused.
  std::function<void(Turn&, const object::KeyLeave&, const work::TaskId&, std::function<void(Turn&, Result<std::vector<object::ObjectKey>>)>)> open_keys;
  /// Which programs run here: by content id, by an entry's name, or by what their origin calls them, with or without ".wasm". Empty: all.
  std::vector<std::string> takes;
  void on_message(Turn& turn, const NodeKey& from, const work::WorkMessages::Message& message);
  void on_domain(Turn& turn, const work::TaskId& task, const object::Handle& lease_cap, work::DomainResult result);
  void on_state(Turn& turn, const work::TaskId& task, const object::Handle& lease_cap, uint64_t fuel, Bytes state);
  void on_signals(Turn& turn, const work::Signals& signals);
  void on_uses(const std::vector<work::TaskUse>& uses);
  void on_violation(Turn& turn, uint64_t lease_number, work::Violation violation);
  void on_deadline(Turn& turn);
  Instant next_deadline() const;
  size_t active() const { return executor_.active(); }

  // ---- services (hosting.h)
  /// Puts an offer before authorize() as for a task, and has its program brought here: on_program follows. Errors: as an offer is refused with.
  Status take_program(Turn& turn, const NodeKey& from, object::Signed<object::TaskOffer> offer) { return take(turn, from, std::move(offer), {}, Purpose::kServe); }
  std::function<void(Turn&, const work::TaskId&, Result<work::Program>)> on_program;
  /// One request as a task of the lease of this grant; its answer comes to Node::on_domain. Errors: kUnavailable (the lease is paused, or the machine needs all for itself), kRevoked, kExpired.
  Status run_request(Turn& turn, const object::ObjectId& grant, work::RunDomain run);
  void cancel_request(Turn& turn, const work::TaskId& request) { turn.out.push(CancelTask{request}); }
  /// What it used goes onto the meters of its lease. Errors: kUnauthorized (it came without the lease's handle, and does not count).
  Status request_done(Turn& turn, const object::ObjectId& grant, const work::TaskId& request, const object::Handle& lease_cap, const work::DomainResult& result);

  bool lends_processor() const;

 private:
  void open_given(Turn& turn, const object::Signed<object::Grant>& given);
  void revoke(Turn& turn, const work::LeaseEntry& lease, object::RevocationReason reason, Core::OnStatus then);
  void on_offer(Turn& turn, const NodeKey& from, const work::Offer& offer);
  enum class Purpose : uint8_t { kRun, kServe };
  bool taken_kind(const object::TaskSpec& spec) const;
  Status take(Turn& turn, const NodeKey& from, object::Signed<object::TaskOffer> offer, Bytes state, Purpose purpose);
  Result<work::LeaseEntry*> lease_for(Turn& turn, const NodeKey& from, const object::Signed<object::TaskOffer>& offer, std::vector<object::ObjectId>& chain);
  Status take_with(Turn& turn, const NodeKey& from, object::Signed<object::TaskOffer> offer, Bytes state, Purpose purpose, std::vector<object::ObjectKey> keys);
  /// The keys are to be asked for; what is then said goes to `from`.
  Status ask_for_keys(Turn& turn, const NodeKey& from, object::Signed<object::TaskOffer> offer, Bytes state, const object::KeyLeave& leave);
  Status check_running(Turn& turn, const work::TaskId& task, const object::Handle& lease_cap);
  void note_bundle(Turn& turn, const object::ObjectId& lease, const object::ObjectId& bundle, const Bytes& manifest);
  void route(Turn& turn, work::Executor::Out& effects);
  void route(Turn& turn, work::Leases::Out& effects);
  void route(Turn& turn, work::Dtaps::Out& effects);
  /// Ends what the lease runs; the lease goes on.
  void end_tasks(Turn& turn, uint64_t lease_number, const Error& why);
  /// To how many thousandths of a processor its owner holds it; 0: to its grant.
  uint32_t throttle_of(const object::ObjectId& grant) const;
  void set_pace(Turn& turn, const work::LeaseEntry& lease, uint32_t throttle_permille);
  void task_started(Turn& turn, const work::TaskId& task, uint64_t lease_number);
  void task_ended(Turn& turn, const work::TaskId& task);
  void need_blob(Turn& turn, const work::TaskId& task, const codec::Cid& cid);
  void blob_part(Turn& turn, const work::TaskId& task, const codec::Cid& cid, size_t index, Result<Bytes> part);
  void blob_here(Turn& turn, const work::TaskId& task, const codec::Cid& cid, Result<Bytes> content);
  void keep_receipt(Turn& turn, const work::KeepReceipt& keep);
  /// Calls `then` when the lease's share of the network allows so many bytes, if the lease is still in force.
  void when_due(Turn& turn, uint64_t lease_number, uint64_t bytes, std::function<void(Turn&)> then);
  void run_delayed(Turn& turn);
  void tell_lease(Turn& turn, const work::LeaseEntry& lease);
  /// A lease in force yields a handle, which its domains hold in place of authority. spec: WF 4.3.3
  void open_cap(Turn& turn, work::LeaseEntry& lease);
  /// Whether `cap` is the handle of this lease and the lease is in force. Errors: kUnauthorized, kExpired, kRevoked.
  Status check_cap(Instant now, const object::Handle& cap, const work::LeaseEntry& lease);
  std::optional<Bytes> lease_object(const work::LeaseEntry& lease) const;

  /// What fetching needs of an offer, kept while the task gathers.
  struct Supply {
    uint64_t lease_number = 0;
    std::vector<object::ObjectKey> keys;
    std::vector<object::BlobRef> blobs;
    std::vector<NodeKey> holders;
    std::vector<Bytes> capabilities;
    struct Parts { std::vector<std::optional<Bytes>> parts; size_t left = 0; };
    std::map<codec::Cid, Parts> gathering;
    Instant forget_at;
  };
  Core& core_;
  work::Leases leases_;
  work::Executor executor_;
  object::HandleTable handles_;
  std::map<work::TaskId, Supply> supplies_;
  std::set<work::TaskId> asking_keys_;
  work::StateParts states_;
  /// States that their offers have not followed yet.
  std::map<std::pair<NodeKey, work::TaskId>, Bytes> begun_;
  void on_state_part(Turn& turn, const NodeKey& from, const work::TaskState& part);
  std::set<std::pair<object::ObjectId, object::ObjectId>> bundles_;  // lease and bundle, since this process began
  work::Dtaps dtaps_;
  /// What the domain of a lease has to do: tasks given to it, and what befell since the one that runs was its turn.
  struct Busy {
    size_t tasks = 0;
    work::Degraded degraded = 0;
    uint32_t violations = 0;
    work::TaskUse used{};     // by the one that runs
  };
  struct Delayed {
    uint64_t lease_number;
    std::function<void(Turn&)> then;
  };
  work::Shaper shaper_;
  std::multimap<Instant, Delayed> delayed_;
  std::map<uint64_t, Busy> busy_;                     // by lease number
  std::map<work::TaskId, uint64_t> with_domains_;     // tasks not answered yet, also of those nobody wants any more; their lease's number
};

}  // namespace selvedge::node
