// A runner that its guest has taken over: it stands behind the real walls (lockdown.cc), and then tries to get out, to harm others or to
// confuse its pool, as the first argument of its task says. Without one it is an honest runner. Tests only.
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <map>
#include <set>
#include <string>

#include "base/rng.h"
#include "host/domain/frames.h"
#include "host/domain/runner/lockdown.h"

namespace {

using namespace selvedge;
using namespace selvedge::host;
using namespace selvedge::host::domain;

bool read_all(uint8_t* at, size_t size) {
  while (size > 0) {
    const ssize_t got = read(kRunnerSocket, at, size);
    if (got <= 0) return false;
    at += got;
    size -= size_t(got);
  }
  return true;
}

bool say(ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t n = write(kRunnerSocket, bytes.data(), bytes.size());
    if (n <= 0) return false;
    bytes = bytes.subspan(size_t(n));
  }
  return true;
}

[[noreturn]] void spin() {
  for (volatile uint64_t turns = 0;;) turns = turns + 1;
}

// --- attacks that end in a report: each line is something that should not have been possible --------------------------

/// What the filter lets through, whatever the arguments, or for some: stated here once more, so that a wider filter fails the test.
const std::set<long> kLetThrough = {
    SYS_futex, SYS_munmap, SYS_madvise, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_rt_sigsuspend, SYS_getpid, SYS_gettid, SYS_sched_yield,
    SYS_sched_getaffinity, SYS_clock_nanosleep, SYS_clock_gettime, SYS_gettimeofday, SYS_exit, SYS_exit_group, SYS_set_robust_list, SYS_rseq,
    SYS_restart_syscall, SYS_poll, SYS_sigaltstack, SYS_brk,
    SYS_mmap, SYS_mprotect};  // without PROT_EXEC; tried in arguments()

std::string system_calls() {
  std::set<long> skipped = kLetThrough;
  for (const Tripwire& wire : kTripwires) skipped.insert(wire.call);
  // uretprobe and uprobe go by every filter in newer kernels, and kill with SIGILL whoever is not being probed.
  skipped.insert({335, 336});
  std::string out;
  for (long call = 0; call < 1024; ++call) {
    if (skipped.count(call) != 0) continue;
    errno = 0;
    const long result = syscall(call, 0, 0, 0, 0, 0, 0);
    const bool denied = result == -1 && (errno == EPERM || (call == SYS_clone3 && errno == ENOSYS));
    if (!denied) out += "system call " + std::to_string(call) + " gave " + std::to_string(result) + ", " + strerror(errno) + "\n";
  }
  return out;
}

