// Epochs and sequences: what order there is, and what order there is not.
//
// Time is cut into epochs (one second unless a zone's policy says otherwise). Within an epoch nothing is ordered; between epochs everything
// is (spec: FM 11.4.1). Where strict order is needed, operations are links of a sequence: each names its number and the link before it,
// so that a gap, a broken chain and two links for one place are told apart (spec: FM 11.4.2).
#pragma once

#include <optional>

#include "base/time.h"
#include "object/envelope.h"

namespace selvedge::object {

inline constexpr uint32_t kEpochSecondsDefault = 1;
inline constexpr uint32_t kEpochSecondsMax = 86'400;

/// The epoch an instant lies in. `epoch_seconds` is 1 to kEpochSecondsMax (a CHECK: a zone's policy was validated).
uint64_t epoch_of(uint64_t unix_seconds, uint32_t epoch_seconds);

enum class EpochOrder : uint8_t { kBefore, kUnordered, kAfter };
/// How something of epoch `a` stands to something of epoch `b`.
constexpr EpochOrder order_of(uint64_t a, uint64_t b) {
  return a < b ? EpochOrder::kBefore : a > b ? EpochOrder::kAfter : EpochOrder::kUnordered;
}

struct SequenceIdTag;
using SequenceId = FixedBytes<SequenceIdTag, 32>;

/// One place in a sequence, filled by its author with one operation.
struct SequenceLink {
  static constexpr std::string_view kName = "SequenceLink";
  static constexpr uint16_t kVersion = 1;
  ZoneId zone;
  SequenceId sequence;
  PublicKey issuer;
  uint64_t number = 0;               // from 0
  std::optional<ObjectId> previous;  // absent exactly in link 0
  ObjectId operation;                // what is put in this place
  uint64_t issued = 0;

  template <class V>
  void visit(V& v) {
    v("zone", zone);
    v("sequence", sequence);
    v("issuer", issuer);
    v("number", number);
    v("previous", previous);
    v("operation", operation);
    v("issued", issued);
  }
  const PublicKey& author() const { return issuer; }
  Status validate() const;
};

/// Follows one sequence of one author, link by link.
class SequenceCursor {
 public:
  SequenceCursor(const ZoneId& zone, const SequenceId& sequence, const PublicKey& issuer) : zone_(zone), sequence_(sequence), issuer_(issuer) {}
  /// Takes the next link. On an error the cursor stays where it is.
  /// Errors: kUnavailable (a gap: links in between are missing), kIntegrity (the chain is broken: it follows another link), kExists (the place is
  /// taken; when by another link, that is equivocation), kUnauthorized (another zone, sequence or author).
  Status take(const Signed<SequenceLink>& link);
  uint64_t next_number() const { return next_; }
  const std::optional<ObjectId>& last() const { return last_; }

 private:
  ZoneId zone_;
  SequenceId sequence_;
  PublicKey issuer_;
  uint64_t next_ = 0;
  std::optional<ObjectId> last_;
};

}  // namespace selvedge::object
