// What an origin's node and a machine say to each other about a service that the machine is to run. docs/spec/hosting.md
#pragma once

#include "codec/message_set.h"
#include "object/kinds.h"

namespace selvedge::node {

constexpr size_t kHostedOwnersMax = 256;

/// Run this. `offer`: a signed TaskOffer of the program; `proof`: an IngressSet, signed by the service, that names the machine. One with a higher serial takes
/// the place of the one before, once its program is there.
struct HostService {
  static constexpr uint8_t kType = 133;
  crypto::PublicKey service;
  uint64_t serial = 0;
  Bytes offer;
  Bytes proof;
  uint8_t access = 0;                     // an Access (services.h)
  std::vector<crypto::PublicKey> owners;  // of Access::kKeys
  uint32_t connections_max = 0;
  bool state = false;                     // it has one (state_messages.h): it is shown to clients once this machine is its writer
  template <class V> void visit(V& v) {
    v("service", service); v("serial", serial); v("offer", offer); v("proof", proof); v("access", access); v("owners", owners); v("connections_max", connections_max); v("state", state);
  }
};
/// What the service signed for the machine ends; this is for the time after.
struct RenewService {
  static constexpr uint8_t kType = 134;
  crypto::PublicKey service;
  Bytes proof;
  template <class V> void visit(V& v) { v("service", service); v("proof", proof); }
};
/// Run it no longer.
struct EndService {
  static constexpr uint8_t kType = 135;
  crypto::PublicKey service;
  template <class V> void visit(V& v) { v("service", service); }
};
/// How it is with one; told when that changes, and to each node of its origin that connects.
struct ServiceState {
  static constexpr uint8_t kType = 136;
  crypto::PublicKey service;
  uint64_t serial = 0;
  uint8_t stage = 0;                      // a work::InstanceStage
  std::string message;                    // why it was refused
  uint64_t requests = 0, failed = 0;
  template <class V> void visit(V& v) { v("service", service); v("serial", serial); v("stage", stage); v("message", message); v("requests", requests); v("failed", failed); }
};

/// A line that a service's program wrote to its standard error, or why a request of it failed.
struct LogLine {
  uint64_t at_ms = 0;                     // Unix milliseconds, by the machine's clock
  std::string text;
  template <class V> void visit(V& v) { v("at_ms", at_ms); v("text", text); }
};
/// What was written since the last one; told to the nodes of its origin that are connected.
struct ServiceLog {
  static constexpr uint8_t kType = 137;
  crypto::PublicKey service;
  std::vector<LogLine> lines;
  uint64_t left_out = 0;                  // lines that were too many
  template <class V> void visit(V& v) { v("service", service); v("lines", lines); v("left_out", left_out); }
};
constexpr size_t kLogLinesPerMessageMax = 256;
constexpr size_t kLogLineBytesMax = 1000;

using HostingMessages = codec::MessageSet<HostService, RenewService, EndService, ServiceState, ServiceLog>;

}  // namespace selvedge::node
