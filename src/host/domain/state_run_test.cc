// Requests of a service with state: what they read comes from the pool, what they change comes back with the result.
#include "host/domain/domain_testing.h"

namespace selvedge::host {
namespace {

class StateRun : public Domain {
 protected:
  DomainTask request(const std::string& method, const std::string& path, std::string_view body = "", const std::string& query = "") {
    DomainTask task = task_of(counter_, {}, body);
    task.environment = {"PATH_INFO=" + path, "QUERY_STRING=" + query, "REQUEST_METHOD=" + method};
    task.service = 7;
    task.state = state_;
    return task;
  }
  /// The response's body; what it changed is applied.
  std::string say(const std::string& method, const std::string& path, std::string_view body = "") {
    const DomainOutcome out = run(1, request(method, path, body));
    EXPECT_EQ(out.end, DomainEnd::kExited) << out.message;
    EXPECT_TRUE(state_->check(out.writes).ok());
    state_->apply(out.writes);
    const std::string text = to_string(out.output);
    return text.substr(text.find("\n\n") + 2);
  }
  std::shared_ptr<const wasm::Rewritten> counter_ = guest("counter");
  std::shared_ptr<wasi::StateMap> state_ = std::make_shared<wasi::StateMap>();
};

// req: F3
TEST_F(StateRun, WhatARequestChangedIsThereForTheNextInWhateverProcess) {
  EXPECT_EQ(say("GET", "/kept"), "1\n");
  EXPECT_EQ(say("GET", "/kept"), "2\n");
  pool_.drop_idle();   // another process, another instance
  EXPECT_EQ(say("GET", "/kept"), "3\n");
  const std::string large(wasi::kStateValueMax, 'v');
  EXPECT_EQ(say("PUT", "/keys/a/1", large), "");
  EXPECT_EQ(say("PUT", "/keys/a/2", "two"), "");
  EXPECT_EQ(say("GET", "/keys/a/1"), large);
  EXPECT_EQ(say("GET", "/keys/a/"), "a/1\na/2\n");
  EXPECT_EQ(say("DELETE", "/keys/a/1"), "");
  EXPECT_EQ(say("GET", "/keys/"), "a/2\nkept\n");
  // While a pace is set: it comes between a question and its answer.
  for (uint32_t permille : {500u, 1000u, 700u}) {
    pool_.pace(1, {permille, milliseconds(10), milliseconds(1), 1000});
    EXPECT_EQ(say("GET", "/keys/a/2"), "two");
  }
}

// req: F3
TEST_F(StateRun, ARequestThatFailsChangesNothingAndATaskHasNone) {
  const DomainOutcome trapped = run(1, request("GET", "/kept", "", "trap"));
  EXPECT_EQ(trapped.end, DomainEnd::kTrapped);
  EXPECT_TRUE(trapped.writes.empty());
  EXPECT_EQ(say("GET", "/kept"), "1\n");
  DomainTask without = request("GET", "/kept");
  without.state = nullptr;
  const DomainOutcome out = run(1, std::move(without));
  EXPECT_NE(to_string(out.output).find("\n\n-5\n"), std::string::npos) << to_string(out.output);
  EXPECT_TRUE(out.writes.empty());
}

TEST_F(StateRun, CallsCostFuel) {
  (void)say("GET", "/");   // an instance's beginning costs too
  const uint64_t plain = run(1, request("GET", "/")).fuel;
  EXPECT_GT(run(1, request("GET", "/kept")).fuel, plain + 2 * wasi::kStateCallFuel);
}

// req: D2
TEST(Runner, ThatAsksForAStateThatItsTaskDoesNotHaveIsStopped) {
  Loop loop(1);
  DomainPool pool(loop, std::string(SELVEDGE_BIN_DIR) + "/selvedge-domain-false", DomainClass::kOrdinary);
  DomainTask task = task_of(guest("hello"));
  task.args[0] = "ask";
  std::optional<DomainOutcome> answer;
  pool.run(1, task, [&](DomainOutcome out) {
    answer = std::move(out);
    loop.stop();
  });
  loop.run();
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->end, DomainEnd::kForbidden);
  EXPECT_NE(answer->message.find("state"), std::string::npos) << answer->message;
}

}  // namespace
}  // namespace selvedge::host
