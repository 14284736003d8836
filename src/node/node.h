// Node: one participant of the fabric, all roles in one machine without I/O.
//
// Inputs come in through the on_ methods, each of which appends its effects to `out` and never blocks, reads a clock or
// calls back. host/ runs one node with real sockets, disk, workers and domain processes; sim/ runs many in one process:
// the same compiled code. Same configuration, same inputs, same effects.
//
// Start: recover() for every entry of the disk's kMeta and kRecords columns, then start(). Before that nothing else.
//
// The parts: Auditor writes down what happens here, Keeper holds symbols for others, Workshop runs others' tasks, Library stores the owner's
// blobs elsewhere, Contractor has the owner's work done elsewhere, Vault holds shares of others' secrets, Secrets has the owner's held
// elsewhere, Registrar says who this node is, to each origin apart, Zones keep the owner's zones and their keys, Devices the owner's
// machines, Index what the owner has where, and PageJobs what it has done for visitors' pages. They share Core and know nothing of each other but what is wired here.
#pragma once

#include "node/auditor.h"
#include "node/consent.h"
#include "node/contractor.h"
#include "node/devices.h"
#include "node/deployer.h"
#include "node/discovery.h"
#include "node/hosting.h"
#include "node/index_copy.h"
#include "node/keeper.h"
#include "node/library.h"
#include "node/meetings.h"
#include "node/oracles.h"
#include "node/page_jobs.h"
#include "node/registrar.h"
#include "node/run_keys.h"
#include "node/secrets.h"
#include "node/services.h"
#include "node/vault.h"
#include "node/workshop.h"
#include "object/bridge.h"

namespace selvedge::node {

constexpr size_t kRequestsMax = 256;
constexpr size_t kReceiptsPerAnswerMax = 10'000;
/// Signed objects that a peer is told when a session begins.
constexpr size_t kRecordsToldMax = 4096;

class Node {
 public:
  using Out = Outbox<Effect>;
  /// Whether a node can be made of it. Errors: kUnauthorized: the device is not enrolled.
  static Status check(const NodeConfig& config) { return Core::check(config); }
  explicit Node(NodeConfig config);
  ~Node();

  Status recover(store::Column column, ByteView key, ByteView value) { return core_.store.recover(column, key, value); }
  /// Errors: kIntegrity when what was recovered cannot be this node's.
  Status start(Instant now, Out& out);

  /// Where the other end of an open link is, by each of its ways, whenever that changed; messages take the first. "circuit": through a relay.
  void on_link_ways(LinkId link, std::vector<std::string> addresses) { core_.link_ways[link] = std::move(addresses); }
  /// Much moves over the link: further ways to the peer are worth trying.
  void on_link_busy(Instant now, LinkId link, Out& out);
  void on_link_opened(Instant now, LinkId link, const NodeKey& peer, Out& out);
  void on_link_closed(Instant now, LinkId link, const Error& why, Out& out);
  void on_dial_failed(Instant now, const NodeKey& peer, const Error& why, Out& out);
  /// At the address where `peer` was dialled somebody answered who showed another key: the peer's successor, perhaps.
  void on_other_answered(Instant now, const NodeKey& peer, const std::string& address, const NodeKey& shown, Out& out);
  void on_visit_opened(Instant now, const NodeKey& provider, LinkId link, Out& out);
  void on_visit_failed(Instant now, const NodeKey& provider, const Error& why, Out& out);
  /// Packets that the transport has for a circuit.
  void on_circuit(Instant now, uint64_t circuit, size_t segment, Bytes packets, Out& out);
  void on_message(Instant now, LinkId link, ByteView message, Out& out);
  void on_symbols(Instant now, LinkId link, Bytes frame, Out& out);
  /// A request was thrown away unread because too much was waiting: whoever asked is told, where that is cheap.
  void on_message_shed(Instant now, LinkId link, ByteView message, Out& out);
  void on_symbols_shed(Instant now, LinkId link, ByteView frame, Out& out);

  /// Whether a lease is in force under which programs run here.
  bool lends_processor() const { return workshop_.lends_processor(); }

