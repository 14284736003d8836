#include "node/priority.h"

#include <gtest/gtest.h>

#include "mesh/messages.h"
#include "mesh/streams.h"
#include "work/messages.h"

namespace selvedge::node {
namespace {

using mesh::Priority;

// req: B4, C11
TEST(Priority, AnUrgentRequestForSymbolsComesBeforeOthers) {
  mesh::SymbolRequest request;
  EXPECT_EQ(message_priority(mesh::MeshMessages::encode(request)), Priority::kRequest);
  request.urgent = true;
  EXPECT_EQ(message_priority(mesh::MeshMessages::encode(request)), Priority::kResponse);
}

// req: C10, C11
TEST(Priority, APackedMessageHasThePriorityOfWhatIsInside) {
  const Bytes records = mesh::MeshMessages::encode(mesh::Records{{Bytes(5000, 7)}}), state = work::WorkMessages::encode(work::TaskState{{}, 1, 5000, 0, Bytes(5000, 7), false});
  for (const Bytes& each : {records, state}) {
    const Bytes packed = mesh::pack_message(each, mesh::kCompressions);
    ASSERT_LT(packed.size(), each.size());
    EXPECT_EQ(message_priority(packed), message_priority(each));
  }
  EXPECT_EQ(message_priority(records), Priority::kCapability);
  EXPECT_EQ(message_priority(Bytes{mesh::Packed::kType, 0x84}), Priority::kEvent) << "cut off";
}

// What streams carry is never thrown away: a byte missing would be a lie.
TEST(Priority, StreamsAreOpenedAsRequestsAndCarriedAsResponses) {
  EXPECT_EQ(message_priority(mesh::StreamMessages::encode(mesh::StreamOpen{})), Priority::kRequest);
  EXPECT_EQ(message_priority(mesh::StreamMessages::encode(mesh::StreamData{})), Priority::kResponse);
  EXPECT_EQ(message_priority(mesh::StreamMessages::encode(mesh::StreamEnd{})), Priority::kResponse);
}

}  // namespace
}  // namespace selvedge::node
