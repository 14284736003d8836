// A stranger on a WebSocket: packets of any content, and those of a dialler that proves its key and then says anything. Each input is a script of packets,
// a length in two bytes before each; a first byte of 1 has the script sealed by an honest dialler's channel, as its messages.
#include <cstddef>
#include <cstdint>

#include "mesh/secure_channel.h"

static selvedge::crypto::Seed seed_of(uint8_t fill) { return selvedge::crypto::Seed::from(selvedge::Bytes(32, fill)).value(); }

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace selvedge;
  using namespace selvedge::mesh;
  if (size == 0) return 0;
  const crypto::Ed25519Signer self(seed_of(1));
  SecureChannel acceptor(ChannelSide::kAcceptor, self, {}, crypto::Drbg(seed_of(2)));
  SecureChannel dialler(ChannelSide::kDialler, self, {}, crypto::Drbg(seed_of(3)));
  SecureChannel::Out out, back;
  acceptor.start(out);
  const auto pass = [](SecureChannel::Out& from, SecureChannel& to, SecureChannel::Out& answers) {
    for (ChannelEffect& effect : from.take()) {
      if (auto* record = std::get_if<SendRecord>(&effect)) to.on_record(std::move(record->record), answers);
    }
  };
  const bool honest = data[0] == 1;
  if (honest) {
    dialler.start(back);
    for (int round = 0; round < 2; ++round) pass(back, acceptor, out), pass(out, dialler, back);
    CHECK(dialler.open() && acceptor.open());
  }
  for (size_t at = 1; at + 2 <= size;) {
    const size_t length = std::min<size_t>(load_u16(data + at), size - at - 2);
    const ByteView packet(data + at + 2, length);
    at += 2 + length;
    if (!honest) acceptor.on_record(to_bytes(packet), out);
    else if (dialler.send(length & 1, packet, back).ok()) pass(back, acceptor, out);
  }
  size_t failures = 0;
  for (const ChannelEffect& effect : out.take()) failures += std::holds_alternative<ChannelFailed>(effect);
  CHECK(failures <= 1 && !(honest && failures));
  return 0;
}
