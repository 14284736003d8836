// What the pool and a runner say to each other: frames of a length, a type and a fixed binary layout.
//
// Both sides treat the other's bytes as hostile: a runner may have been taken over by its guest, and a runner that
// gets nonsense ends. Big-endian numbers, each variable part behind its length, nothing optional, bounded by
// kFrameBytesMax. Private to host/domain; the two sides are always of one build.
#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/types.h"
#include "host/domain/domain_pool.h"
#include "wasi/state_calls.h"
#include "wasm/trace.h"

namespace selvedge::host::domain {

constexpr uint32_t kFrameBytesMax = (64u << 20) + (1u << 20);
constexpr size_t kFrameHeaderBytes = 5;  // u32 length of the body, u8 type

enum class FrameType : uint8_t {
  kHello = 1,   // runner: locked down, and by what
  kModule = 2,  // pool: the module this process is for; once
  kTask = 3,    // pool: run it; answered by one kResult
  kResult = 4,  // runner
  kPace = 5,    // pool: how fast; at any time, also during a task
  kCheckpoint = 6,  // runner: the state of the run in progress, as often as the task asks
  kStateAsk = 7,    // runner: what the service's state has; it waits for the answer
  kStateAnswer = 8, // pool: to that
};

struct HelloFrame {
  uint32_t layers = 0;  // bits of LayerBit
};

enum LayerBit : uint32_t {
  kLayerSeccomp = 1u << 0,
  kLayerLandlock = 1u << 1,
  kLayerNoNewPrivs = 1u << 2,
  kLayerNotDumpable = 1u << 3,
  kLayerUnprivileged = 1u << 4,
  kLayerUserNamespace = 1u << 5,
  kLayerPidNamespace = 1u << 6,
  kLayerNetNamespace = 1u << 7,
  kLayerMountNamespace = 1u << 8,
  kLayerIpcNamespace = 1u << 9,
  kLayerUtsNamespace = 1u << 10,
  kLayerEmptyRoot = 1u << 11,
  kLayerMemoryGroup = 1u << 12,
  kLayerPidsGroup = 1u << 13,
};

struct ModuleFrame {
  crypto::Digest identity;
  bool has_start = false;
  bool needs_fresh_instance = false;
  bool resumable = false;
  bool serves = false;
  uint32_t pages_min = 0;
  Bytes module;
};

struct TaskFrame {
  DomainHandle handle;
  std::vector<std::string> args;
  std::vector<std::string> environment;
  Bytes input;
  std::vector<DomainFile> files;
  uint64_t seed = 0;
  uint64_t fuel_limit = 0;
  uint64_t memory_pages_max = 0;
  uint64_t output_bytes_max = 0;
  uint64_t service = 0;        // 0: a task; else a request of this service, which has no trace, and whose instance stays where the module serves
  bool has_state = false;      // the request may ask for the service's state and change it
  wasi::StateUse state_use;    // of that state
  uint32_t checkpoint_ms = 0;  // at least so long between two of them; 0: none
  Bytes resume;                // the checkpoint to go on from; empty: from the start
};

struct CheckpointFrame {
  DomainHandle handle;  // of the task
  uint64_t fuel = 0;
  Bytes checkpoint;     // wasm::encode
};

struct StateAskFrame {
  DomainHandle handle;  // of the task
  bool next = false;    // the first key after `after` that begins with `key`; else the value of `key`
  std::string key, after;
};
struct StateAnswerFrame {
  bool found = false;
  Bytes bytes;
};

struct PaceFrame {
  uint32_t permille = 1000;  // share of one processor, 1..1000
  uint32_t burst_us = 0;     // of processor time between two rests
  uint32_t slice_us = 1000;
};

struct ResultFrame {
  DomainHandle handle;  // of the task it answers
  uint8_t end = 0;  // DomainEnd
  int32_t exit_code = 0;
  uint64_t fuel = 0;
  uint64_t memory_bytes = 0;
  bool comparable = false;  // the trace says something about the program
  bool reusable = false;    // the process may run another task
  crypto::Digest trace;
  std::vector<wasm::Segment> segments;
  std::string message;
  std::string errors;
  Bytes output;
  std::vector<wasi::StateWrite> writes;  // of a request with state that ended well
};

Bytes encode(const HelloFrame& frame);
Bytes encode(const ModuleFrame& frame);
Bytes encode(const TaskFrame& frame);
Bytes encode(const ResultFrame& frame);
Bytes encode(const CheckpointFrame& frame);
/// The same up to where its checkpoint begins, for whoever sends that in pieces.
Bytes encode_checkpoint_head(const DomainHandle& handle, uint64_t fuel, size_t size);
Bytes encode(const PaceFrame& frame);
Bytes encode(const StateAskFrame& frame);
Bytes encode(const StateAnswerFrame& frame);

/// Errors: kInvalid for a body that is not exactly one such frame, kLimit for one whose parts are too large.
Result<HelloFrame> decode_hello(ByteView body);
Result<ModuleFrame> decode_module(ByteView body);
Result<TaskFrame> decode_task(ByteView body);
Result<ResultFrame> decode_result(ByteView body);
Result<CheckpointFrame> decode_checkpoint_frame(ByteView body);
Result<PaceFrame> decode_pace(ByteView body);
Result<StateAskFrame> decode_state_ask(ByteView body);
Result<StateAnswerFrame> decode_state_answer(ByteView body);

/// Header of a frame. Errors: kLimit.
struct FrameHeader {
  uint32_t body_bytes = 0;
  uint8_t type = 0;
};
Result<FrameHeader> decode_header(ByteView header);

}  // namespace selvedge::host::domain
