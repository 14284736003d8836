// Quorums: how many distinct, authorised parties must say the same before it counts.
//
// With n members of which at most f lie, two quorums of floor((n+f)/2)+1 share an honest member (ruling R6; the seed's rounded-down
// form does not). Signatures are never counted, distinct signers are (R13): a list of signers is sorted, without repetition, and every one
// of them is a member.
#pragma once

#include <span>

#include "object/ids.h"

namespace selvedge::object {

inline constexpr uint32_t kQuorumMembersMax = 1024;

/// What an operation does decides how many must agree (spec: FM 11.2).
enum class OperationClass : uint8_t {
  kReadOnly,       // one answer, labelled with its age
  kNormalWrite,    // floor((n+f)/2)+1
  kCriticalWrite,  // n-f: issuing, revoking
  kUnanimous,      // n: the root itself
  kLast = kUnanimous,
};
const char* enum_name(OperationClass operation);

/// What a reader may expect of an operation (spec: FM 11.4.3).
enum class Consistency : uint8_t {
  kEventual,      // done here, spreads later
  kEpoch,         // ordered between epochs, not within one
  kSequenced,     // strict order within one sequence (sequence.h)
  kLinearizable,  // takes effect at one instant; needs a quorum
  kLast = kLinearizable,
};
const char* enum_name(Consistency level);
/// The class of quorum a level needs for a write.
OperationClass quorum_class(Consistency level);

/// The most liars a group of n can bear: the largest f with 3f < n.
constexpr uint32_t faults_max(uint32_t n) { return n == 0 ? 0 : (n - 1) / 3; }

/// Errors: kInvalid when n is 0, above kQuorumMembersMax, or 3f >= n.
Result<uint32_t> quorum(OperationClass operation, uint32_t n, uint32_t f);

/// Whether at least `needed` distinct members stand behind something. Both lists are sorted.
/// Errors: kNonCanonical (signers not sorted, or one twice), kUnauthorized (a signer is no member), kUnavailable (too few), kInvalid (needed is 0).
Status check_quorum(std::span<const PublicKey> signers, std::span<const PublicKey> members, uint32_t needed);

}  // namespace selvedge::object
