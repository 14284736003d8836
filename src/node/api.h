// The local API: what a person's command, or a program of theirs, asks of their own node.
//
// Each request is a struct and one JSON-RPC method of the same name; docs/api.md is written from this file. Answers are
// structs too and leave the node as JSON text. Long requests send progress before the result.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "codec/schema.h"
#include "node/api_device.h"
#include "node/api_discovery.h"
#include "node/api_identity.h"
#include "node/api_meeting.h"
#include "node/api_page.h"
#include "node/api_secret.h"
#include "node/api_service.h"
#include "node/api_audit.h"
#include "node/api_trust.h"
#include "object/kinds.h"

namespace selvedge::node {

constexpr size_t kFilesPerRequestMax = 100'000;

struct FileName {
  std::string path;   // absolute, on this machine
  std::string name;   // what to call it in results
  uint64_t size = 0;
  template <class V> void visit(V& v) { v("path", path); v("name", name); v("size", size); }
};

struct StatusRequest { static constexpr const char* kMethod = "status"; template <class V> void visit(V&) {} };
struct TicketRequest {
  static constexpr const char* kMethod = "ticket";
  bool relay_only = false;         // name no address of this machine
  template <class V> void visit(V& v) { v("relay_only", relay_only); }
};
struct PeerAddRequest {
  static constexpr const char* kMethod = "peer.add";
  std::string ticket;
  template <class V> void visit(V& v) { v("ticket", ticket); }
};
struct PeerListRequest { static constexpr const char* kMethod = "peer.list"; template <class V> void visit(V&) {} };
struct GrantGiveRequest {
  static constexpr const char* kMethod = "grant.give";
  std::string origin;            // key text of the origin's owner
  uint32_t cpu_permille = 500;   // of one processor
  uint64_t memory_bytes = 256u << 20;
  uint64_t storage_bytes = 1u << 30;
  uint64_t seconds = 3600;
  std::string device;            // another device of this machine's owner that the grant is for; empty: this one
  uint32_t battery_percent_min = 0;   // while not charging
  bool only_while_charging = false;
  object::Manners manners = {};
  template <class V> void visit(V& v) {
    v("origin", origin); v("cpu_permille", cpu_permille); v("memory_bytes", memory_bytes); v("manners", manners);
    v("storage_bytes", storage_bytes); v("seconds", seconds); v("device", device); v("battery_percent_min", battery_percent_min);
    v("only_while_charging", only_while_charging);
  }
};
struct GrantListRequest { static constexpr const char* kMethod = "grant.list"; template <class V> void visit(V&) {} };
struct LeaseListRequest { static constexpr const char* kMethod = "lease.list"; template <class V> void visit(V&) {} };
enum class LeaseAction : uint8_t { kPause, kResume, kRevoke, kLast = kRevoke };
struct LeaseChangeRequest {
  static constexpr const char* kMethod = "lease.change";
  std::string lease;             // the lease's id or a prefix that names one
  LeaseAction action = LeaseAction::kPause;
  template <class V> void visit(V& v) { v("lease", lease); v("action", action); }
};
/// Holds a lease to less of a processor than its grant says, until it is let go again.
struct LeaseThrottleRequest {
  static constexpr const char* kMethod = "lease.throttle";
  std::string lease;             // its id or a prefix that names one
  uint32_t cpu_permille = 0;     // of one processor; 0: as much as the grant says
  template <class V> void visit(V& v) { v("lease", lease); v("cpu_permille", cpu_permille); }
};
/// What runs on this machine for others.
struct DomainListRequest { static constexpr const char* kMethod = "domain.list"; template <class V> void visit(V&) {} };
/// A link that opens the dashboard once.
struct DashOpenRequest { static constexpr const char* kMethod = "dash.open"; template <class V> void visit(V&) {} };
/// What this owner's jobs have under way, on whose machines.
struct TaskListRequest { static constexpr const char* kMethod = "task.list"; template <class V> void visit(V&) {} };
struct TaskMoveRequest {
  static constexpr const char* kMethod = "task.move";
  std::string task;              // its id or a prefix that names one
  std::string node;              // where to: its key or the beginning of it
  template <class V> void visit(V& v) { v("task", task); v("node", node); }
};
struct PutRequest {
  static constexpr const char* kMethod = "put";
  std::vector<FileName> files;
  std::string zone = "private";  // by name
  template <class V> void visit(V& v) { v("files", files); v("zone", zone); }
};
struct GetRequest {
  static constexpr const char* kMethod = "get";
  std::string cid;
  std::string path;
  std::string zone{};            // empty: whichever has it
  template <class V> void visit(V& v) { v("cid", cid); v("path", path); v("zone", zone); }
};
struct BlobListRequest { static constexpr const char* kMethod = "blob.list"; template <class V> void visit(V&) {} };
/// Runs a module over each input; with `merge`, once more over all outputs, concatenated, with the one argument "merge".
struct RunRequest {
  static constexpr const char* kMethod = "run";
  FileName module;
  std::vector<FileName> inputs;
  std::vector<std::string> input_cids;   // further inputs, already stored
  std::vector<FileName> files;           // which every task finds under its name: a file, or, where the name ends in "/", an archive (TaskInput::path)
  std::vector<std::string> file_cids;    // "NAME=CID": the same, already stored
  std::vector<std::string> environment;  // "NAME=value"
  std::vector<std::string> oracles;      // "NAME@NODE|NAME@NODE": asked before it runs, found in /oracle (docs/spec/oracles.md)
  std::vector<std::string> args;
  uint32_t verify = 2;                   // owners whose machines must agree
  bool merge = false;
  uint64_t seed = 0;
  uint64_t fuel_limit = 0;               // 0: the default
  uint64_t memory_bytes = 0;             // 0: the default
  std::string out_dir;                   // absolute; empty: the single output comes back in the result
  std::string zone = "private";          // whose policy and keys cover the module, the inputs and the outputs
  std::string manifest;                  // hexadecimal: the signed Manifest of the bundle that `module` is from; empty: a bare module
  std::string entry;                     // which of its entries
  bool confirmed = false;                // a person said yes to an entry that its publisher calls dangerous
  std::string isolation = "process";     // "microvm": machines that run programs in processes only refuse
  uint32_t keys_threshold = 0;           // so many
  uint32_t keys_of = 0;                  // of so many machines have to let an executor have the keys of its task; 0: it gets them
  std::string keys_tier = "hardware-basic";  // which these machines and the executors have to prove (identity.md); "software": nothing
  std::vector<std::string> keys_endorsers;   // as in identity.check
  bool keys_believe_unendorsed = false;
  template <class V> void visit(V& v) {
    v("module", module); v("inputs", inputs); v("input_cids", input_cids); v("files", files);
    v("file_cids", file_cids); v("environment", environment); v("oracles", oracles); v("args", args); v("verify", verify);
    v("merge", merge); v("seed", seed); v("fuel_limit", fuel_limit); v("memory_bytes", memory_bytes); v("out_dir", out_dir); v("zone", zone);
    v("manifest", manifest); v("entry", entry); v("confirmed", confirmed); v("isolation", isolation);
    v("keys_threshold", keys_threshold); v("keys_of", keys_of); v("keys_tier", keys_tier); v("keys_endorsers", keys_endorsers);
    v("keys_believe_unendorsed", keys_believe_unendorsed);
  }
};
struct ReceiptsRequest { static constexpr const char* kMethod = "receipts"; template <class V> void visit(V&) {} };
struct ShutdownRequest { static constexpr const char* kMethod = "shutdown"; template <class V> void visit(V&) {} };

using ApiRequest = std::variant<StatusRequest, TicketRequest, PeerAddRequest, PeerListRequest, GrantGiveRequest, GrantListRequest,
                                LeaseListRequest, LeaseChangeRequest, LeaseThrottleRequest, DomainListRequest, DashOpenRequest, TaskListRequest, TaskMoveRequest, PutRequest, GetRequest, BlobListRequest, RunRequest,
                                ReceiptsRequest, ShutdownRequest, PolicyListRequest, PolicySetRequest, PolicyExplainRequest,
                                GrantAskRequest, GrantAnswerRequest, GrantRequestsRequest, GrantWithdrawRequest, RevokeRequest, RevocationsRequest,
                                SecretPrepareRequest, SecretStoreRequest, SecretReleaseRequest, SecretListRequest, SecretRefreshRequest,
                                SecretReshareRequest, SecretRemoveRequest, SecretAllowRequest, SecretDenyRequest,
                                RelayUseRequest, RelayListRequest, PublishRequest, ResolveServiceRequest,
                                IdentityRequest, IdentityListRequest, IdentityWithdrawRequest, IdentityCheckRequest,
                                DeployRequest, ScaleRequest, SuspendRequest, RemoveServiceRequest, ServiceLogsRequest, ServiceStateRequest, ExposeRequest, UnexposeRequest, ServiceListRequest, ProxyRequest, FindRequest, AnnounceRequest, AnnounceShowRequest, AnnounceOffRequest, AuditHeadRequest, AuditListRequest, AuditProveRequest, AuditExportRequest, DeviceListRequest,
                                DeviceEnrollRequest, DeviceLostRequest, ZoneListRequest, ZoneShowRequest, ZoneCreateRequest, ZoneRotateRequest,
                                ZoneBridgeRequest, PagePublishRequest, PageListRequest, PageWithdrawRequest>;

// ---- answers

struct PeerInfo {
  crypto::PublicKey node;
  crypto::PublicKey owner;        // zero until a session told
  bool connected = false;
  bool banned = false;            // caught giving wrong results: gets no more work
  std::vector<std::string> addresses;
  std::string error;              // why the last connection ended
  std::string path;               // of the connection in use: direct, relay; empty: none, or not known
  std::string at;                 // where its other end is, when that is known
  uint32_t ways = 0;              // links of the session, each by a way of its own
  template <class V> void visit(V& v) {
    v("node", node); v("owner", owner); v("connected", connected); v("banned", banned); v("addresses", addresses);
    v("error", error); v("path", path); v("at", at); v("ways", ways);
  }
};
struct PeerListAnswer {
  std::vector<PeerInfo> peers;
  template <class V> void visit(V& v) { v("peers", peers); }
};
struct PeerAddAnswer {
  crypto::PublicKey node;
  template <class V> void visit(V& v) { v("node", node); }
};
struct TicketAnswer {
  std::string ticket;
  template <class V> void visit(V& v) { v("ticket", ticket); }
};
struct GrantInfo {
  crypto::Digest id;
  bool given = false;             // by this machine; else received for this node's owner
  crypto::PublicKey node;
  crypto::PublicKey owner;
  crypto::PublicKey origin;
  uint32_t cpu_permille = 0;
  uint64_t memory_bytes = 0;
  uint64_t storage_bytes = 0;
  object::Manners manners;
  uint64_t expires = 0;
  std::string state;              // active, paused, expiring, revoked, expired; received ones also away (not connected), waiting
  template <class V> void visit(V& v) {
    v("id", id); v("given", given); v("node", node); v("owner", owner); v("origin", origin); v("cpu_permille", cpu_permille);
    v("memory_bytes", memory_bytes); v("storage_bytes", storage_bytes); v("manners", manners); v("expires", expires); v("state", state);
  }
};
struct GrantListAnswer {
  std::vector<GrantInfo> grants;
  template <class V> void visit(V& v) { v("grants", grants); }
};
struct LeaseInfo {
  crypto::Digest id;
  crypto::PublicKey origin;
  std::string state;
  uint64_t started = 0;
  uint64_t expires = 0;
  uint32_t cpu_permille = 0;      // as its grant says, with the next three: of one processor; 0: it may not compute
  uint64_t memory_bytes = 0;
  uint64_t storage_bytes = 0;
  uint32_t network_kbps = 0;      // 0: no bound of its own
  uint32_t throttle_permille = 0; // to which this machine's owner holds it; 0: to its grant
  uint32_t pace_permille = 0;     // what it may use now
  uint64_t tasks = 0;
  uint64_t fuel = 0;
  uint64_t cpu_ns = 0;            // with what runs now, as of a second ago
  uint64_t resident_bytes = 0;    // of what runs now
  uint64_t stored_bytes = 0;
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
  uint64_t wakeups = 0;
  uint64_t frozen_ms = 0;
  uint64_t violations = 0;        // of its pace or its limits
  std::string slowed;             // why it goes slower now than its grant allows: interaction, frames, memory, heat, power, violations, shed, owner
  template <class V> void visit(V& v) {
    v("id", id); v("origin", origin); v("state", state); v("started", started); v("expires", expires);
    v("cpu_permille", cpu_permille); v("memory_bytes", memory_bytes); v("storage_bytes", storage_bytes); v("network_kbps", network_kbps);
    v("throttle_permille", throttle_permille); v("pace_permille", pace_permille); v("tasks", tasks); v("fuel", fuel); v("cpu_ns", cpu_ns); v("resident_bytes", resident_bytes); v("stored_bytes", stored_bytes); v("bytes_in", bytes_in); v("bytes_out", bytes_out);
    v("wakeups", wakeups); v("frozen_ms", frozen_ms); v("violations", violations); v("slowed", slowed);
  }
};
struct LeaseListAnswer {
  std::vector<LeaseInfo> leases;
  template <class V> void visit(V& v) { v("leases", leases); }
};
struct LeaseThrottleAnswer {
  crypto::Digest id;
  uint32_t cpu_permille = 0;      // what it may use at most now
  template <class V> void visit(V& v) { v("id", id); v("cpu_permille", cpu_permille); }
};
struct DomainInfo {
  crypto::Digest task;
  crypto::Digest lease;
  crypto::PublicKey origin;
  codec::Cid module;
  std::string bundle;             // its name and version, as its publisher signed; empty: a bare module
  std::string entry;
  std::string stage;              // gathering, running, stopping, done (its result waits to be asked for), closing
  uint64_t offered = 0;
  template <class V> void visit(V& v) {
    v("task", task); v("lease", lease); v("origin", origin); v("module", module); v("bundle", bundle); v("entry", entry); v("stage", stage); v("offered", offered);
  }
};
struct DomainListAnswer {
  std::vector<DomainInfo> domains;
  template <class V> void visit(V& v) { v("domains", domains); }
};
struct DashOpenAnswer {
  std::string link;
  template <class V> void visit(V& v) { v("link", link); }
};
struct TaskInfo {
  crypto::Digest task;
  crypto::PublicKey node;
  bool committed = false;         // it is bound to a result, and waits to be asked for it
  uint64_t seconds = 0;           // since it was offered there
  uint64_t fuel = 0;              // used when its newest state was kept
  uint64_t state_bytes = 0;       // 0: no state is kept, and a loss costs all of it
  uint32_t moves = 0;
  template <class V> void visit(V& v) {
    v("task", task); v("node", node); v("committed", committed); v("seconds", seconds); v("fuel", fuel); v("state_bytes", state_bytes); v("moves", moves);
  }
};
struct TaskListAnswer {
  std::vector<TaskInfo> tasks;
  template <class V> void visit(V& v) { v("tasks", tasks); }
};
struct LeaseChangeAnswer {
  crypto::Digest id;
  std::string state;
  uint64_t stopped_us = 0;        // from the request until no domain of the lease was running
  template <class V> void visit(V& v) { v("id", id); v("state", state); v("stopped_us", stopped_us); }
};
struct StatusAnswer {
  std::string version;
  crypto::PublicKey node;
  crypto::PublicKey owner;
  uint64_t uptime_s = 0;
  std::vector<std::string> addresses;
  uint32_t peers_connected = 0;
  uint32_t peers_known = 0;
  uint32_t leases_active = 0;
  uint64_t objects_held = 0;      // for others
  uint64_t bytes_held = 0;
  uint64_t blobs_owned = 0;
  uint64_t bytes_owned = 0;
  uint32_t jobs_running = 0;
  uint32_t repairs_pending = 0;   // objects below the coverage that lets any one holder vanish
  bool owner_key_here = false;
  uint64_t record_expires = 0;    // of the owner's record of this node; the device with the owner's key renews it
  bool revoked = false;           // this device was taken back by its owner
  bool awaiting_index = false;    // restored, and still looking for what the owner has
  uint64_t index_pending = 0;     // entries of the index that are in no copy on a host yet (where the owner's key is)
  uint64_t index_saved = 0;       // when the last copy was made; 0: never
  uint32_t devices_connected = 0; // of this owner, others than this one
  std::vector<std::string> roles; // what it gives to everybody: relay, rendezvous
  std::vector<std::string> announced;  // where it says it is; none: it tells nobody
  uint32_t services = 0;          // exposed here
  std::string isolation;          // what runs programs here: "process", "microvm (KVM)", "microvm (TCG)"
  std::vector<AlertInfo> alerts;
  template <class V> void visit(V& v) {
    v("version", version); v("node", node); v("owner", owner); v("uptime_s", uptime_s); v("addresses", addresses);
    v("peers_connected", peers_connected); v("peers_known", peers_known); v("leases_active", leases_active);
    v("objects_held", objects_held); v("bytes_held", bytes_held); v("blobs_owned", blobs_owned); v("bytes_owned", bytes_owned);
    v("jobs_running", jobs_running); v("repairs_pending", repairs_pending); v("owner_key_here", owner_key_here); v("roles", roles); v("announced", announced); v("services", services);
    v("record_expires", record_expires); v("revoked", revoked); v("awaiting_index", awaiting_index); v("index_pending", index_pending);
    v("index_saved", index_saved); v("devices_connected", devices_connected);
    v("isolation", isolation); v("alerts", alerts);
  }
};
struct BlobInfo {
  std::string name;
  codec::Cid cid;
  uint64_t size = 0;
  uint32_t objects = 0;
  uint32_t holders = 0;
  std::string zone;
  template <class V> void visit(V& v) {
    v("name", name); v("cid", cid); v("size", size); v("objects", objects); v("holders", holders); v("zone", zone);
  }
};
struct TransferProgress {
  uint64_t bytes_done = 0;
  uint64_t bytes_total = 0;
  uint64_t files_done = 0;
  uint64_t files_total = 0;
  template <class V> void visit(V& v) {
    v("bytes_done", bytes_done); v("bytes_total", bytes_total); v("files_done", files_done); v("files_total", files_total);
  }
};
struct PutAnswer {
  std::vector<BlobInfo> files;
  uint64_t bytes = 0;
  uint64_t bytes_sealed = 0;
  uint64_t milliseconds = 0;
  std::vector<crypto::PublicKey> holders;
  template <class V> void visit(V& v) {
    v("files", files); v("bytes", bytes); v("bytes_sealed", bytes_sealed); v("milliseconds", milliseconds); v("holders", holders);
  }
};
struct BlobListAnswer {
  std::vector<BlobInfo> blobs;
  template <class V> void visit(V& v) { v("blobs", blobs); }
};
struct GetAnswer {
  codec::Cid cid;
  uint64_t size = 0;
  uint64_t milliseconds = 0;
  template <class V> void visit(V& v) { v("cid", cid); v("size", size); v("milliseconds", milliseconds); }
};
struct Rejection {
  crypto::PublicKey node;
  crypto::PublicKey owner;
  uint64_t task = 0;
  std::string why;
  template <class V> void visit(V& v) { v("node", node); v("owner", owner); v("task", task); v("why", why); }
};
struct RunProgress {
  uint64_t tasks_done = 0;
  uint64_t tasks_total = 0;
  uint64_t executions = 0;
  uint64_t retries = 0;
  std::vector<Rejection> rejected;   // new since the last progress
  template <class V> void visit(V& v) {
    v("tasks_done", tasks_done); v("tasks_total", tasks_total); v("executions", executions); v("retries", retries); v("rejected", rejected);
  }
};
struct RunOutput {
  std::string name;
  codec::Cid input;
  codec::Cid output;
  uint64_t size = 0;
  uint64_t fuel = 0;
  crypto::Digest trace;
  std::vector<crypto::PublicKey> agreed;   // owners
  template <class V> void visit(V& v) {
    v("name", name); v("input", input); v("output", output); v("size", size); v("fuel", fuel); v("trace", trace); v("agreed", agreed);
  }
};
struct RunAnswer {
  codec::Cid module;
  std::vector<RunOutput> outputs;
  std::string merged;                // path of the merged output, when asked for
  std::string text;                  // the single output as text, when no directory was named
  uint64_t executions = 0;
  uint64_t retries = 0;
  uint64_t milliseconds = 0;
  std::vector<Rejection> rejected;
  template <class V> void visit(V& v) {
    v("module", module); v("outputs", outputs); v("merged", merged); v("text", text); v("executions", executions);
    v("retries", retries); v("milliseconds", milliseconds); v("rejected", rejected);
  }
};
struct ReceiptInfo {
  crypto::Digest id;                 // of the signed object
  object::Receipt receipt;
  bool accepted = false;             // false: the result was rejected or is not settled
  template <class V> void visit(V& v) { v("id", id); v("receipt", receipt); v("accepted", accepted); }
};
struct ReceiptsAnswer {
  std::vector<ReceiptInfo> receipts;
  template <class V> void visit(V& v) { v("receipts", receipts); }
};
struct Empty { template <class V> void visit(V&) {} };

}  // namespace selvedge::node
