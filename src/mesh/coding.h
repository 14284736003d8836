// Turning an object into sealed symbols and back: the heavy, pure work that a node hands to its worker pool.
//
// encode() and decode() are functions of their job alone, so a worker thread, the simulator and a test run the same
// code. A job owns what it needs; keys in it are wiped with it.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "fountain/fountain.h"
#include "mesh/frame.h"
#include "mesh/placement.h"
#include "object/zone_keys.h"

namespace selvedge::mesh {

/// One object's plaintext is at most this. Longer blobs are several objects.
constexpr uint64_t kGroupBytesMax = 8u << 20;
/// Up to here an object travels whole, sealed, in one frame (R27); bench/coding_bench measures the crossover.
constexpr uint64_t kWholeBytesMax = 8192;
constexpr uint16_t kSymbolBytes = 1024;

/// Source blocks are of at most this many symbols: large enough for little overhead, small enough that a block's
/// working set stays in the second-level cache (docs/performance.md).
constexpr uint32_t kBlockSymbolsMax = 2048;

/// Chooses whole or coded, symbol size and source blocks for `bytes` of content, and tags it for `zone`. `content` names the
/// content: equal for equal bytes only. Errors: kLimit above kGroupBytesMax, kNotFound when the zone has no key for `epoch`.
Result<object::BlockGroup> describe_group(const object::ZoneKeys& zone, uint64_t epoch, uint64_t bytes, const crypto::Digest& content);

struct EncodeJob {
  std::shared_ptr<const Bytes> plaintext;
  object::BlockGroup group;
  object::ObjectId object;
  object::ObjectKey key;
  std::vector<Share> shares;
  uint64_t expires = 0;
  std::shared_ptr<fountain::PlanCache> plans;  // may be null
};
struct EncodedShare {
  NodeKey holder;
  std::vector<Bytes> frames;  // kStore, transfer 0: the sender numbers them
};
struct EncodeResult {
  std::vector<EncodedShare> shares;
};
EncodeResult encode(const EncodeJob& job);

struct DecodeJob {
  object::BlockGroup group;
  object::ObjectId object;
  object::ObjectKey key;
  struct From {
    NodeKey holder;
    Bytes frame;
  };
  std::vector<From> frames;
  std::shared_ptr<fountain::PlanCache> plans;  // may be null
};
struct DecodeResult {
  std::optional<Bytes> plaintext;
  std::vector<NodeKey> liars;          // holders that sent symbols which do not authenticate, each once
  std::vector<uint32_t> more_needed;   // per block, when plaintext is absent
  std::vector<DecodeJob::From> kept;   // the genuine frames, when plaintext is absent
};
DecodeResult decode(const DecodeJob& job);

}  // namespace selvedge::mesh