  void on_persisted(Instant now, uint64_t token, Out& out);
  void on_write_failed(Instant now, uint64_t token, const Error& error, Out& out);
  void on_loaded(Instant now, uint64_t token, std::vector<std::optional<Bytes>> values, Out& out);
  void on_load_failed(Instant now, uint64_t token, const Error& error, Out& out);
  void on_listening(Instant now, RequestId request, const Result<std::string>& address, Out& out);
  void on_local_connection(Instant now, RequestId request, SocketId socket, Out& out);
  void on_socket_connected(Instant now, SocketId socket, const Status& status, Out& out);
  void on_socket_read(Instant now, SocketId socket, Bytes bytes, Out& out);
  void on_socket_end(Instant now, SocketId socket, Out& out);
  void on_socket_written(Instant now, SocketId socket, size_t bytes, Out& out);
  void on_socket_closed(Instant now, SocketId socket, Out& out);
  /// Where others reach this node from now on. Who is told of it anyway is told soon.
  void on_addresses(Instant now, std::vector<std::string> addresses, Out& out);
  void on_hints(Instant now, uint64_t token, const Result<Bytes>& payload, Out& out);
  void on_hints_told(Instant now, uint64_t token, const Status& status, Out& out);
  void on_computed(Instant now, uint64_t token, ComputeResult result, Out& out);
  void on_attested(Instant now, uint64_t token, Result<object::Attestation> attestation, Out& out);
  void on_file_read(Instant now, uint64_t token, Result<Bytes> bytes, Out& out);
  void on_file_written(Instant now, uint64_t token, const Status& status, Out& out);
  /// `lease_cap` is what came back from the domain: without the handle of a lease in force the result does not count.
  void on_domain(Instant now, const work::TaskId& task, const object::Handle& lease_cap, work::DomainResult result, Out& out);
  /// A running task's state, as the domain wrote it down.
  void on_domain_state(Instant now, const work::TaskId& task, const object::Handle& lease_cap, uint64_t fuel, Bytes state, Out& out);
  /// What the machine's kernel shows, whenever it changed, and every second while frames suffer.
  /// A client's request to a service that runs here, whole: AnswerHttp with this id follows, unless on_http_gone comes first.
  void on_http(Instant now, uint64_t id, const crypto::PublicKey& service, const work::HttpCall& call, Out& out);
  void on_http_gone(Instant now, uint64_t id, Out& out);
  /// Has the site of a page have something done: JobNews follows. Errors: as PageAsks::ask.
  Status on_job_asked(Instant now, const NodeKey& site, const JobAsk& ask, Out& out);
  void on_job_dropped(Instant now, const NodeKey& site, uint64_t request, Out& out);
  /// Programs that this machine takes, as Workshop::takes.
  void set_programs_taken(std::vector<std::string> programs) { workshop_.takes = std::move(programs); }
  void on_signals(Instant now, const work::Signals& signals, Out& out);
  /// What runs has used so far: to be shown, and for nothing else.
  void on_uses(const std::vector<work::TaskUse>& uses) { workshop_.on_uses(uses); }
  /// A domain of the lease did what its pace or its limits do not allow.
  void on_violation(Instant now, uint64_t lease_number, work::Violation violation, Out& out);
  void on_tasks_stopped(Instant now, uint64_t token, Out& out);

  /// Answered by exactly one Answer or Refuse; long ones send Progress first.
  void on_request(Instant now, RequestId id, ApiRequest request, Out& out);
  /// Whoever asked went away.
  void on_request_withdrawn(Instant now, RequestId id, Out& out);

  /// The host brings an object that the owner signed elsewhere: a grant of this machine, a revocation, whatever the owner's devices tell each other. One that
  /// is not theirs, or in order, is passed over.
  void on_owner_record(Instant now, const Bytes& bytes, Out& out);
  /// Grants of this machine to that origin which are not taken back.
  std::vector<object::ObjectId> grants_given_to(const crypto::PublicKey& origin) const;

  void on_deadline(Instant now, Out& out);
  Instant next_deadline() const;

  const NodeKey& key() const { return core_.self(); }
  const crypto::PublicKey& owner() const { return core_.owner(); }
  /// The owner's record of this node: the host keeps it for starts without the owner's key.
  const Bytes& record() const { return core_.record.bytes; }
  /// For the host: where this node listens is known only once it does.
  void set_addresses(std::vector<std::string> addresses) { core_.config.addresses = std::move(addresses); }

