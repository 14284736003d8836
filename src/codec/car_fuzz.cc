// An archive that opens is written back byte for byte as it was read.
#include "codec/car.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace selvedge;
  using namespace selvedge::codec;
  Result<CarReader> archive = CarReader::open({data, size});
  if (!archive.ok()) return 0;
  Bytes again = car_header(archive->roots());
  for (;;) {
    const Result<std::optional<CarBlock>> block = archive->next();
    if (!block.ok()) return 0;
    if (!block->has_value()) break;
    append_car_block(again, (*block)->cid, (*block)->bytes);
  }
  CHECK(again == Bytes(data, data + size));
  return 0;
}
