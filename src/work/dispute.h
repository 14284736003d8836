// Dispute: finds out which of two executors of one task lied, by asking each for a few hashes and running part of the task.
//
// Each has shown a trace, and they differ. Under a trace lies a chain of hashes of the run's state at fuel boundaries; both
// chains begin alike, because the task is the same. The judge looks for the first boundary at which they differ, by halves: so it asks each
// side for at most log2 of their number. Then it runs the task itself, but only until there, and sees who was right:
// one, or none. Who does not answer in time, or answers twice and differently, is wrong as well.
//
// An honest side is never found wrong, whatever the other one says: the two claims that are compared with the judge's own
// differ, and the honest one is what every engine computes. Pure; the node carries questions and answers and has the
// task run. spec: docs/spec/trace.md, "Disputes".
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <variant>

#include "base/outbox.h"
#include "base/result.h"
#include "base/time.h"
#include "crypto/types.h"

namespace selvedge::work {

/// An executor computes its answer from what it kept, or by running the task again.
constexpr Duration kClaimTimeout = seconds(120);

enum class Side : uint8_t { kFirst = 0, kSecond = 1 };

/// What a side says of the whole run.
struct TraceClaim {
  crypto::Digest trace;
  uint64_t segments = 0;  // boundaries passed
};

/// Where a run stands after `index` boundaries: the chain's digest there, or the trace where the run ended before.
struct AskClaim { Side side; uint64_t index; };
/// To be answered with on_replayed().
struct Replay { uint64_t index; };

enum class Found : uint8_t {
  kByReplay,      // the judge ran the task that far
  kSilent,        // an answer did not come in time
  kTwoAnswers,    // to one question
  kImpossible,    // more boundaries than any run has
  kInconclusive,  // the judge could not run the task: nobody is wrong
};
struct Settled {
  std::array<bool, 2> wrong;
  Found found;
  uint64_t index = 0;                   // the first boundary at which they differ, once it was found
  std::array<crypto::Digest, 2> claims;  // there
};
using DisputeEffect = std::variant<AskClaim, Replay, Settled>;

class Dispute {
 public:
  using Out = Outbox<DisputeEffect>;
  /// Errors: kInvalid when there is nothing to decide.
  static Result<Dispute> open(Instant now, const std::array<TraceClaim, 2>& sides, Out& out);

  /// What was not asked for is ignored.
  void on_claim(Instant now, Side side, uint64_t index, const crypto::Digest& digest, Out& out);
  /// `truth`: what the judge's own run says at the index; an error when it has nothing to say.
  void on_replayed(const Result<crypto::Digest>& truth, Out& out);
  void on_deadline(Instant now, Out& out);
  Instant next_deadline() const { return deadline_; }
  bool settled() const { return stage_ == Stage::kSettled; }

 private:
  enum class Stage : uint8_t { kAsking, kReplaying, kSettled };
  explicit Dispute(const std::array<TraceClaim, 2>& sides) : sides_(sides) {}
  void next(Instant now, Out& out);
  void compare(Instant now, Out& out);
  void settle(std::array<bool, 2> wrong, Found found, Out& out);

  std::array<TraceClaim, 2> sides_;
  Stage stage_ = Stage::kAsking;
  uint64_t same_ = 0, differ_ = 0;  // boundaries at which they are known to agree, and to differ
  std::array<crypto::Digest, 2> at_differ_;
  uint64_t asked_ = 0;
  std::array<std::optional<crypto::Digest>, 2> answers_;
  Instant deadline_ = Instant::never();
};

}  // namespace selvedge::work
