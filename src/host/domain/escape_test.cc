// What a guest that has taken its runner over can do, tried as it would: escape_main.cc behind the real walls, against the real pool.
// In every case the pool goes on, another lease's task runs meanwhile, and the attacker's task is answered exactly once.
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>

#include "host/domain/domain_pool.h"
#include "host/domain/microvm.h"
#include "host/domain/process.h"
#include "host/domain/runner/lockdown.h"
#include "host/loop/loop.h"
#include "wasm/test_module.h"

namespace selvedge::host {
namespace {

std::string bin(const std::string& name) { return std::string(SELVEDGE_BIN_DIR) + "/" + name; }

std::shared_ptr<const wasm::Rewritten> module_of(const Bytes& bytes) {
  auto rewritten = wasm::rewrite(bytes);
  EXPECT_TRUE(rewritten.ok()) << rewritten.error().message;
  return std::make_shared<const wasm::Rewritten>(std::move(rewritten).value());
}

/// _start runs `code`; table and memory are one page and four empty slots.
std::shared_ptr<const wasm::Rewritten> guest_that(Bytes code) {
  wasm::testing::TestModule module;
  module.table = {0x70, 0, 4};
  module.function(0, std::move(code));
  module.exports = {wasm::testing::TestModule::export_of("_start", 0, 0)};
  return module_of(module.build());
}

DomainTask task_of(std::shared_ptr<const wasm::Rewritten> module, std::vector<std::string> args = {}) {
  DomainTask task;
  task.module = std::move(module);
  task.args = {"program"};
  task.args.insert(task.args.end(), args.begin(), args.end());
  task.fuel_limit = 1'000'000;
  task.memory_bytes = 16u << 20;
  task.wall_max = seconds(90);  // a machine may have to boot first
  return task;
}

class Escape : public testing::Test {
 protected:
  static constexpr uint64_t kAttacker = 1, kBystander = 2;
  Escape() : loop_(1), pool_(loop_, bin("selvedge-domain-escape"), DomainClass::kOrdinary, machine()), module_(guest_that({0x0B})) {}

  /// With SELVEDGE_TEST_ISOLATION=microvm, as in domain_test.cc.
  static std::shared_ptr<const MicroVm> machine() {
    const char* wanted = getenv("SELVEDGE_TEST_ISOLATION");
    if (wanted == nullptr || std::string(wanted) != "microvm") return nullptr;
    static const MicroVmChoice choice = choose_microvm(bin("selvedge-domain-escape"), false);
    return choice.machine;
  }
  void SetUp() override {
    if (getenv("SELVEDGE_TEST_ISOLATION") != nullptr && machine() == nullptr) GTEST_SKIP() << "no microVM boots here";
  }

  /// Runs one attack, and a bystander's task that must not notice.
  DomainOutcome attack(DomainTask task) {
    std::vector<DomainOutcome> answers;
    int open = 2;
    pool_.run(kAttacker, std::move(task), [&](DomainOutcome out) {
      answers.push_back(std::move(out));
      if (--open == 0) loop_.stop();
    });
    pool_.run(kBystander, task_of(module_), [&](DomainOutcome out) {
      EXPECT_EQ(out.end, DomainEnd::kExited) << "the bystander: " << out.message;
      if (--open == 0) loop_.stop();
    });
    loop_.run();
    EXPECT_EQ(answers.size(), 1u);
    return answers.empty() ? DomainOutcome() : std::move(answers[0]);
  }
  DomainOutcome attack(std::vector<std::string> args, Duration wall = seconds(90)) {
    DomainTask task = task_of(module_, std::move(args));
    task.wall_max = wall;
    return attack(std::move(task));
  }
  void expect_breach(const std::string& name) {
    const DomainOutcome out = attack({name});
    EXPECT_EQ(out.end, DomainEnd::kForbidden) << name << ": " << out.message;
    EXPECT_TRUE(out.output.empty()) << name;
    EXPECT_TRUE(out.trace.is_zero()) << name;
  }

