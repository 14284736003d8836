#include "host/daemon/api_desk.h"

#include <gtest/gtest.h>
#include <poll.h>

namespace selvedge::host {
namespace {

struct DeskRig : ::testing::Test {
  ApiDesk::ClientId client(const std::set<std::string_view>* methods = nullptr) {
    return desk.join({[this](const std::string& line, bool last) { heard.push_back((last ? "last " : "") + line); }, methods});
  }
  void turn_until(const std::function<bool()>& done) {
    for (int i = 0; i < 5000 && !done(); ++i) {
      loop.run_once();
      poll(nullptr, 0, 1);
    }
    EXPECT_TRUE(done());
  }
  Loop loop{1};
  std::vector<std::pair<node::RequestId, size_t>> asked;   // and which kind
  std::vector<node::RequestId> withdrawn;
  std::vector<std::string> heard;
  ApiDesk desk{loop, {[this](node::RequestId id, const node::ApiRequest& request) { asked.emplace_back(id, request.index()); },
                      [this](node::RequestId id) { withdrawn.push_back(id); }}};
};

TEST_F(DeskRig, AnswersGoToWhoAskedAndEndTheRequest) {
  const auto one = client();
  desk.ask(one, R"({"jsonrpc":"2.0","id":"a","method":"status"})");
  desk.ask(one, R"({"jsonrpc":"2.0","id":2,"method":"status"})");
  ASSERT_EQ(asked.size(), 2u);
  desk.progress(asked[1].first, R"({"x":1})");
  desk.answer(asked[1].first, R"({"y":2})");
  desk.answer(asked[1].first, R"({"twice":true})");
  desk.refuse(asked[0].first, fail(Errc::kNotFound, "no \"such\" thing"));
  const std::vector<std::string> expected{R"({"jsonrpc":"2.0","method":"progress","params":{"id":2,"progress":{"x":1}}})",
                                          R"(last {"jsonrpc":"2.0","id":2,"result":{"y":2}})",
                                          R"(last {"jsonrpc":"2.0","id":"a","error":{"code":-32000,"data":{"errc":"not_found"},"message":"no \"such\" thing"}})"};
  EXPECT_EQ(heard, expected);
}

TEST_F(DeskRig, WhoLeavesWithdrawsAndHearsNoMore) {
  const auto one = client();
  desk.ask(one, R"({"id":1,"method":"status"})");
  desk.leave(one);
  desk.leave(one);
  turn_until([&] { return withdrawn.size() == 1; });
  EXPECT_EQ(withdrawn[0], asked[0].first);
  desk.answer(asked[0].first, "{}");
  desk.ask(one, R"({"id":2,"method":"status"})");
  EXPECT_TRUE(heard.empty());
  EXPECT_EQ(asked.size(), 1u);
}

TEST_F(DeskRig, AClientMayUseTheMethodsItWasGivenAndNoOthers) {
  static const std::set<std::string_view> kLook{"status", "lease.list"};
  const auto one = client(&kLook);
  desk.ask(one, R"({"id":1,"method":"shutdown"})");
  desk.ask(one, R"({"id":2,"method":"watch","params":{"calls":[{"method":"status"},{"method":"receipts"}]}})");
  EXPECT_TRUE(asked.empty());
  ASSERT_EQ(heard.size(), 2u);
  EXPECT_NE(heard[0].find("unauthorized"), std::string::npos);
  EXPECT_NE(heard[1].find("unauthorized"), std::string::npos) << heard[1];
  desk.ask(one, R"({"id":3,"method":"lease.list"})");
  EXPECT_EQ(asked.size(), 1u);
}

TEST_F(DeskRig, WatchTellsWhatChangedAndNothingElse) {
  const auto one = client();
  desk.ask(one, R"({"id":7,"method":"watch","params":{"calls":[{"method":"status"},{"method":"lease.list"}],"period_ms":200}})");
  turn_until([&] { return asked.size() == 2; });
  desk.answer(asked[0].first, R"({"v":1})");
  desk.refuse(asked[1].first, fail(Errc::kBusy, "later"));
  ASSERT_EQ(heard.size(), 2u);
  EXPECT_EQ(heard[0], R"({"jsonrpc":"2.0","method":"progress","params":{"id":7,"progress":{"call":0,"result":{"v":1}}}})");
  EXPECT_NE(heard[1].find(R"("call":1,"error":{)"), std::string::npos);
  turn_until([&] { return asked.size() == 4; });
  desk.answer(asked[2].first, R"({"v":1})");
  desk.answer(asked[3].first, R"({"leases":[]})");
  ASSERT_EQ(heard.size(), 3u);
  EXPECT_NE(heard[2].find(R"("call":1,"result":{"leases":[]})"), std::string::npos);
  // A node that does not answer is not asked faster.
  turn_until([&] { return asked.size() == 6; });
  desk.answer(asked[5].first, R"({"leases":[]})");
  turn_until([&] { return asked.size() == 7; });
  EXPECT_EQ(asked[6].second, asked[5].second);
  desk.leave(one);
  turn_until([&] { return withdrawn.size() == 2; });
}

TEST_F(DeskRig, WatchLooksOnlyAndIsBounded) {
  const auto one = client();
  for (const char* params : {R"({"calls":[{"method":"shutdown"}]})", R"({"calls":[]})", R"({"calls":[{"method":"status"}],"period_ms":1})", R"({"calls":[{"method":"watch"}]})",
                             R"({"calls":[{"method":"status","params":{"no":1}}]})", R"({"calls":[7]})", R"({"call":[{"method":"status"}]})", R"({})"}) {
    heard.clear();
    desk.ask(one, std::string(R"({"id":1,"method":"watch","params":)") + params + "}");
    ASSERT_EQ(heard.size(), 1u) << params;
    EXPECT_NE(heard[0].find(R"("errc":"invalid")"), std::string::npos) << heard[0];
  }
  heard.clear();
  for (size_t i = 0; i < kApiRequestsPerClientMax + 1; ++i) desk.ask(one, R"({"id":1,"method":"watch","params":{"calls":[{"method":"status"}]}})");
  desk.ask(client(), R"({"id":2,"method":"watch","params":{"calls":[{"method":"status"}]}})");
  ASSERT_EQ(heard.size(), 2u);
  EXPECT_NE(heard[0].find("too many"), std::string::npos);
  EXPECT_NE(heard[1].find("too many watch"), std::string::npos);
  EXPECT_TRUE(asked.empty());
}

}  // namespace
}  // namespace selvedge::host
