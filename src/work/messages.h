// What an origin's node and an executor say to each other about a task. The order is fixed: offer, answer, commitment,
// then, once every replica has committed, reveal. An executor cannot learn another's result before it has bound itself
// to its own. Specified in docs/spec/wire.md.
#pragma once

#include <string>

#include "codec/message_set.h"
#include "object/kinds.h"

namespace selvedge::work {

using NodeKey = crypto::PublicKey;
using TaskId = object::TaskId;

/// The state of a run travels in parts; a larger one is not kept.
constexpr size_t kTaskStateBytesMax = 32u << 20;
constexpr size_t kTaskStatePartBytes = 1u << 20;

/// What stands between a program and the machine that runs it, the stronger the higher. A machine's word, like all that it says of itself.
enum class Isolation : uint8_t {
  kProcess = 0,  // a locked-down process
  kMachine = 1,  // the same in a virtual machine of its own
};

/// A signed TaskOffer: what to run, on whose behalf, with sealed keys for just its objects. `state_bytes`: so large is the checkpoint of this task, sent
/// before as TaskStates, to go on from; 0: there is none. Neither it nor `isolation` is part of what is signed, because the result is the same with them and without.
struct Offer {
  static constexpr uint8_t kType = 32;
  Bytes offer;
  uint32_t state_bytes = 0;
  uint8_t isolation = 0;  // an Isolation: at least so much stands between the program and the machine, or the offer is refused
  template <class V> void visit(V& v) { v("offer", offer); v("state_bytes", state_bytes); v("isolation", isolation); }
};

/// error 0: taken. Else an Errc: the executor will not run it, and says why.
struct OfferAnswer {
  static constexpr uint8_t kType = 33;
  TaskId task;
  uint8_t error = 0;
  std::string message;
  template <class V> void visit(V& v) { v("task", task); v("error", error); v("message", message); }
};

/// A signed Commitment.
struct Commit {
  static constexpr uint8_t kType = 34;
  Bytes commitment;
  template <class V> void visit(V& v) { v("commitment", commitment); }
};

struct RevealAsk {
  static constexpr uint8_t kType = 35;
  TaskId task;
  template <class V> void visit(V& v) { v("task", task); }
};

/// A signed Reveal and Receipt, and the output they name.
struct RevealAnswer {
  static constexpr uint8_t kType = 36;
  Bytes reveal;
  Bytes receipt;
  Bytes output;
  template <class V> void visit(V& v) { v("reveal", reveal); v("receipt", receipt); v("output", output); }
};

/// The origin no longer wants the task.
struct Cancel {
  static constexpr uint8_t kType = 37;
  TaskId task;
  template <class V> void visit(V& v) { v("task", task); }
};

/// A part of where a running task is, now and then: from there it can be taken up again, on this machine or on another.
struct TaskState {
  static constexpr uint8_t kType = 38;
  TaskId task;
  uint64_t fuel = 0;      // used so far
  uint32_t size = 0;      // of the whole (wasm/checkpoint.h)
  uint32_t at = 0;        // where in it this part begins
  Bytes part;
  bool to_go_on = false;  // from the origin, for the offer that comes next; else from an executor
  template <class V> void visit(V& v) { v("task", task); v("fuel", fuel); v("size", size); v("at", at); v("part", part); v("to_go_on", to_go_on); }
};

using WorkMessages = codec::MessageSet<Offer, OfferAnswer, Commit, RevealAsk, RevealAnswer, Cancel, TaskState>;

}  // namespace selvedge::work
