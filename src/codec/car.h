// CARv1: blocks in a row, each with its Cid before it, as other IPLD tools write and read them.
//
//   varint(n) header | varint(n) cid block | varint(n) cid block ...        header = dag-cbor {"roots": [cid...], "version": 1}
//
// The writer is told the order; the reader checks every block against its Cid, so that what comes out of an archive is what it is called.
#pragma once

#include <optional>
#include <vector>

#include "codec/dag.h"

namespace selvedge::codec {

inline constexpr size_t kCarRootsMax = 64;
inline constexpr size_t kCarBlocksMax = 1u << 20;

Bytes car_header(const std::vector<Cid>& roots);
void append_car_block(Bytes& out, const Cid& cid, ByteView block);

struct CarBlock {
  Cid cid;
  ByteView bytes;  // points into the archive
};

class CarReader {
 public:
  /// Errors: kInvalid (no CARv1), kNonCanonical, kUnsupported (another version), kLimit.
  static Result<CarReader> open(ByteView archive);
  const std::vector<Cid>& roots() const { return roots_; }
  /// The next block, nullopt at the end. Errors: kInvalid (cut short), kIntegrity (not what its Cid names), kUnsupported (another sort of Cid), kLimit.
  Result<std::optional<CarBlock>> next();

 private:
  Result<ByteView> take(size_t limit);
  ByteView rest_;
  std::vector<Cid> roots_;
  size_t blocks_ = 0;
};

}  // namespace selvedge::codec
