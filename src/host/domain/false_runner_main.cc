// A runner that its guest has taken over, for the tests of the pool: it says hello, waits for a task, and answers with a plausible result
// that does not show the handle of the task. Tests only.
#include <unistd.h>

#include "host/domain/frames.h"

namespace {

using namespace selvedge;
using namespace selvedge::host;
using namespace selvedge::host::domain;

constexpr int kRunnerSocket = 3;  // as in process.cc

bool read_all(uint8_t* at, size_t size) {
  while (size > 0) {
    const ssize_t got = read(kRunnerSocket, at, size);
    if (got <= 0) return false;
    at += got;
    size -= size_t(got);
  }
  return true;
}

bool say(const Bytes& frame) { return write(kRunnerSocket, frame.data(), frame.size()) == ssize_t(frame.size()); }

}  // namespace

int main() {
  if (!say(encode(HelloFrame{0}))) return 1;
  for (;;) {
    uint8_t header[kFrameHeaderBytes];
    if (!read_all(header, sizeof header)) return 0;
    const auto parsed = decode_header(header);
    if (!parsed.ok()) return 1;
    Bytes body(parsed->body_bytes);
    if (!read_all(body.data(), body.size())) return 0;
    if (parsed->type != uint8_t(FrameType::kTask)) continue;
    ResultFrame result;
    result.handle = decode_task(body)->handle;
    result.handle.bytes[0] ^= 1;
    result.output = to_bytes(view("what the guest wants to be believed"));
    if (!say(encode(result))) return 0;
  }
}
