// The bytes of one incoming stream, cut into pieces as the input says: the reader never holds more than it was given,
// never hands out a message outside its bounds, and gives the same messages however the stream is cut.
#include "base/check.h"
#include "host/quic/frame.h"

using namespace selvedge;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static constexpr size_t kMessageBytesMax = 4096;
  static constexpr size_t kPieces = 4;
  if (size < kPieces) return 0;
  const ByteView cuts(data, kPieces);
  const ByteView stream(data + kPieces, size - kPieces);

  host::FrameReader whole(2, kMessageBytesMax);
  std::vector<Bytes> expected;
  const bool whole_ok = whole.push(stream, expected).ok();
  for (const Bytes& message : expected) CHECK(!message.empty() && message.size() <= kMessageBytesMax);

  host::FrameReader cut(2, kMessageBytesMax);
  std::vector<Bytes> out;
  bool cut_ok = true;
  size_t i = 0;
  for (size_t at = 0; at < stream.size();) {
    const size_t take = std::min<size_t>(stream.size() - at, 1u + cuts[i++ % kPieces]);
    cut_ok = cut.push(stream.subspan(at, take), out).ok() && cut_ok;
    at += take;
    CHECK(cut.held() <= at && cut.held() <= kMessageBytesMax + host::kFrameLengthBytes);
  }
  CHECK(cut_ok == whole_ok && out == expected && cut.channel() == whole.channel());
  return 0;
}
