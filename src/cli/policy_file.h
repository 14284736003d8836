// Policy files: what a person writes, and the policies it stands for.
//
// A file is TOML with a table for each zone; `selvedge policy example` prints one with every setting explained. Reading it gives unsigned
// ZonePolicies that are valid in themselves; the node signs them. Every error says in which line it is.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "object/policy.h"

namespace selvedge::cli {

inline constexpr size_t kPolicyFileSizeMax = 1u << 20;

struct FiledPolicy {
  object::ZonePolicy policy;     // without serial and times, which the node sets
  uint64_t seconds = 0;          // how long it is to be valid
  uint32_t line = 0;             // of the zone's table
};

/// `owner` is whose zones they are: a zone's id follows from it. `now` is when a "from" that lies in the past is noticed against.
/// Errors: kInvalid, kLimit, each with "line N:".
Result<std::vector<FiledPolicy>> read_policy_file(std::string_view text, const crypto::PublicKey& owner);

/// A complete example, which read_policy_file() takes.
const char* policy_example();

}  // namespace selvedge::cli
