// zstd (RFC 8878), as messages are packed by it. Alone in its file: a browser's build has none (tab/wasm_absent.cc).
#pragma once

#include "base/bytes.h"
#include "base/result.h"

namespace selvedge::mesh {

/// Empty when it cannot be had.
Bytes zstd_pack(ByteView bytes);
/// Errors: kInvalid unless it unpacks to exactly `size` bytes.
Result<Bytes> zstd_unpack(ByteView packed, size_t size);

}  // namespace selvedge::mesh
