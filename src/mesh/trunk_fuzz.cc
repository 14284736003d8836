// Connections that open, say anything and die, in any order: the machine holds to its bounds, and a link that opened closes once.
#include <cstddef>
#include <cstdint>
#include <set>

#include "base/byte_reader.h"
#include "mesh/trunk.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace selvedge;
  using namespace selvedge::mesh;
  Trunks trunks;
  std::set<LinkId> links;
  Instant now = Instant::from_unix_seconds(1'790'000'000);
  const auto settle = [&](Trunks::Out& out) {
    for (TrunkEffect& effect : out.take()) {
      if (const auto* opened = std::get_if<LinkOpened>(&effect)) CHECK(links.insert(opened->link).second);
      else if (const auto* closed = std::get_if<LinkClosed>(&effect)) CHECK(links.erase(closed->link) == 1);
      else if (const auto* received = std::get_if<LinkReceived>(&effect)) CHECK(links.contains(received->link) && !received->message.empty());
    }
  };
  while (size >= 3) {
    const uint8_t what = data[0] % 8;
    const ConnectionId id = 1 + data[1] % 6;
    const size_t length = std::min<size_t>(data[2] % 32, size - 3);
    const Bytes bytes(data + 3, data + 3 + length);
    data += 3 + length, size -= 3 + length;
    now = now + milliseconds(50);
    Trunks::Out out;
    switch (what) {
      case 0:
        trunks.on_closed(id, fail(Errc::kTimeout, "closed"), out);  // the transport gives no number twice while it is open
        settle(out);
        trunks.on_opened(now, id, NodeKey{}, id == 6, length % 2 ? "circuit" : "direct", out);
        break;
      case 1: trunks.on_closed(id, fail(Errc::kTimeout, "closed"), out); break;
      case 2: trunks.on_delivered(id, length % 2 != 0, length, uint64_t(length) << 16, out); break;
      case 3: trunks.on_stalled(id, out); break;
      case 4:
        if (!links.empty() && !bytes.empty()) (void)trunks.send(now, *links.begin(), bytes[0] % 2 != 0, bytes, out).ok();
        break;
      case 5: trunks.on_message(now, id, false, TrunkMessages::encode(Join{length}), out); break;
      default: trunks.on_message(now, id, what == 7, bytes, out); break;
    }
    settle(out);
    if (what == 6 && length == 31) trunks.on_deadline(now, out), settle(out);
  }
  return 0;
}
