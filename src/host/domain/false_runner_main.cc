// A runner that its guest has taken over, for the tests of the pool: it says hello, waits for a task, and answers with a plausible result
// that does not show the handle of the task. By the program name of the task it breaks its pace instead: "deaf" computes and hears nothing,
// "greedy" hears everything and goes on computing, "restless" does nothing but wake up. Tests only.
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include <string>

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

[[noreturn]] void misbehave(const std::string& how) {
  for (;;) {
    for (uint64_t work = 1; work < 200'000 && how != "restless"; ++work) asm volatile("" : "+r"(work));
    if (how == "restless") {
      const timespec moment{0, 200'000};
      nanosleep(&moment, nullptr);
    }
    uint8_t ignored[256];
    pollfd socket{kRunnerSocket, POLLIN, 0};
    if (how != "deaf" && poll(&socket, 1, 0) > 0 && read(kRunnerSocket, ignored, sizeof ignored) <= 0) _exit(0);
  }
}

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
    const auto task = decode_task(body);
    if (!task.ok()) return 1;
    if (task->args[0] == "ask" && !say(encode(StateAskFrame{task->handle, false, "key", ""}))) return 0;
    if (task->args[0] != "program") misbehave(task->args[0]);
    ResultFrame result;
    result.handle = task->handle;
    result.handle.bytes[0] ^= 1;
    result.output = to_bytes(view("what the guest wants to be believed"));
    if (!say(encode(result))) return 0;
  }
}
