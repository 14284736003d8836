// Any bytes: what is taken for a checkpoint is written again as exactly those bytes.
#include <cstdlib>

#include "wasm/checkpoint.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace selvedge;
  const ByteView bytes(data, size);
  const auto checkpoint = wasm::decode_checkpoint(bytes, 16);
  if (checkpoint.ok() && wasm::encode(*checkpoint) != to_bytes(bytes)) std::abort();
  return 0;
}
