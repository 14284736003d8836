// Real processes: each test starts selvedge-domain and runs the guests of guests/.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "crypto/hash.h"
#include "host/domain/domain_pool.h"
#include "host/domain/frames.h"
#include "host/loop/loop.h"

namespace selvedge::host {
namespace {

std::string runner_path() { return std::string(SELVEDGE_BIN_DIR) + "/selvedge-domain"; }

Bytes guest_bytes(const std::string& name) {
  std::ifstream in(std::string(SELVEDGE_BIN_DIR) + "/../guests/" + name + ".wasm", std::ios::binary);
  EXPECT_TRUE(in.good()) << name;
  return Bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
}

std::shared_ptr<const wasm::Rewritten> guest(const std::string& name) {
  auto rewritten = wasm::rewrite(guest_bytes(name));
  EXPECT_TRUE(rewritten.ok()) << rewritten.error().message;
  return std::make_shared<const wasm::Rewritten>(std::move(rewritten).value());
}

DomainTask task_of(std::shared_ptr<const wasm::Rewritten> module, std::vector<std::string> args = {},
                   std::string_view input = "") {
  DomainTask task;
  task.module = std::move(module);
  task.args = {"program"};
  task.args.insert(task.args.end(), args.begin(), args.end());
  task.input = to_bytes(view(input));
  task.seed = 7;
  task.fuel_limit = 1'000'000'000;
  task.memory_bytes = 64u << 20;
  return task;
}

class Domain : public testing::Test {
 protected:
  Domain() : loop_(1), pool_(loop_, runner_path()) {}

  DomainOutcome run(uint64_t lease, DomainTask task) {
    std::optional<DomainOutcome> answer;
    pool_.run(lease, std::move(task), [&](DomainOutcome out) {
      answer = std::move(out);
      loop_.stop();
    });
    loop_.run();
    return answer.value_or(DomainOutcome());
  }

  Loop loop_;
  DomainPool pool_;
};

// req: D3
TEST_F(Domain, HelloRunsInALockedDownProcess) {
  const DomainOutcome out = run(1, task_of(guest("hello"), {"big", "world"}));
  EXPECT_EQ(out.end, DomainEnd::kExited) << out.message;
  EXPECT_EQ(out.exit_code, 0);
  EXPECT_EQ(to_string(out.output), "hello big world\n");
  EXPECT_GT(out.fuel, 0u);
  EXPECT_FALSE(out.trace.is_zero());
  EXPECT_GT(out.cpu_ns, 0u);
  EXPECT_EQ(out.memory_peak_bytes, 2u * wasm::kPageBytes);
  EXPECT_EQ(pool_.processes(), 1u);
}

}  // namespace
}  // namespace selvedge::host