  Loop loop_;
  DomainPool pool_;
  std::shared_ptr<const wasm::Rewritten> module_;
};

// req: D3
TEST_F(Escape, EverySystemCallThatTheEngineDoesNotNeedIsDenied) {
  const DomainOutcome out = attack({"system-calls"});
  EXPECT_EQ(out.end, DomainEnd::kExited) << out.message;
  EXPECT_EQ(to_string(out.output), "nothing");
}

// req: D3
TEST_F(Escape, NoArgumentOpensADoorInACallThatIsAllowed) {
  EXPECT_EQ(to_string(attack({"arguments"}).output), "nothing");
  EXPECT_EQ(to_string(attack({"descriptors"}).output), "nothing");
}

// req: D3
TEST_F(Escape, TripwiresEndTheProcessAsABreach) {
  for (const domain::Tripwire& wire : domain::kTripwires) {
    const DomainOutcome out = attack({"tripwire", wire.name});
    EXPECT_EQ(out.end, DomainEnd::kForbidden) << wire.name << ": " << out.message;
  }
}

TEST_F(Escape, CallsInTheMannerOfAnotherArchitectureEndTheProcess) {
  expect_breach("x32");
  const DomainOutcome out = attack({"i386"});
  // A kernel without the 32-bit calls ends it with another signal.
  EXPECT_TRUE(out.end == DomainEnd::kForbidden || out.end == DomainEnd::kCrashed) << out.message;
}

TEST_F(Escape, AThreadBombIsDefused) {
  const DomainOutcome out = attack({"threads"});
  // Refused by the control group (and then there is nothing to report), or noticed by the pool.
  EXPECT_TRUE(out.end == DomainEnd::kForbidden || (out.end == DomainEnd::kExited && to_string(out.output) == "nothing")) << out.message;
}

// req: D3
TEST_F(Escape, MemoryThatATaskMayNotHaveIsNotHad) {
  const DomainOutcome out = attack({"memory"});
  // Whichever is noticed first: what it takes, or that it takes it without ever listening.
  EXPECT_TRUE(out.end == DomainEnd::kOutOfMemory || out.end == DomainEnd::kKilled) << out.message;
  EXPECT_TRUE(out.trace.is_zero()) << "it says nothing about the program";
}

TEST_F(Escape, MemoryIsWatchedBetweenTasksToo) {
  EXPECT_EQ(attack({"then-eat"}).end, DomainEnd::kExited);
  const int pid = pool_.process_of(kAttacker);
  ASSERT_NE(pid, 0);
  Loop::Timer look(loop_, [&] {
    if (pool_.process_of(kAttacker) != pid) loop_.stop();
    else look.set(loop_.now() + milliseconds(5));
  });
  look.set(loop_.now());
  loop_.run();
  EXPECT_EQ(attack(std::vector<std::string>{}).end, DomainEnd::kExited) << "and the lease can be used again";
}

// req: D2
TEST_F(Escape, NobodyIsWaitedForBeyondTheWallClock) {
  for (const char* name : {"spin", "stall"}) {
    const DomainOutcome out = attack({name}, milliseconds(300));
    EXPECT_EQ(out.end, DomainEnd::kKilled) << name << ": " << out.message;
  }
  // Never reading again, with more to read than any buffer holds.
  EXPECT_EQ(attack({"then-deaf"}).end, DomainEnd::kExited);
  DomainTask large = task_of(module_);
  large.input = Bytes(size_t(kDomainInputMax), 1);
  large.wall_max = milliseconds(300);
  EXPECT_EQ(attack(std::move(large)).end, DomainEnd::kKilled);
}

TEST_F(Escape, WhatNoRunnerSaysIsABreach) {
  for (const char* name : {"oversized", "hellos", "beyond-fuel", "beyond-output", "module-back"}) expect_breach(name);
  // The first result counts; what follows it is one too many, and ends the process.
  EXPECT_EQ(attack({"flood"}).end, DomainEnd::kExited);
  EXPECT_EQ(attack({"drip"}).end, DomainEnd::kExited) << "slow is no crime";
}

TEST_F(Escape, AnyBabbleIsAnsweredOnce) {
  for (int seed = 0; seed < 60; ++seed) {
    const DomainOutcome out = attack({"babble", std::to_string(seed)}, milliseconds(500));
    const bool fits = out.output.size() <= (1u << 20) && out.fuel <= 1'000'000;
    EXPECT_TRUE(fits) << seed << ": " << domain_end_name(out.end) << ": " << out.message;
  }
}

TEST_F(Escape, ACrashLeavesNoCore) {
  std::optional<int> status;
  Loop loop(1);
  std::unique_ptr<domain::RunnerProcess> process;
  domain::RunnerProcess::Callbacks callbacks;
  callbacks.frame = [&](domain::FrameType type, ByteView) {
    if (type != domain::FrameType::kHello) loop.stop();
    domain::TaskFrame task;
    task.args = {"program", "crash"};
    process->send(domain::encode(task));
  };
  callbacks.nonsense = [](std::string why) { ADD_FAILURE() << why; };
  callbacks.gone = [&](int how) {
    status = how;
    loop.stop();
  };
  // As if the machine's owner collected cores.
  const rlimit any{RLIM_INFINITY, RLIM_INFINITY};
  setrlimit(RLIMIT_CORE, &any);
  auto started = domain::RunnerProcess::start(loop, {bin("selvedge-domain-escape"), {}, {}, false}, DomainClass::kOrdinary, std::move(callbacks));
  ASSERT_TRUE(started.ok()) << started.error().message;
  process = std::move(*started);
  loop.run();
  ASSERT_TRUE(status && WIFSIGNALED(*status));
  EXPECT_EQ(WTERMSIG(*status), SIGSEGV);
  EXPECT_FALSE(WCOREDUMP(*status));
}

// --- guests, on the real engine ----------------------------------------------------------------------------------------

TEST(GuestEscape, NothingOutsideOfItsMemoryIsReachedByAGuest) {
  Loop loop(1);
  DomainPool pool(loop, bin("selvedge-domain"), DomainClass::kOrdinary);
  const Bytes far = {0xFF, 0xFF, 0xFF, 0xFF, 0x0F};  // 2^32 - 1 as an offset
  const auto with_offset = [&](Bytes code, Bytes end) {
    append(code, far);
    append(code, end);
    return code;
  };
  const std::vector<std::pair<const char*, Bytes>> attempts = {
      {"load at -1", {0x41, 0x7F, 0x28, 2, 0, 0x1A, 0x0B}},
      {"load across the end", {0x41, 0xFD, 0xFF, 0x03, 0x28, 2, 0, 0x1A, 0x0B}},
      {"load at -1 with the largest offset", with_offset({0x41, 0x7F, 0x28, 2}, {0x1A, 0x0B})},
      {"store of eight bytes with the largest offset", with_offset({0x41, 0x7F, 0x42, 0, 0x37, 3}, {0x0B})},
      {"store below the memory", {0x41, 0x80, 0x80, 0x80, 0x80, 0x78, 0x41, 1, 0x36, 2, 0, 0x0B}},
      {"copy beyond the end", {0x41, 0, 0x41, 0, 0x41, 0x81, 0x80, 0x04, 0xFC, 10, 0, 0, 0x0B}},
      {"fill of all there is", {0x41, 1, 0x41, 0, 0x41, 0x7F, 0xFC, 11, 0, 0x0B}},
      {"call of an empty slot", {0x41, 1, 0x11, 0, 0, 0x0B}},
      {"call beyond the table", {0x41, 0x7F, 0x11, 0, 0, 0x0B}},
      {"grow by everything", {0x41, 0xFF, 0xFF, 0x03, 0x40, 0, 0x41, 0x7F, 0x46, 0x04, 0x40, 0x00, 0x0B, 0x0B}},
  };
  for (const auto& [what, code] : attempts) {
    std::optional<DomainOutcome> answer;
    DomainTask task = task_of(guest_that(code));
    task.fuel_limit = 10'000'000'000;  // a fill of everything is paid before it is tried
    pool.run(1, std::move(task), [&](DomainOutcome out) {
      answer = std::move(out);
      loop.stop();
    });
    loop.run();
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->end, DomainEnd::kTrapped) << what << ": " << domain_end_name(answer->end) << " " << answer->message;
  }
}

// --- the same as another user, and where there are no namespaces ---------------------------------------------------------

/// Runs the tests of escaping once more in a child that `prepare` has put into another situation. 200: it could not.
int again(bool (*prepare)()) {
  const pid_t child = fork();
  if (child == 0) {
    if (!prepare()) _exit(200);
    execl("/proc/self/exe", "escape", "--gtest_filter=Escape.*:Domain.HelloRuns*:Domain.LayersAreReported", "--gtest_brief=1", nullptr);
    _exit(201);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 202;
}

bool become_nobody() {
  return setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0 && access(bin("selvedge-domain").c_str(), X_OK) == 0;
}

/// As in a container whose own namespace allows no further ones.
bool lose_namespaces() {
  const auto write_to = [](const char* path, const char* text) { return bool(std::ofstream(path) << text << std::flush); };
  if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
  if (!write_to("/proc/self/uid_map", "0 0 1") && !write_to("/proc/self/uid_map", ("0 " + std::to_string(getuid()) + " 1").c_str())) return false;
  for (const char* kind : {"user", "pid", "net", "mnt", "ipc", "uts"}) {
    if (!write_to((std::string("/proc/sys/user/max_") + kind + "_namespaces").c_str(), "0")) return false;
  }
  return true;
}

// req: D3
TEST(EscapeElsewhere, AsAnOrdinaryUser) {
  if (geteuid() != 0) GTEST_SKIP() << "this is an ordinary user already";
  const int code = again(become_nobody);
  if (code == 200) GTEST_SKIP() << "the build folder is closed to other users";
  EXPECT_EQ(code, 0);
}

// req: D3
TEST(EscapeElsewhere, WhereThereAreNoNamespaces) {
  const int code = again(lose_namespaces);
  if (code == 200) GTEST_SKIP() << "no user namespace can be made here to forbid others in";
  EXPECT_EQ(code, 0);
}

}  // namespace
}  // namespace selvedge::host
