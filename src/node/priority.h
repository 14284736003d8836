// How important a message is when there is more to do than time (mesh/intake.h). spec: FM 13.2
//
// Looks at the first bytes only: nothing is parsed before its turn. What answers an earlier message, or takes one back, must not
// have a higher priority than that one towards the same reader.
#pragma once

#include <optional>

#include "mesh/intake.h"

namespace selvedge::node {

mesh::Priority message_priority(ByteView message);
mesh::Priority frame_priority(ByteView frame);
/// As the frame claims; nothing of a frame too short to have one.
std::optional<object::ZoneId> frame_zone(ByteView frame);

}  // namespace selvedge::node
