// Symbol frames as strangers send them: whatever parses is consistent, survives a round trip, and can be cut down.
#include <cstddef>
#include <cstdint>

#include "mesh/frame.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace selvedge;
  const ByteView bytes(data, size);
  const Result<mesh::FrameView> frame = mesh::parse_frame(bytes);
  if (!frame.ok()) return 0;
  CHECK(frame->symbols.size() == frame->esis.size() * frame->sealed_bytes());
  std::vector<size_t> all(frame->esis.size());
  for (size_t i = 0; i < all.size(); ++i) all[i] = i;
  CHECK(mesh::subset_frame(*frame, all) == to_bytes(bytes));
  Bytes one = mesh::subset_frame(*frame, {all.back()});
  mesh::retarget_frame(one, mesh::FrameKind::kDeliver, 7, Instant{});
  const Result<mesh::FrameView> again = mesh::parse_frame(one);
  CHECK(again.ok() && again->esis.size() == 1 && again->esis[0] == frame->esis.back() && again->header.transfer == 7);
  return 0;
}
