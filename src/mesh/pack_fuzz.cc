// Packed messages as strangers send them: what unpacks is as long as it says, of the type it says, and packs again.
#include <cstddef>
#include <cstdint>

#include "mesh/pack.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace selvedge;
  const ByteView bytes(data, size);
  const uint8_t type = mesh::packed_type(bytes);
  const Result<Bytes> message = mesh::unpack_message(bytes);
  if (!message.ok()) return 0;
  CHECK(!message->empty() && message->size() <= mesh::kUnpackedBytesMax && (*message)[0] == type);
  const Bytes again = mesh::pack_message(*message, mesh::kCompressions);
  if (again[0] == mesh::Packed::kType) CHECK(*mesh::unpack_message(again) == *message);
  return 0;
}
