// What a node asks of those who watch its audit log, and what they answer: C2SP add-checkpoint (tlog-witness) on the control channel
// instead of HTTP. The texts are those of the specification, byte for byte. Specified in docs/spec/audit.md.
#pragma once

#include <string>

#include "codec/message_set.h"

namespace selvedge::node {

/// The body of an add-checkpoint request: old size, consistency proof, checkpoint.
struct AddCheckpointAsk {
  static constexpr uint8_t kType = 80;
  uint64_t request = 0;
  std::string body;
  template <class V> void visit(V& v) { v("request", request); v("body", body); }
};

/// Its answer: the status HTTP would have, and the body that goes with it (signature lines for 200, the last size for 409).
struct AddCheckpointAnswer {
  static constexpr uint8_t kType = 81;
  uint64_t request = 0;
  uint16_t status = 0;
  std::string body;
  template <class V> void visit(V& v) { v("request", request); v("status", status); v("body", body); }
};

using AuditMessages = codec::MessageSet<AddCheckpointAsk, AddCheckpointAnswer>;

}  // namespace selvedge::node