 private:
  void wire();
  void wire_services();
  void wire_devices();
  Status restore_records(Turn& turn);
  void restore_peers(Turn& turn);
  void on_index_entry(Turn& turn, const IndexEntry& entry);
  void index_found(Turn& turn);
  bool knows_policy_of(const crypto::PublicKey& owner) const;
  // ---- authority of this node's owner (node_trust.cc)
  const object::Signed<object::ZonePolicy>* find_policy(const std::string& zone) const;
  /// Says anew what is revoked, where a policy asks how old that knowledge may be.
  void renew_head(Turn& turn);
  Instant head_due() const;
  void send_revocations(Turn& turn, const NodeKey& peer);
  /// Whether revocations by `issuer` that `from` brings are worth keeping here.
  bool concerns(const crypto::PublicKey& issuer, const NodeKey& from, Instant now) const;
  void on_head(Turn& turn, const NodeKey& from, const Bytes& bytes);
  void after_revocation(Turn& turn, const object::Signed<object::Revocation>& revocation);
  void finish(Turn& turn);
  void route(Turn& turn, mesh::Sessions::Out& effects);
  std::vector<Bytes> records_for(const crypto::PublicKey& owner) const;
  /// The peer's record says that its key took the place of another: what named that one names this one from now on.
  void adopt_successor(Turn& turn, const object::Signed<object::NodeRecord>& record);
  /// Who is known to stand behind a node; zero when nobody is.
  crypto::PublicKey owner_of(const NodeKey& node) const;
  void on_peer_up(Turn& turn, const NodeKey& peer);
  void on_peer_down(Turn& turn, const NodeKey& peer, const Error& why);
  void dispatch(Turn& turn, const NodeKey& from, LinkId link, ByteView message);
  void dispatch_symbols(Turn& turn, const NodeKey& from, Bytes frame);
  void on_mesh(Turn& turn, const NodeKey& from, LinkId link, mesh::MeshMessages::Message message);
  void on_page_message(Turn& turn, const NodeKey& from, LinkId link, PageMessages::Message message);
  void on_record(Turn& turn, const NodeKey& from, const Bytes& bytes);
  /// A signed object of this owner's from the copy of the index.
  void take_own_record(Turn& turn, const Bytes& bytes);
  void on_grant(Turn& turn, const NodeKey& from, const Bytes& bytes);
  void forget_ended_grants(Turn& turn);
  void on_grant_received(Turn& turn, const NodeKey& from, object::Signed<object::Grant> grant);
  void on_revocation(Turn& turn, const NodeKey& from, const Bytes& bytes);
  void on_policy(Turn& turn, const NodeKey& from, const Bytes& bytes);
  void on_lease(Turn& turn, const NodeKey& from, const Bytes& bytes);

