// Hosting: services of others that this machine runs, under their leases. spec: SP flow B; docs/spec/hosting.md
//
// An origin's node hands over a program, as it would a task, and what the service signed for this machine, which ends within the hour: the machine never has
// the service's key. Clients come by streams (services.h), which lead to the host's HTTP server; each request comes here, is run as a task of the lease
// with the request as its environment and input, and its output is the response. Nothing stays between two requests.
//
// A lease that is paused answers nothing; one that ends takes its services with it. Nothing here outlives the process: the origin sees that, and asks again.
//
// A service with state (states.h) is shown to clients where this node is its writer, and its requests run one after the other: each sees what the one before it
// changed, and is answered when its own changes cannot be lost any more.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>

#include "node/api.h"
#include "node/core.h"
#include "node/hosting_messages.h"
#include "node/services.h"
#include "node/states.h"
#include "node/workshop.h"
#include "work/cgi.h"
#include "work/reconciler.h"

namespace selvedge::node {

constexpr size_t kHostedMax = 64;
constexpr size_t kHostedRequestsMax = 256;              // under way, of one service
constexpr Duration kRequestWallMax = seconds(30);
constexpr uint64_t kResponseBytesMax = 8u << 20;
/// How often an origin is told how many requests there were, while there are any.
constexpr Duration kCountsEvery = seconds(2);
/// A service with state whose writer is not this node for so long is no longer shown to clients.
constexpr Duration kShownWithout = seconds(3);

class Hosting {
 public:
  Hosting(Core& core, Workshop& workshop, Services& services, States& states) : core_(core), workshop_(workshop), services_(services), states_(states) {}

  void on_message(Turn& turn, const NodeKey& from, const HostingMessages::Message& message);
  void on_peer_up(Turn& turn, const NodeKey& peer);
  void on_program(Turn& turn, const work::TaskId& task, Result<work::Program> program);
  void on_lease_ended(Turn& turn, const object::ObjectId& grant);
  void on_lease_stage(Turn& turn, const object::ObjectId& grant);

  /// Whether this origin's service with state is to run here.
  bool has_state(const crypto::PublicKey& service, const crypto::PublicKey& origin) const;
  /// This node is the writer of a service's state, or is it no longer.
  void on_lead_changed(Turn& turn, const crypto::PublicKey& service);

  /// What its origin has not renewed ends; how many requests there were is told.
  void on_deadline(Turn& turn);
  Instant next_deadline() const;

  // ---- of the host
  void on_http(Turn& turn, uint64_t id, const crypto::PublicKey& service, const work::HttpCall& call);
  void on_http_gone(Turn& turn, uint64_t id);
  /// Whether it is a request of a service.
  bool knows(const work::TaskId& task) const { return requests_.contains(task); }
  void on_domain(Turn& turn, const work::TaskId& task, const object::Handle& lease_cap, const work::DomainResult& result);

  std::vector<HostedInfo> list() const;

 private:
  struct Version {
    uint64_t serial = 0;
    object::ObjectId grant;
    object::TaskSpec spec;
    work::Program program;
  };
  struct Coming {
    work::TaskId task;                 // under which its program is brought here
    Version version;
    HostService asked;
  };
  struct Hosted {
    crypto::PublicKey origin;
    std::string name;
    std::optional<Version> running;
    uint64_t proof_expires = 0;        // Unix seconds: until when the service says that it is here
    std::optional<Coming> coming;
    std::string refusal;               // why the newest version does not run
    uint64_t refused_serial = 0;
    HostService terms;                 // of what runs: to whom it is shown
    bool shown = false;
    Instant hide_at = Instant::never();
    std::deque<work::RunDomain> queue; // of one with state: requests that wait for the one before
    bool busy = false;                 // one runs
    size_t under_way = 0;
    uint64_t requests = 0, failed = 0;
    Instant tell_at = Instant::never();   // their number, and what they wrote
    ServiceLog log;                       // not told yet
  };
  struct Request {
    uint64_t http = 0;
    crypto::PublicKey service;
    object::ObjectId grant;
    uint64_t term = 0;                 // under which it saw the state; 0: it has none, or waits
  };
  Status take(Turn& turn, const NodeKey& from, const HostService& asked);
  Result<object::Signed<object::IngressSet>> open_proof(Turn& turn, const crypto::PublicKey& origin, const crypto::PublicKey& service, ByteView bytes) const;
  void end(Turn& turn, const crypto::PublicKey& service);
  void show(Turn& turn, const crypto::PublicKey& service, Hosted& hosted);
  void run_next(Turn& turn, const crypto::PublicKey& service);
  void refuse_waiting(Turn& turn, Hosted& hosted);
  void not_started(Turn& turn, Hosted& hosted, const work::TaskId& task, const Error& why);
  void keep(Turn& turn, const Request& request, const std::vector<wasi::StateWrite>& writes, work::HttpReply response);
  void answered(const crypto::PublicKey& service, bool well);
  void tell(Turn& turn, const crypto::PublicKey& service);
  /// To the nodes of its origin that are here.
  void send_origin(Turn& turn, const Hosted& hosted, const Bytes& message);
  void note(Turn& turn, Hosted& hosted, const work::DomainResult& result);
  ServiceState state_of(const crypto::PublicKey& service, const Hosted& hosted) const;
  void reply(Turn& turn, uint64_t http, unsigned status, const std::string& text);
  std::optional<crypto::PublicKey> owner_of(const NodeKey& node) const;

  Core& core_;
  Workshop& workshop_;
  Services& services_;
  States& states_;
  std::map<crypto::PublicKey, Hosted> hosted_;
  std::map<work::TaskId, Request> requests_;
  std::map<uint64_t, work::TaskId> by_http_;
};

}  // namespace selvedge::node
