// The local API about services: giving an existing one an identity, and reaching one by its key. Part of api.h, which includes it.
#pragma once

#include <string>
#include <vector>

#include "crypto/types.h"

namespace selvedge::node {

struct ServiceInfo {
  std::string name;
  std::string address;             // fabric://KEY
  std::string target;              // what stands behind it, on this machine's side
  std::string access;              // public, owner, keys
  std::vector<crypto::PublicKey> owners;  // of "keys": whose machines may connect
  uint32_t connections_max = 0;
  uint32_t connections = 0;        // open now
  uint64_t connections_ever = 0, refused = 0, bytes_in = 0, bytes_out = 0;  // since the node started
  template <class V> void visit(V& v) {
    v("name", name); v("address", address); v("target", target); v("access", access); v("owners", owners); v("connections_max", connections_max);
    v("connections", connections); v("connections_ever", connections_ever); v("refused", refused); v("bytes_in", bytes_in); v("bytes_out", bytes_out);
  }
};
/// Gives what listens at `target` a key of its own. From now on, also after a restart, whoever may connects to it through this node.
struct ExposeRequest {
  static constexpr const char* kMethod = "service.expose";
  using Answer = ServiceInfo;
  std::string name;
  std::string target;              // "127.0.0.1:3000"
  std::string access = "owner";
  std::vector<std::string> owners; // keys
  uint32_t connections_max = 256;
  template <class V> void visit(V& v) { v("name", name); v("target", target); v("access", access); v("owners", owners); v("connections_max", connections_max); }
};
/// Open connections end at once.
struct UnexposeRequest {
  static constexpr const char* kMethod = "service.unexpose";
  using Answer = ServiceInfo;
  std::string name;
  template <class V> void visit(V& v) { v("name", name); }
};
/// One that this machine runs for somebody.
struct HostedInfo {
  std::string name;
  std::string address;             // fabric://KEY
  crypto::PublicKey origin;
  crypto::Digest lease;
  uint64_t serial = 0;             // of its version
  std::string stage;               // gathering, serving, standby, refused
  uint64_t under_way = 0;          // requests, now
  uint64_t requests = 0, failed = 0;
  std::string problem;
  template <class V> void visit(V& v) {
    v("name", name); v("address", address); v("origin", origin); v("lease", lease); v("serial", serial); v("stage", stage); v("under_way", under_way);
    v("requests", requests); v("failed", failed); v("problem", problem);
  }
};
/// One of this owner's that machines of others run, and how it is with each.
struct DeploymentInfo {
  struct Machine {
    crypto::PublicKey node;
    crypto::PublicKey owner;
    uint64_t serial = 0;
    std::string stage;             // asked, gathering, serving, standby, refused
    std::string message;
    uint64_t requests = 0, failed = 0;
    template <class V> void visit(V& v) {
      v("node", node); v("owner", owner); v("serial", serial); v("stage", stage); v("message", message); v("requests", requests); v("failed", failed);
    }
  };
  std::string name;
  std::string address;
  uint64_t serial = 0;
  uint32_t replicas = 0;           // wanted
  uint32_t serving = 0;            // seen, of the newest version
  bool suspended = false;
  std::string access;
  std::vector<Machine> machines;
  std::string why;                 // it is not so yet; empty: it is
  template <class V> void visit(V& v) {
    v("name", name); v("address", address); v("serial", serial); v("replicas", replicas); v("serving", serving); v("suspended", suspended); v("access", access);
    v("machines", machines); v("why", why);
  }
};
struct ServiceListAnswer {
  std::vector<ServiceInfo> services;
  std::vector<HostedInfo> hosted;
  std::vector<DeploymentInfo> deployed;
  template <class V> void visit(V& v) { v("services", services); v("hosted", hosted); v("deployed", deployed); }
};
/// Has machines of others run a program as a service, from now on and whatever becomes of them. Progress while it comes true, then the answer. Withdrawing the request
/// leaves it wanted.
struct DeployFile {
  std::string path, name;
  uint64_t size = 0;
  template <class V> void visit(V& v) { v("path", path); v("name", name); v("size", size); }
};
struct DeployRequest {
  static constexpr const char* kMethod = "service.deploy";
  using Answer = DeploymentInfo;
  std::string name;
  DeployFile module;
  std::vector<DeployFile> files;         // which every request finds under its name: a file, or, where the name ends in "/", an archive
  std::string manifest;                  // hexadecimal: the signed Manifest of the bundle that `module` is from; empty: a bare module
  std::string entry;
  std::vector<std::string> args;
  std::vector<std::string> environment;  // "NAME=value"
  std::string zone = "private";
  uint32_t replicas = 1;
  std::string access = "owner";
  std::vector<std::string> owners;
  uint32_t connections_max = 256;
  uint64_t fuel_limit = 0;               // of one request; 0: the default
  uint64_t memory_bytes = 0;             // 0: the default
  bool state = false;                    // its program keeps state (guests/service.h); a service that has some keeps it
  template <class V> void visit(V& v) {
    v("name", name); v("module", module); v("files", files); v("manifest", manifest); v("entry", entry); v("args", args); v("environment", environment); v("zone", zone);
    v("replicas", replicas); v("access", access); v("owners", owners); v("connections_max", connections_max); v("fuel_limit", fuel_limit); v("memory_bytes", memory_bytes); v("state", state);
  }
};
struct ScaleRequest {
  static constexpr const char* kMethod = "service.scale";
  using Answer = DeploymentInfo;
  std::string name;
  uint32_t replicas = 1;
  template <class V> void visit(V& v) { v("name", name); v("replicas", replicas); }
};
/// No machine runs it until it is resumed; it stays what it is.
struct SuspendRequest {
  static constexpr const char* kMethod = "service.suspend";
  using Answer = DeploymentInfo;
  std::string name;
  bool suspended = true;
  template <class V> void visit(V& v) { v("name", name); v("suspended", suspended); }
};
struct RemoveServiceRequest {
  static constexpr const char* kMethod = "service.remove";
  using Answer = DeploymentInfo;
  std::string name;
  template <class V> void visit(V& v) { v("name", name); }
};
/// Of a deployed service's state: how much it is, how far, and who has it.
struct ServiceStateAnswer {
  struct Holder {
    crypto::PublicKey node;
    std::string role;              // writer, standby, origin
    bool connected = false;
    uint64_t term = 0, sequence = 0;   // of its copy's last write, as it said last
    template <class V> void visit(V& v) { v("node", node); v("role", role); v("connected", connected); v("term", term); v("sequence", sequence); }
  };
  uint64_t bytes = 0, keys = 0;    // sealed
  uint64_t sequence = 0;           // of the last write
  uint64_t term = 0;               // how often who holds it was decided anew
  crypto::PublicKey writer;
  std::vector<Holder> holders;
  std::string why;                 // it is not with all that should have it; empty: it is
  template <class V> void visit(V& v) {
    v("bytes", bytes); v("keys", keys); v("sequence", sequence); v("term", term); v("writer", writer); v("holders", holders); v("why", why);
  }
};
struct ServiceStateRequest {
  static constexpr const char* kMethod = "service.state";
  using Answer = ServiceStateAnswer;
  std::string name;
  template <class V> void visit(V& v) { v("name", name); }
};
/// What the programs of a deployed service wrote to standard error, on all machines, as far as it is kept here: in memory, the newest lines.
struct ServiceLogsAnswer {
  struct Line {
    uint64_t number = 0;           // from 1, by when it came here
    uint64_t at_ms = 0;            // Unix milliseconds, by the machine's clock
    crypto::PublicKey node;
    std::string text;
    template <class V> void visit(V& v) { v("number", number); v("at_ms", at_ms); v("node", node); v("text", text); }
  };
  std::vector<Line> lines;
  uint64_t next = 1;               // number of the line that comes next
  template <class V> void visit(V& v) { v("lines", lines); v("next", next); }
};
struct ServiceLogsRequest {
  static constexpr const char* kMethod = "service.logs";
  using Answer = ServiceLogsAnswer;
  std::string name;
  uint64_t after = 0;              // only lines with later numbers
  template <class V> void visit(V& v) { v("name", name); v("after", after); }
};
struct ServiceListRequest {
  static constexpr const char* kMethod = "service.list";
  using Answer = ServiceListAnswer;
  template <class V> void visit(V&) {}
};

struct ProxyAnswer {
  std::string listening;           // where
  std::string problem;             // why a connection just ended before its time
  template <class V> void visit(V& v) { v("listening", listening); v("problem", problem); }
};
/// Listens on this machine for ordinary clients and connects each to a service, for as long as the request stands. Progress: where it listens, and
/// each time when a connection failed.
struct ProxyRequest {
  static constexpr const char* kMethod = "service.proxy";
  using Answer = ProxyAnswer;
  std::string address;             // fabric://KEY
  std::string listen = "127.0.0.1:0";
  std::vector<std::string> at;     // nodes that have it: tickets, or the beginnings of known peers' keys
  std::vector<std::string> via;    // rendezvous that know who has it: tickets
  template <class V> void visit(V& v) { v("address", address); v("listen", listen); v("at", at); v("via", via); }
};

}  // namespace selvedge::node
