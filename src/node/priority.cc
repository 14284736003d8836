#include "node/priority.h"

#include "mesh/frame.h"
#include "mesh/messages.h"
#include "node/audit_messages.h"
#include "node/index_messages.h"
#include "node/oracle_messages.h"
#include "node/secret_messages.h"
#include "work/messages.h"

namespace selvedge::node {

using mesh::Priority;

mesh::Priority message_priority(ByteView message) {
  if (message.empty()) return Priority::kEvent;
  switch (message[0]) {
    case mesh::Hello::kType:
    case mesh::StoreAck::kType:
    case mesh::DropAck::kType:
    case mesh::Known::kType: return Priority::kControl;
    case mesh::Records::kType: return Priority::kCapability;  // grants and what takes them back
    case mesh::SymbolEnd::kType:
    case work::OfferAnswer::kType:
    case work::Commit::kType:
    case work::RevealAnswer::kType:
    case work::TaskState::kType:
    case OracleReply::kType: return Priority::kResponse;
    default: break;
  }
  if (AuditMessages::knows(message[0])) return Priority::kAudit;
  if (IndexMessages::knows(message[0])) return Priority::kCapability;  // between devices of one owner
  const bool known = mesh::MeshMessages::knows(message[0]) || work::WorkMessages::knows(message[0]) || SecretMessages::knows(message[0]) || OracleMessages::knows(message[0]);
  return known ? Priority::kRequest : Priority::kEvent;
}

mesh::Priority frame_priority(ByteView frame) { return mesh::peek_frame(frame).kind == mesh::FrameKind::kStore ? Priority::kRequest : Priority::kResponse; }

std::optional<object::ZoneId> frame_zone(ByteView frame) { return mesh::peek_frame(frame).zone; }

}  // namespace selvedge::node
