// Every message of the wire: what decodes encodes to the same bytes again.
#include <cstddef>
#include <cstdint>

#include "mesh/messages.h"
#include "node/index_messages.h"
#include "node/audit_messages.h"
#include "node/hosting_messages.h"
#include "node/identity_messages.h"
#include "node/page_messages.h"
#include "node/secret_messages.h"
#include "node/state_messages.h"
#include "mesh/relay.h"
#include "mesh/rendezvous.h"
#include "mesh/streams.h"
#include "mesh/trunk.h"
#include "work/messages.h"

namespace {

using namespace selvedge;

template <class Set>
void round_trip(ByteView bytes) {
  const auto message = Set::decode(bytes);
  if (!message.ok()) return;
  const Bytes again = std::visit([](const auto& m) { return Set::encode(m); }, *message);
  CHECK(again == to_bytes(bytes));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  round_trip<mesh::MeshMessages>({data, size});
  round_trip<work::WorkMessages>({data, size});
  round_trip<node::IndexMessages>({data, size});
  round_trip<node::SecretMessages>({data, size});
  round_trip<node::IdentityMessages>({data, size});
  round_trip<node::AuditMessages>({data, size});
  round_trip<node::HostingMessages>({data, size});
  round_trip<node::PageMessages>({data, size});
  round_trip<node::StateMessages>({data, size});
  round_trip<mesh::RendezvousMessages>({data, size});
  round_trip<mesh::RelayMessages>({data, size});
  round_trip<mesh::StreamMessages>({data, size});
  round_trip<mesh::TrunkMessages>({data, size});
  round_trip<mesh::PackMessages>({data, size});
  if (const auto frame = mesh::parse_relay_frame({data, size}); frame.ok()) {
    CHECK(mesh::make_relay_frame(frame->circuit, frame->segment, frame->packets) == to_bytes(ByteView(data, size)));
  }
  return 0;
}
