#include "object/quorum.h"

#include <algorithm>

namespace selvedge::object {

const char* enum_name(OperationClass operation) {
  switch (operation) {
    case OperationClass::kReadOnly: return "read_only";
    case OperationClass::kNormalWrite: return "normal_write";
    case OperationClass::kCriticalWrite: return "critical_write";
    case OperationClass::kUnanimous: return "unanimous";
  }
  return "unknown";
}

const char* enum_name(Consistency level) {
  switch (level) {
    case Consistency::kEventual: return "eventual";
    case Consistency::kEpoch: return "epoch";
    case Consistency::kSequenced: return "sequenced";
    case Consistency::kLinearizable: return "linearizable";
  }
  return "unknown";
}

OperationClass quorum_class(Consistency level) {
  return level == Consistency::kLinearizable ? OperationClass::kNormalWrite : OperationClass::kReadOnly;
}

Result<uint32_t> quorum(OperationClass operation, uint32_t n, uint32_t f) {
  if (n == 0 || n > kQuorumMembersMax) return fail(Errc::kInvalid, "a quorum is of 1 to " + std::to_string(kQuorumMembersMax) + " members");
  if (f > faults_max(n)) {
    return fail(Errc::kInvalid, std::to_string(n) + " members bear at most " + std::to_string(faults_max(n)) + " liars: add members");
  }
  switch (operation) {
    case OperationClass::kReadOnly: return 1u;
    case OperationClass::kNormalWrite: return (n + f) / 2 + 1;
    case OperationClass::kCriticalWrite: return n - f;
    case OperationClass::kUnanimous: return n;
  }
  return fail(Errc::kInvalid, "no such class of operations");
}

Status check_quorum(std::span<const PublicKey> signers, std::span<const PublicKey> members, uint32_t needed) {
  if (needed == 0) return fail(Errc::kInvalid, "a quorum of nobody decides nothing");
  for (size_t i = 0; i < signers.size(); ++i) {
    if (i > 0 && !(signers[i - 1] < signers[i])) return fail(Errc::kNonCanonical, "the signers are not sorted, or one of them is there twice");
    if (!std::binary_search(members.begin(), members.end(), signers[i])) {
      return fail(Errc::kUnauthorized, "signer " + signers[i].brief() + " is not one of those who may decide this");
    }
  }
  if (signers.size() < needed) {
    return fail(Errc::kUnavailable, std::to_string(signers.size()) + " of the " + std::to_string(needed) + " signers that are needed agreed so far");
  }
  return ok();
}

}  // namespace selvedge::object
