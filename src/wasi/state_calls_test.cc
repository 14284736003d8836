// What a service keeps, without an engine: what each call answers, its bounds, and what is left of a request.
#include "wasi/state_calls.h"

#include <gtest/gtest.h>

#include "wasm/rewrite.h"

namespace selvedge::wasi {
namespace {

using enum wasm::StateFunction;

constexpr uint64_t kKeyAt = 0, kAfterAt = 1024, kSizeAt = 2048, kRoomAt = 4096, kValueAt = 131'072;

class StateCallsTest : public testing::Test {
 protected:
  void begin() { calls_.emplace(kept_); }
  /// The request ended well.
  void commit() {
    const std::vector<StateWrite> writes = calls_->take_writes();
    EXPECT_TRUE(kept_.check(writes).ok());
    kept_.apply(writes);
    begin();
  }
  Errno call(wasm::StateFunction function, std::vector<uint64_t> args) {
    args.resize(wasm::kWasiArgsMax);
    NearMemory memory(memory_);
    const WasiAnswer answer = calls_->call(function, args, memory);
    fuel_ = answer.fuel;
    return answer.error;
  }
  uint64_t text(uint64_t at, std::string_view what) {
    std::copy(what.begin(), what.end(), memory_.begin() + ptrdiff_t(at));
    return what.size();
  }
  Errno put(std::string_view key, std::string_view value) { return call(kPut, {kKeyAt, text(kKeyAt, key), kValueAt, text(kValueAt, value)}); }
  Errno erase(std::string_view key) { return call(kDelete, {kKeyAt, text(kKeyAt, key)}); }
  std::string get(std::string_view key, uint64_t room = 100) {
    const Errno error = call(kGet, {kKeyAt, text(kKeyAt, key), kRoomAt, room, kSizeAt});
    return error == Errno::kSuccess ? got(room) : "errno " + std::to_string(int(error));
  }
  std::string got(uint64_t room) const {
    const size_t size = size_t(std::min<uint64_t>(room, load_le<uint32_t>(memory_.data() + kSizeAt)));
    return {memory_.begin() + kRoomAt, memory_.begin() + kRoomAt + ptrdiff_t(size)};
  }
  std::string keys(std::string_view prefix) {
    std::string out, after;
    while (call(kNext, {kKeyAt, text(kKeyAt, prefix), kAfterAt, text(kAfterAt, after), kRoomAt, 256, kSizeAt}) == Errno::kSuccess) out += (out.empty() ? "" : " ") + (after = got(256));
    return out;
  }