std::string arguments() {
  std::string out;
  const auto must_fail = [&](const char* what, long result) {
    if (result != -1 || errno != EPERM) out += std::string(what) + "\n";
  };
  must_fail("mmap executable", long(mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)));
  must_fail("mmap writable and executable", long(mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)));
  void* page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  must_fail("mprotect executable", mprotect(page, 4096, PROT_READ | PROT_EXEC));
  must_fail("mprotect code writable", mprotect(page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC));
  for (const int fd : {0, 1, 2, 4, 5, 64, 1023}) {
    char byte = 0;
    must_fail("read another descriptor", read(fd, &byte, 1));
    must_fail("write another descriptor", write(fd, &byte, 1));
  }
  for (const pid_t other : {1, 2, int(getpid()) + 1, -1}) {
    if (other != getpid()) must_fail("tgkill another process", syscall(SYS_tgkill, other, other, SIGKILL));
  }
  must_fail("become dumpable", prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
  must_fail("leave the parent's death signal", prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0));
  must_fail("another filter", prctl(PR_SET_SECCOMP, 2, nullptr, 0, 0));
  must_fail("a keep-capabilities bit", prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0));
  must_fail("fork", syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
  must_fail("vfork", syscall(SYS_clone, CLONE_VM | CLONE_VFORK | SIGCHLD, 0, 0, 0, 0));
  must_fail("clone into namespaces", syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
  return out;
}

std::string descriptors() {
  std::string out;
  for (int fd = 0; fd < 4096; ++fd) {
    pollfd state{fd, 0, 0};
    poll(&state, 1, 0);
    const bool open = (state.revents & POLLNVAL) == 0;
    if (open != (fd <= kRunnerSocket)) out += "descriptor " + std::to_string(fd) + (open ? " is open\n" : " is closed\n");
  }
  return out;
}

void* wait_for_ever(void*) {
  const timespec hour{3600, 0};
  for (;;) clock_nanosleep(CLOCK_MONOTONIC, 0, &hour, nullptr);
}

std::string threads() {
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 64 * 1024);
  int made = 0;
  for (pthread_t id; made < 20'000 && pthread_create(&id, &small, wait_for_ever, nullptr) == 0;) ++made;
  // Refused somewhere: by the control group. Where there is none, the pool has to notice.
  if (made >= 64) spin();
  return "";
}

// --- attacks that end the process, or should ----------------------------------------------------------------------------

[[noreturn]] void eat_memory() {
  constexpr size_t kStep = 16u << 20;
  for (;;) {
    void* at = mmap(nullptr, kStep, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at != MAP_FAILED) memset(at, 1, kStep);
  }
}

// A fault: a signal that it only sends itself is ignored for the first process of a namespace.
void crash() { *reinterpret_cast<volatile int*>(8) = 1; }

[[noreturn]] void touch(const std::string& name) {
  for (const Tripwire& wire : kTripwires) {
    if (name == wire.name) syscall(wire.call, 0, 0, 0, 0, 0, 0);
  }
  _exit(0);
}

[[noreturn]] void other_architecture(bool x32) {
#ifdef __x86_64__
  constexpr long kX32 = 0x40000000;
  long result = x32 ? kX32 | SYS_getpid : 20;  // getpid of each
  if (x32) asm volatile("syscall" : "+a"(result) : : "rcx", "r11", "memory");
  else asm volatile("int $0x80" : "+a"(result) : : "memory");
#else
  (void)x32;
#endif
  _exit(0);
}

// --- attacks on the pool ------------------------------------------------------------------------------------------------

ResultFrame plausible(const TaskFrame& task) {
  ResultFrame out;
  out.handle = task.handle;
  out.output = to_bytes(view("fine"));
  out.reusable = true;
  return out;
}

/// Frames that are nearly right, from a seed.
[[noreturn]] void babble(const TaskFrame& task, uint64_t seed) {
  Rng rng(seed);
  for (;;) {
    ResultFrame result = plausible(task);
    if (rng.below(4) == 0) result.handle.bytes[rng.below(16)] ^= 1;
    if (rng.below(4) == 0) result.end = uint8_t(rng.below(256));
    if (rng.below(4) == 0) result.fuel = rng.next();
    if (rng.below(4) == 0) result.output.resize(rng.below(1u << 21));
    if (rng.below(4) == 0) result.message.resize(rng.below(8192));
    Bytes frame = rng.below(8) == 0 ? encode(HelloFrame{uint32_t(rng.next())}) : encode(result);
    for (uint64_t edits = rng.below(4); edits > 0; --edits) frame[rng.below(frame.size() < 128 ? frame.size() : 128)] = uint8_t(rng.next());
    if (rng.below(4) == 0) frame.resize(rng.below(frame.size()));
    if (!say(frame)) _exit(0);
  }
}

[[noreturn]] void confuse(const TaskFrame& task, const std::string& attack) {
  const Bytes good = encode(plausible(task));
  if (attack == "oversized") {
    say(ByteView(reinterpret_cast<const uint8_t*>("\xFF\xFF\xFF\xFF\x04"), 5));
  } else if (attack == "stall") {
    // A frame that fills the largest there may be, and never ends.
    say(ByteView(reinterpret_cast<const uint8_t*>("\x04\x00\x00\x00\x04"), 5));
    const Bytes part(1u << 20, 0);
    for (int i = 0; i < 60; ++i) say(part);
    spin();
  } else if (attack == "hellos") {
    while (say(encode(HelloFrame{0xFFFFFFFF}))) {
    }
  } else if (attack == "flood") {
    while (say(good)) {
    }
  } else if (attack == "drip") {
    for (const uint8_t byte : good) say(ByteView(&byte, 1));
  } else if (attack == "beyond-fuel") {
    ResultFrame result = plausible(task);
    result.fuel = task.fuel_limit + 1;
    say(encode(result));
  } else if (attack == "beyond-output") {
    ResultFrame result = plausible(task);
    result.output.resize(task.output_bytes_max + 1);
    say(encode(result));
  } else if (attack == "module-back") {
    say(encode(ModuleFrame{}));
  } else if (attack == "then-eat") {
    say(good);
    eat_memory();
  } else if (attack == "then-deaf") {
    say(good);
  }
  spin();
}

ResultFrame serve(const TaskFrame& task) {
  ResultFrame out = plausible(task);
  const std::string attack = task.args.size() > 1 ? task.args[1] : "";
  const std::string what = task.args.size() > 2 ? task.args[2] : "";
  std::string got_out;
  if (attack.empty()) return out;
  if (attack == "system-calls") got_out = system_calls();
  else if (attack == "arguments") got_out = arguments();
  else if (attack == "descriptors") got_out = descriptors();
  else if (attack == "threads") got_out = threads();
  else if (attack == "tripwire") touch(what);
  else if (attack == "x32") other_architecture(true);
  else if (attack == "i386") other_architecture(false);
  else if (attack == "memory") eat_memory();
  else if (attack == "crash") crash();
  else if (attack == "babble") babble(task, std::strtoull(what.c_str(), nullptr, 10));
  else confuse(task, attack);
  out.output = to_bytes(view(got_out.empty() ? std::string("nothing") : got_out));
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  const auto number = [&](int i) { return argc > i ? uint32_t(std::strtoul(argv[i], nullptr, 10)) : 0; };
  uint32_t layers = number(2);
  const auto before = lockdown_before_engine(layers, int(number(4)));
  if (!before.ok()) return 3;
  GroupEntry group{int(number(4))};
  if (group.done()) layers |= number(3);
  layers |= *before;
  const auto after = lockdown_after_engine(layers);
  if (!after.ok()) return 5;
  if (!say(encode(HelloFrame{layers | *after}))) return 1;
  for (;;) {
    uint8_t header[kFrameHeaderBytes];
    if (!read_all(header, sizeof header)) return 0;
    const auto parsed = decode_header(header);
    if (!parsed.ok()) return 1;
    Bytes body(parsed->body_bytes);
    if (!read_all(body.data(), body.size())) return 0;
    if (parsed->type != uint8_t(FrameType::kTask)) continue;
    const auto task = decode_task(body);
    if (!task.ok() || !say(encode(serve(*task)))) return 1;
  }
}
