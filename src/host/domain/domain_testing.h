// For the tests of this room: guests of guests/ run in real processes.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "host/domain/domain_pool.h"
#include "host/domain/microvm.h"
#include "host/loop/loop.h"

namespace selvedge::host {

inline std::string runner_path() { return std::string(SELVEDGE_BIN_DIR) + "/selvedge-domain"; }

inline Bytes guest_bytes(const std::string& name) {
  std::ifstream in(std::string(SELVEDGE_BIN_DIR) + "/../guests/" + name + ".wasm", std::ios::binary);
  EXPECT_TRUE(in.good()) << name;
  return Bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
}

inline std::shared_ptr<const wasm::Rewritten> guest(const std::string& name) {
  auto rewritten = wasm::rewrite(guest_bytes(name));
  EXPECT_TRUE(rewritten.ok()) << rewritten.error().message;
  return std::make_shared<const wasm::Rewritten>(std::move(rewritten).value());
}

inline DomainTask task_of(std::shared_ptr<const wasm::Rewritten> module, std::vector<std::string> args = {},
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

/// With SELVEDGE_TEST_ISOLATION=microvm these tests run in machines (ctest entry host_domain_in_microvm).
inline bool in_machines() {
  const char* wanted = getenv("SELVEDGE_TEST_ISOLATION");
  return wanted != nullptr && std::string(wanted) == "microvm";
}
inline const MicroVmChoice& chosen_machine() {
  static const MicroVmChoice choice = choose_microvm(runner_path(), false);
  return choice;
}

class Domain : public testing::Test {
 protected:
  Domain() : loop_(1), pool_(loop_, runner_path(), DomainClass::kOrdinary, in_machines() ? chosen_machine().machine : nullptr) {}
  void SetUp() override {
    if (in_machines() && chosen_machine().machine == nullptr) GTEST_SKIP() << "no microVM boots here: KVM: " << chosen_machine().kvm << "; TCG: " << chosen_machine().tcg;
  }

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

}  // namespace selvedge::host
