// The verbs of the command, one function each. args.cc turns the command line into a call of one of them.
//
// A verb gets the World it may use (where the home is, where output goes) and its options, and returns its exit code or
// the error that ended it. Verbs talk to the node only through the local API (client.h), but for init and up, which make
// and are the node, and doctor, which looks where no node answers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/client.h"
#include "cli/exit_code.h"
#include "cli/terminal.h"

namespace selvedge::cli {

struct World {
  Terminal& terminal;
  std::string home;
  std::string version;
};

struct UpOptions {
  std::string listen = "127.0.0.1:0";
  std::vector<std::string> advertise;
  bool map_port = false;
  std::string pkarr_relay;
  std::string web;
  std::string dash = "127.0.0.1:0";
  std::string tpm;
  std::string isolation = "process";
  std::vector<std::string> roles;
  std::vector<std::string> find;
  std::string paths = "relay-ok";
  std::string misbehave;
};
struct TicketOptions {
  bool qr = false;
  bool relay_only = false;
};
struct RelayUseOptions {
  std::string relay;
};
struct ExposeOptions {
  std::string name;
  std::string target;
  std::vector<std::string> access;
  uint32_t connections_max = 256;
};
struct WebPublishOptions {
  std::string name;
  std::string program;
  node::PageLimits limits;
  std::string memory = "64M";
  std::string input = "0";
  std::string timeout = "1m";
  std::string zone = "private";
};
struct ExampleOptions {
  std::string name;
  std::string web = "127.0.0.1:0";
};
struct ServiceNameOptions {
  std::string name;
};
struct ServiceLogsOptions {
  std::string name;
  bool follow = false;
};
struct ProxyOptions {
  std::string address;
  std::string listen = "127.0.0.1:0";
  std::vector<std::string> at;
  std::vector<std::string> via;
  std::string output;              // of curl
};
struct FindOptions {
  std::string key;
};
struct AnnounceOptions {
  std::vector<std::string> to;
  bool own_addresses = false;
  std::string suffix;
};
struct PublishOptions {
  std::string name;
  std::string relay;
  std::vector<std::string> at;
  std::string protocols = "http";
  std::string duration = "1h";
};
struct ResolveOptions {
  std::string address;
  std::vector<std::string> via;
  uint32_t quorum = 1;
};
struct PutOptions {
  std::vector<std::string> paths;
  std::string zone = "private";
};
struct GetOptions {
  std::string cid;
  std::string out;   // "-": standard output
  std::string zone;  // empty: whichever has it
};
struct RunOptions {
  std::string module;
  std::string input;                  // a file, a CID, or empty: standard input
  std::vector<std::string> paths;     // map
  std::string out_dir;                // map; of run: the folder for what the program left in /out
  std::vector<std::string> files;     // "[NAME=]PATH" or "NAME=CID": what every task finds as a file
  std::vector<std::string> environment;
  std::vector<std::string> oracles;
  bool merge = false;
  uint32_t verify = 2;
  uint64_t seed = 0;
  uint64_t fuel = 0;
  std::string memory;
  std::string zone = "private";
  std::string entry;                  // of a bundle
  bool yes_dangerous = false;
  std::string isolation = "process";
  std::string keys;                   // "2/3"
  std::string keys_tier = "hardware-basic";
  std::vector<std::string> endorsers;
  bool believe_unendorsed = false;
  std::vector<std::string> args;
};
struct DeployOptions {
  std::string name;
  RunOptions run;                     // the program, as for selvedge run
  uint32_t replicas = 1;
  std::vector<std::string> access;    // as for service expose
  uint32_t connections_max = 256;
  bool state = false;
  bool no_wait = false;
};
struct ScaleOptions {
  std::string name;
  uint32_t replicas = 1;
};
struct TraceOptions {
  RunOptions run;
  std::string trace;                  // of a receipt, or its beginning; or FUEL:DIGEST, one segment of its chain
  std::string from;                   // a state to begin at; empty: the beginning
  std::string keep_dir;               // where states go as the run reaches them; empty: nowhere
};
struct BundleOptions {
  std::string file;
  std::string out;
  std::string publisher;
  std::string bundle;
  bool resumable = false;
};
struct TaskOptions {
  std::string task;
  std::string node;
};
struct PeerAddOptions {
  std::string ticket;
};
struct GrantGiveOptions {
  std::string origin;
  std::string cpu = "50%";
  std::string memory = "256M";
  std::string storage = "1G";
  std::string duration = "1h";
  std::string device;                 // another device of the same owner
  uint32_t battery_percent_min = 0;
  bool only_while_charging = false;
  std::string network;                // a second; empty: no bound
  std::string burst = "10ms";
  uint32_t wakeups = 100;
  std::string heat = "high";
  uint32_t utility = 1;
};
struct GrantAskOptions {
  std::string node;
  std::string classes = "compute,storage";
  std::string cpu = "50%";
  std::string memory = "256M";
  std::string storage = "1G";
  std::string duration = "7d";
  std::string why;
};
struct GrantAnswerOptions {
  std::string request;    // withdraw: the origin
  std::string allow;      // withdraw: what is withdrawn
  std::string refuse;
  std::string remember;
};
struct PolicyOptions {
  std::string file;
  std::string operation;
  std::string zone;
  std::string principal;
  std::string machine_owner;
};
struct RevokeOptions {
  std::string kind;
  std::string target;
  std::string reason = "unspecified";
  uint64_t cutoff = 0;
};
struct LeaseOptions {
  std::string lease;
  node::LeaseAction action = node::LeaseAction::kPause;
};
struct ThrottleOptions {
  std::string lease;
  double percent = 0;            // of one processor
};
struct DashOptions {
  bool show = false;             // print the link and open nothing
};
struct ReceiptsOptions {
  bool all = false;
  std::vector<std::string> by;   // of host, origin, lease, day, module; empty: host, origin, module
};
struct InitOptions {
  std::string owner;             // of another device, by key: this one gets node keys only
  std::string label;
};
struct DeviceOptions {
  std::string request;           // enroll
  std::vector<std::string> zones;
  std::string answer;            // accept
  std::string device;            // lost
};
struct ZoneOptions {
  std::string zone;
  std::string reason;
  std::string cid;               // bridge
  std::string from;
  std::string to;
};
struct KeyExportOptions {
  std::string out;               // "-": standard output
  bool owner = false;
  bool node = false;             // neither or both: both
  std::string passphrase_file;
};
struct KeyImportOptions {
  std::string file;
  std::string passphrase_file;
  bool fresh = false;            // do not look for an index on hosts
};
struct IdentityRequestOptions {
  std::string origin;
  std::string purpose;
  std::string tier;
  std::string tier_min = "software";
  std::string duration = "5m";
};
struct IdentityTokenOptions {
  std::string token;
};
struct IdentityCheckOptions {
  std::string token;
  std::string tier_min = "software";
  std::vector<std::string> endorsers;
  bool believe_unendorsed = false;
};
struct AuditListOptions {
  std::string kind;
  std::string since;
  uint64_t count = 50;
  bool all = false;
};
struct AuditProveOptions {
  std::string entry;
  std::string out;
};
struct AuditExportOptions {
  std::string dir;
};
struct AuditVerifyOptions {
  std::string path;
  std::string log;
  std::vector<std::string> vkeys;
  uint64_t quorum = 0;
  std::string since;
  std::string entry;
};
struct DemoOptions {
  std::vector<std::string> paths;
  bool stay = false;
  std::string keep;
};

CommandResult run_init(World& world, const InitOptions& options);
CommandResult run_up(World& world, const UpOptions& options);
CommandResult run_stop(World& world);
CommandResult run_status(World& world);
CommandResult run_version(World& world);
CommandResult run_ticket(World& world, const TicketOptions& options);
CommandResult run_peer_add(World& world, const PeerAddOptions& options);
CommandResult run_peer_list(World& world);
CommandResult run_grant_give(World& world, const GrantGiveOptions& options);
CommandResult run_grant_list(World& world);
CommandResult run_grant_ask(World& world, const GrantAskOptions& options);
CommandResult run_grant_requests(World& world);
CommandResult run_grant_answer(World& world, const GrantAnswerOptions& options);
CommandResult run_grant_withdraw(World& world, const GrantAnswerOptions& options);
CommandResult run_policy_example(World& world);
CommandResult run_policy_check(World& world, const PolicyOptions& options);
CommandResult run_policy_apply(World& world, const PolicyOptions& options);
CommandResult run_policy_show(World& world, const PolicyOptions& options);
CommandResult run_policy_explain(World& world, const PolicyOptions& options);
CommandResult run_revoke(World& world, const RevokeOptions& options);
CommandResult run_revoke_list(World& world);
CommandResult run_lease_list(World& world);
CommandResult run_lease_change(World& world, const LeaseOptions& options);
CommandResult run_lease_throttle(World& world, const ThrottleOptions& options);
CommandResult run_domain_list(World& world);
CommandResult run_dash(World& world, const DashOptions& options);
CommandResult run_task_list(World& world);
CommandResult run_trace_verify(World& world, const TraceOptions& options);
CommandResult run_trace_segments(World& world, const TraceOptions& options);
CommandResult run_task_move(World& world, const TaskOptions& options);
CommandResult run_put(World& world, const PutOptions& options);
CommandResult run_get(World& world, const GetOptions& options);
CommandResult run_blob_list(World& world);
CommandResult run_run(World& world, const RunOptions& options);
CommandResult run_map(World& world, const RunOptions& options);
CommandResult run_bundle_example(World& world);
CommandResult run_bundle_build(World& world, const BundleOptions& options);
CommandResult run_bundle_inspect(World& world, const BundleOptions& options);
CommandResult run_bundle_verify(World& world, const BundleOptions& options);
CommandResult run_receipts(World& world, const ReceiptsOptions& options);
CommandResult run_device_request(World& world);
CommandResult run_device_enroll(World& world, const DeviceOptions& options);
CommandResult run_device_accept(World& world, const DeviceOptions& options);
CommandResult run_device_list(World& world);
CommandResult run_device_lost(World& world, const DeviceOptions& options);
CommandResult run_zone_list(World& world);
CommandResult run_zone_show(World& world, const ZoneOptions& options);
CommandResult run_zone_create(World& world, const ZoneOptions& options);
CommandResult run_zone_rotate(World& world, const ZoneOptions& options);
CommandResult run_zone_bridge(World& world, const ZoneOptions& options);
CommandResult run_key_show(World& world);
CommandResult run_key_rotate(World& world);
CommandResult run_key_export(World& world, const KeyExportOptions& options);
CommandResult run_key_import(World& world, const KeyImportOptions& options);
CommandResult run_relay_use(World& world, const RelayUseOptions& options);
CommandResult run_relay_list(World& world);
CommandResult run_web_publish(World& world, const WebPublishOptions& options);
CommandResult run_web_list(World& world);
CommandResult run_web_withdraw(World& world, const ServiceNameOptions& options);
CommandResult run_example(World& world, const ExampleOptions& options);
CommandResult run_expose(World& world, const ExposeOptions& options);
CommandResult run_unexpose(World& world, const ServiceNameOptions& options);
CommandResult run_service_list(World& world);
CommandResult run_deploy(World& world, const DeployOptions& options);
CommandResult run_service_scale(World& world, const ScaleOptions& options);
CommandResult run_service_suspend(World& world, const ServiceNameOptions& options);
CommandResult run_service_resume(World& world, const ServiceNameOptions& options);
CommandResult run_service_remove(World& world, const ServiceNameOptions& options);
CommandResult run_service_why(World& world, const ServiceNameOptions& options);
CommandResult run_service_state(World& world, const ServiceNameOptions& options);
CommandResult run_service_logs(World& world, const ServiceLogsOptions& options);
CommandResult run_proxy(World& world, const ProxyOptions& options);
CommandResult run_curl(World& world, const ProxyOptions& options);
CommandResult run_peer_find(World& world, const FindOptions& options);
CommandResult run_announce_on(World& world, const AnnounceOptions& options);
CommandResult run_announce_show(World& world, const AnnounceOptions& options);
CommandResult run_announce_off(World& world);
CommandResult run_publish(World& world, const PublishOptions& options);
CommandResult run_resolve(World& world, const ResolveOptions& options);
CommandResult run_identity_request(World& world, const IdentityRequestOptions& options);
CommandResult run_identity_list(World& world);
CommandResult run_identity_withdraw(World& world, const IdentityTokenOptions& options);
CommandResult run_identity_check(World& world, const IdentityCheckOptions& options);
CommandResult run_audit_head(World& world);
CommandResult run_audit_list(World& world, const AuditListOptions& options);
CommandResult run_audit_prove(World& world, const AuditProveOptions& options);
CommandResult run_audit_export(World& world, const AuditExportOptions& options);
CommandResult run_audit_verify(World& world, const AuditVerifyOptions& options);
CommandResult run_doctor(World& world);
CommandResult run_demo(World& world, const DemoOptions& options);

/// $SELVEDGE_HOME, else ~/.selvedge, for who names no --home. Errors: kInvalid (there is neither).
Result<std::string> default_home();

/// Reads the command line, runs the verb it names, and returns the exit code of the process.
int run_command_line(int argc, char** argv, const std::string& version);

}  // namespace selvedge::cli
