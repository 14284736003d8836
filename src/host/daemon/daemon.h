// The daemon: one node with real I/O.
//
// It owns the loop, the disk, the QUIC endpoint, the domain processes and the API socket, feeds what they say to a pure
// node::Node and carries out its effects. It decides nothing itself.
#pragma once

#include <memory>
#include <string>

#include "host/daemon/home.h"
#include "mesh/finder.h"
#include "node/roles.h"

namespace selvedge::host {

class MicroVm;

struct DaemonOptions {
  std::string home;
  std::string listen = "127.0.0.1:0";
  std::vector<std::string> advertise;  // where others reach it, for its tickets; empty: where it listens
  bool map_port = false;       // ask the router for a port that leads here (host/net/port_map.h)
  std::string runner_path;     // selvedge-domain
  std::shared_ptr<const MicroVm> machine;  // what runners are put into (host/domain/microvm.h); null: a process is all there is
  std::string version;
  bool json = false;           // the ready line as JSON
  /// How the machine's TPM is reached (host/tpm/tpm.h); empty: identities are of tier software. One that does not answer keeps the node from starting.
  std::string tpm;
  node::PathPolicy paths = node::PathPolicy::kRelayOk;
  std::vector<mesh::HintSource> hint_sources;  // who is asked where other nodes are
  node::Roles roles = 0;       // what it gives to everybody who asks
  std::string dash = "127.0.0.1:0";  // TCP address of the dashboard, on this machine; "off"
  std::string web;             // TCP address where browsers come in; empty: nowhere
  std::string pkarr_relay;     // TCP address of that role; empty: it is off
  /// For demonstrations and tests of others' defences. "wrong-results": every task's output is falsified.
  std::string misbehave;
};

/// Runs a node in the foreground until it is told to stop (API, SIGINT, SIGTERM). Prints one ready line on standard
/// output once it can be talked to. Returns what ended it; success when it was asked to.
Status run_daemon(const DaemonOptions& options);

}  // namespace selvedge::host
