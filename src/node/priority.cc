#include "node/priority.h"

#include "mesh/frame.h"
#include "mesh/messages.h"
#include "mesh/relay.h"
#include "mesh/rendezvous.h"
#include "mesh/streams.h"
#include "node/audit_messages.h"
#include "node/hosting_messages.h"
#include "node/identity_messages.h"
#include "node/state_messages.h"
#include "node/index_messages.h"
#include "node/oracle_messages.h"
#include "node/page_messages.h"
#include "node/secret_messages.h"
#include "work/messages.h"

namespace selvedge::node {

using mesh::Priority;

static constexpr uint8_t kCborTrue = 0xF5;

mesh::Priority message_priority(ByteView message) {
  if (message.empty()) return Priority::kEvent;
  const uint8_t packed = mesh::packed_type(message), type = packed != 0 ? packed : message[0];
  switch (type) {
    case mesh::SymbolRequest::kType: return message.back() == kCborTrue ? Priority::kResponse : Priority::kRequest;  // urgent, its last field
    case mesh::Hello::kType:
    case mesh::PathOffer::kType:
    case mesh::StoreAck::kType:
    case mesh::DropAck::kType:
    case mesh::Known::kType: return Priority::kControl;
    case RenewService::kType:
    case EndService::kType:
    case mesh::Records::kType: return Priority::kCapability;  // grants and what takes them back
    case mesh::SymbolEnd::kType:
    case work::OfferAnswer::kType:
    case work::Commit::kType:
    case work::RevealAnswer::kType:
    case work::TaskState::kType:
    case mesh::StreamAccept::kType:
    case mesh::StreamData::kType:
    case mesh::StreamCredit::kType:
    case mesh::StreamEnd::kType:
    case mesh::RelayAck::kType:
    case mesh::RelayIncoming::kType:
    case mesh::RendezvousAck::kType:
    case mesh::RendezvousAnswer::kType:
    case mesh::RendezvousMembers::kType:
    case ServiceState::kType:
    case OracleReply::kType:
    case IdentityGiven::kType:
    case JobTold::kType: return Priority::kResponse;
    default: break;
  }
  if (AuditMessages::knows(type)) return Priority::kAudit;
  if (StateMessages::knows(type)) return Priority::kCapability;  // in the order in which they were sent, and none is left out
  if (IndexMessages::knows(type)) return Priority::kCapability;  // between devices of one owner
  const bool meeting = mesh::RelayMessages::knows(type) || mesh::RendezvousMessages::knows(type) || mesh::StreamMessages::knows(type);
  const bool known = meeting || mesh::MeshMessages::knows(type) || work::WorkMessages::knows(type) || SecretMessages::knows(type) || OracleMessages::knows(type) || IdentityMessages::knows(type) || HostingMessages::knows(type) || PageMessages::knows(type);
  return known ? Priority::kRequest : Priority::kEvent;
}

mesh::Priority frame_priority(ByteView frame) {
  // Packets of others' connections: what they are for is not to be seen.
  if (mesh::is_relay_frame(frame)) return Priority::kResponse;
  return mesh::peek_frame(frame).kind == mesh::FrameKind::kStore ? Priority::kRequest : Priority::kResponse;
}

std::optional<object::ZoneId> frame_zone(ByteView frame) { return mesh::is_relay_frame(frame) ? std::nullopt : mesh::peek_frame(frame).zone; }

}  // namespace selvedge::node