  // ---- answers to the local API (node_api.cc)
  template <class T>
  void answer(Turn& turn, RequestId id, const T& value) { turn.out.push(Answer{id, codec::to_json_text(value)}); }
  /// A continuation that answers the request with what it gets, or refuses it.
  template <class T>
  std::function<void(Turn&, Result<T>)> reply_to(RequestId id) {
    return [this, id](Turn& turn, Result<T> value) { answer_or_refuse(turn, id, value); };
  }
  void answer_to(Turn& turn, RequestId id, const StatusRequest&);
  void answer_to(Turn& turn, RequestId id, const TicketRequest& request);
  void answer_to(Turn& turn, RequestId id, const PeerAddRequest& request);
  void add_peer(Turn& turn, RequestId id, const NodeKey& node, const crypto::PublicKey& owner, std::vector<std::string> addresses);
  void answer_to(Turn& turn, RequestId id, const PeerListRequest&);
  void answer_to(Turn& turn, RequestId id, const GrantGiveRequest& request);
  void answer_to(Turn& turn, RequestId id, const GrantListRequest&);
  void answer_to(Turn& turn, RequestId id, const LeaseListRequest&);
  void answer_to(Turn& turn, RequestId id, const LeaseChangeRequest& request);
  void answer_to(Turn& turn, RequestId id, const LeaseThrottleRequest& request);
  void answer_to(Turn& turn, RequestId id, const DomainListRequest&);
  void answer_to(Turn& turn, RequestId id, const DashOpenRequest&);
  void answer_to(Turn& turn, RequestId id, const TaskListRequest&);
  void answer_to(Turn& turn, RequestId id, const TaskMoveRequest& request);
  void answer_to(Turn& turn, RequestId id, const PutRequest& request);
  void answer_to(Turn& turn, RequestId id, const GetRequest& request);
  void answer_to(Turn& turn, RequestId id, const BlobListRequest&);
  void answer_to(Turn& turn, RequestId id, const RunRequest& request);
  void answer_to(Turn& turn, RequestId id, const ReceiptsRequest&);
  void answer_to(Turn& turn, RequestId id, const ShutdownRequest&);
  // node_api_device.cc
  void answer_to(Turn& turn, RequestId id, const DeviceListRequest&);
  void answer_to(Turn& turn, RequestId id, const DeviceEnrollRequest& request);
  void answer_to(Turn& turn, RequestId id, const DeviceLostRequest& request);
  void answer_to(Turn& turn, RequestId id, const ZoneListRequest&);
  void answer_to(Turn& turn, RequestId id, const ZoneShowRequest& request);
  void answer_to(Turn& turn, RequestId id, const ZoneCreateRequest& request);
  void answer_to(Turn& turn, RequestId id, const ZoneRotateRequest& request);
  void answer_to(Turn& turn, RequestId id, const ZoneBridgeRequest& request);
  ZoneInfo zone_info(const object::ZoneId& zone) const;
  /// What crosses, where to, and the signed account of its way.
  struct Bridge {
    Blob blob;
    object::ZoneId to;
    object::Signed<object::Provenance> provenance;
  };
  Result<Bridge> plan_bridge(Instant now, const ZoneBridgeRequest& request) const;
  /// By content id, in the named zone or in whichever has it.
  Result<Blob> find_blob(const codec::Cid& cid, const std::string& zone) const;
  void answer_to(Turn& turn, RequestId id, const PolicyListRequest&);
  void answer_to(Turn& turn, RequestId id, const PolicySetRequest& request);
  void answer_to(Turn& turn, RequestId id, const PolicyExplainRequest& request);
  void answer_to(Turn& turn, RequestId id, const GrantAskRequest& request);
  void answer_to(Turn& turn, RequestId id, const GrantAnswerRequest& request);
  void answer_to(Turn& turn, RequestId id, const GrantRequestsRequest&);
  void answer_to(Turn& turn, RequestId id, const GrantWithdrawRequest& request);
  void answer_to(Turn& turn, RequestId id, const RevokeRequest& request);
  /// Signs it in the owner's name with what it lacks (issuer, times), and tells everybody who is here.
  void revoke(Turn& turn, object::Revocation body, std::function<void(Turn&, Result<RevokeRequest::Done>)> then);
  void answer_to(Turn& turn, RequestId id, const RevocationsRequest&);
  PolicyInfo policy_info(const object::Signed<object::ZonePolicy>& policy) const;
  template <class T>
  void answer_or_refuse(Turn& turn, RequestId id, const Result<T>& result) {
    if (result.ok()) answer(turn, id, *result);
    else turn.out.push(Refuse{id, result.error()});
  }
  /// Refuses when the owner's key is not on this device.
  bool may_sign(Turn& turn, RequestId id, const std::string& command);
  void answer_to(Turn& turn, RequestId id, const SecretPrepareRequest& request);  // node_api_secret.cc
  void answer_to(Turn& turn, RequestId id, const SecretStoreRequest& request);
  void answer_to(Turn& turn, RequestId id, const SecretReleaseRequest& request);
  void answer_to(Turn& turn, RequestId id, const SecretListRequest&);
  void answer_to(Turn& turn, RequestId id, const SecretRefreshRequest& request);
  void answer_to(Turn& turn, RequestId id, const SecretReshareRequest& request);
  void answer_to(Turn& turn, RequestId id, const SecretRemoveRequest& request);
  void answer_to(Turn& turn, RequestId id, const SecretAllowRequest& request);
  void answer_to(Turn& turn, RequestId id, const SecretDenyRequest& request);
  void on_secret_message(Turn& turn, const NodeKey& from, const SecretMessages::Message& message);
  // node_api_identity.cc
  void answer_to(Turn& turn, RequestId id, const RelayUseRequest& request);
  void answer_to(Turn& turn, RequestId id, const RelayListRequest&);
  void answer_to(Turn& turn, RequestId id, const PublishRequest& request);
  void answer_to(Turn& turn, RequestId id, const ResolveServiceRequest& request);
  void answer_to(Turn& turn, RequestId id, const ExposeRequest& request) { answer_or_refuse(turn, id, services_.expose(turn, request)); }
  void answer_to(Turn& turn, RequestId id, const UnexposeRequest& request) { answer_or_refuse(turn, id, services_.unexpose(turn, request.name)); }
  void answer_to(Turn& turn, RequestId id, const ServiceListRequest&);
  void answer_to(Turn& turn, RequestId id, const DeployRequest& request) { deployer_.deploy(turn, id, request); }
  void answer_to(Turn& turn, RequestId id, const ScaleRequest& request) { answer_or_refuse(turn, id, deployer_.scale(turn, request)); }
  void answer_to(Turn& turn, RequestId id, const SuspendRequest& request) { answer_or_refuse(turn, id, deployer_.suspend(turn, request)); }
  void answer_to(Turn& turn, RequestId id, const ServiceLogsRequest& request) { answer_or_refuse(turn, id, deployer_.logs(request)); }
  void answer_to(Turn& turn, RequestId id, const ServiceStateRequest& request) { answer_or_refuse(turn, id, deployer_.state(request)); }
  void answer_to(Turn& turn, RequestId id, const RemoveServiceRequest& request) { answer_or_refuse(turn, id, deployer_.remove(turn, request)); }
  /// Who could do this owner's work has changed.
  void refresh_work(Turn& turn);
  void answer_to(Turn& turn, RequestId id, const ProxyRequest& request) { services_.proxy(turn, id, request); }
  void answer_to(Turn& turn, RequestId id, const FindRequest& request);
  void answer_to(Turn& turn, RequestId id, const AnnounceRequest& request);
  void answer_to(Turn& turn, RequestId id, const AnnounceShowRequest&) { answer(turn, id, discovery_.show()); }
  void answer_to(Turn& turn, RequestId id, const AnnounceOffRequest&) { answer(turn, id, discovery_.off(turn)); }
  void answer_to(Turn& turn, RequestId id, const IdentityRequest& request);
  void answer_to(Turn& turn, RequestId id, const IdentityListRequest&);
  void answer_to(Turn& turn, RequestId id, const IdentityWithdrawRequest& request);
  void answer_to(Turn& turn, RequestId id, const IdentityCheckRequest& request);
  void answer_to(Turn& turn, RequestId id, const PagePublishRequest& request) { page_jobs_.publish(turn, request, reply_to<PageProgramInfo>(id)); }
  void answer_to(Turn& turn, RequestId id, const PageListRequest&) { answer(turn, id, page_jobs_.list()); }
  void answer_to(Turn& turn, RequestId id, const PageWithdrawRequest& request) { answer_or_refuse(turn, id, page_jobs_.withdraw(turn, request.name)); }
  // node_api_audit.cc
  void answer_to(Turn& turn, RequestId id, const AuditHeadRequest&);
  void answer_to(Turn& turn, RequestId id, const AuditListRequest& request);
  void answer_to(Turn& turn, RequestId id, const AuditProveRequest& request);
  void answer_to(Turn& turn, RequestId id, const AuditExportRequest& request);
  void next_receipts(Turn& turn, RequestId id, std::shared_ptr<ReceiptsAnswer> so_far, std::vector<store::OriginId> origins, uint64_t from);
  GrantInfo grant_info(Instant now, const object::Signed<object::Grant>& grant, bool given) const;

  Core core_;
  Auditor auditor_;
  std::set<NodeKey> adopted_;                 // successors that took their places in this life of the process
  std::map<RequestId, uint64_t> transfers_;   // of requests that are being carried out
  Index index_;
  Zones zones_;
  Keeper keeper_;
  Workshop workshop_;
  Consent consent_;
  Library library_;
  Contractor contractor_;
  Oracles oracles_;
  Devices devices_;
  IndexCopy copy_;
  Vault vault_;
  Secrets secrets_;
  Registrar registrar_;
  RunKeys run_keys_;
  Meetings meetings_;
  Discovery discovery_;
  Services services_;
  States states_;
  StateKeeper keeper_of_states_;
  Hosting hosting_;
  Deployer deployer_;
  PageJobs page_jobs_;
  PageAsks page_asks_;
  Instant started_;
  Instant head_issued_{0};
};

}  // namespace selvedge::node
