// What a domain's process may say to its pool, as bytes: cut into frames as RunnerProcess does, each decoded; what decodes encodes to
// the same bytes again, so there is one spelling of everything.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "host/domain/frames.h"

using namespace selvedge;
using namespace selvedge::host::domain;

namespace {

template <class Frame>
void round_trip(const Result<Frame>& decoded, ByteView body) {
  if (!decoded.ok()) return;
  const Bytes again = encode(*decoded);
  CHECK(to_bytes(ByteView(again).subspan(kFrameHeaderBytes)) == to_bytes(body));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ByteView rest(data, size);
  while (rest.size() >= kFrameHeaderBytes) {
    const auto header = decode_header(rest.first(kFrameHeaderBytes));
    rest = rest.subspan(kFrameHeaderBytes);
    if (!header.ok() || header->body_bytes > rest.size()) break;
    const ByteView body = rest.first(header->body_bytes);
    rest = rest.subspan(header->body_bytes);
    switch (FrameType(header->type)) {
      case FrameType::kHello: round_trip(decode_hello(body), body); break;
      case FrameType::kModule: round_trip(decode_module(body), body); break;
      case FrameType::kTask: round_trip(decode_task(body), body); break;
      case FrameType::kResult: round_trip(decode_result(body), body); break;
      case FrameType::kPace: round_trip(decode_pace(body), body); break;
      case FrameType::kStateAsk: round_trip(decode_state_ask(body), body); break;
      case FrameType::kStateAnswer: round_trip(decode_state_answer(body), body); break;
      case FrameType::kCheckpoint: round_trip(decode_checkpoint_frame(body), body); break;
    }
  }
  return 0;
}