  StateMap kept_;
  std::optional<StateCalls> calls_;
  Bytes memory_ = Bytes(4 * wasm::kPageBytes);
  uint64_t fuel_ = 0;
};

// req: F3
TEST_F(StateCallsTest, ARequestSeesWhatEarlierOnesLeftAndItsOwnChanges) {
  begin();
  EXPECT_EQ(get("a"), "errno 44");
  EXPECT_EQ(put("a", "one"), Errno::kSuccess);
  EXPECT_EQ(get("a"), "one");
  EXPECT_EQ(get("a", 2), "on");
  EXPECT_EQ(fuel_, kStateCallFuel + 2);
  EXPECT_EQ(kept_.use(), StateUse{});
  commit();
  EXPECT_EQ(get("a"), "one");
  EXPECT_EQ(put("a", ""), Errno::kSuccess);
  EXPECT_EQ(put("b", "two"), Errno::kSuccess);
  EXPECT_EQ(erase("c"), Errno::kNoEntry);
  begin();   // it trapped: nothing of it is left
  EXPECT_EQ(get("a"), "one");
  EXPECT_EQ(get("b"), "errno 44");
  EXPECT_EQ(erase("a"), Errno::kSuccess);
  EXPECT_EQ(get("a"), "errno 44");
  EXPECT_EQ(erase("a"), Errno::kNoEntry);
  commit();
  EXPECT_EQ(kept_.use(), StateUse{});
  // What came and went within a request is no change.
  put("x", "y");
  erase("x");
  EXPECT_TRUE(calls_->take_writes().empty());
}

TEST_F(StateCallsTest, KeysAreListedInOrderWithTheRequestsOwn) {
  begin();
  for (const char* key : {"b/1", "b/3", "a", "c", "b/4", "b"}) put(key, "v");
  commit();
  EXPECT_EQ(keys(""), "a b b/1 b/3 b/4 c");
  EXPECT_EQ(keys("b/"), "b/1 b/3 b/4");
  put("b/2", "v");
  put("b/0", "v");
  erase("b/3");
  erase("b/4");
  put("b/5", "v");
  erase("b/5");
  EXPECT_EQ(keys("b/"), "b/0 b/1 b/2");
  EXPECT_EQ(keys("z"), "");
}

// req: F3
TEST_F(StateCallsTest, IsBounded) {
  begin();
  EXPECT_EQ(put("", "v"), Errno::kInval);
  EXPECT_EQ(put(std::string_view("a\0b", 3), "v"), Errno::kInval);
  EXPECT_EQ(put(std::string(kStateKeyMax, 'k'), "v"), Errno::kSuccess);
  EXPECT_EQ(put(std::string(kStateKeyMax + 1, 'k'), "v"), Errno::kNameTooLong);
  EXPECT_EQ(put("k", std::string(kStateValueMax + 1, 'v')), Errno::kTooBig);
  EXPECT_EQ(call(kGet, {memory_.size(), 1, 0, 0, 0}), Errno::kFault);
  EXPECT_EQ(call(kGet, {0, UINT64_MAX, 0, 0, 0}), Errno::kFault);
  EXPECT_EQ(call(kPut, {0, 1, memory_.size() - 1, 2}), Errno::kFault);
  text(kKeyAt, "k");
  put("k", "v");
  EXPECT_EQ(call(kGet, {0, 1, 0, memory_.size() + 1, 0}), Errno::kFault);
  EXPECT_EQ(call(kGet, {0, 1, 0, 1, memory_.size() - 3}), Errno::kFault);
  begin();
  // So many keys in one request, and so many bytes.
  for (size_t i = 0; i < kStateWritesMax; ++i) EXPECT_EQ(put("k" + std::to_string(i), "v"), Errno::kSuccess);
  EXPECT_EQ(put("more", "v"), Errno::kNoSpace);
  EXPECT_EQ(put("k0", "w"), Errno::kSuccess);
  begin();
  const std::string large(kStateValueMax, 'v');
  size_t count = 0;
  while (put("k" + std::to_string(count), large) == Errno::kSuccess) ++count;
  EXPECT_EQ(count, kStateWriteBytesMax / kStateValueMax - 1);   // the keys count too
  EXPECT_EQ(put("k0", "small"), Errno::kSuccess);
  // And so many of a service; where there are too many, fewer are welcome.
  begin();
  for (size_t i = 0; kept_.use().bytes + kStateValueMax + 10 <= kStateBytesMax; ++i) {
    ASSERT_EQ(put("k" + std::to_string(i), large), Errno::kSuccess);
    commit();
  }
  EXPECT_EQ(put("more", large), Errno::kNoSpace);
  EXPECT_EQ(put("k0", ""), Errno::kSuccess);
  EXPECT_EQ(put("more", large), Errno::kSuccess);
  commit();
  EXPECT_TRUE(kept_.use().fits());
}

TEST_F(StateCallsTest, WritesOfARunnerThatLiesAreNotTaken) {
  const Bytes value(10), large(kStateValueMax + 1);
  EXPECT_TRUE(kept_.check({{"a", value}, {"b", std::nullopt}}).ok());
  EXPECT_FALSE(kept_.check({{"b", value}, {"a", value}}).ok());
  EXPECT_FALSE(kept_.check({{"a", value}, {"a", value}}).ok());
  EXPECT_FALSE(kept_.check({{"", value}}).ok());
  EXPECT_FALSE(kept_.check({{"a", large}}).ok());
  std::vector<StateWrite> many;
  for (size_t i = 0; i < kStateWritesMax + 1; ++i) many.push_back({"k" + std::to_string(1'000'000 + i), std::nullopt});
  EXPECT_FALSE(kept_.check(many).ok());
}

}  // namespace
}  // namespace selvedge::wasi
