#include "work/executor.h"

#include <gtest/gtest.h>

#include "crypto/hash.h"

namespace selvedge::work {
namespace {

constexpr uint64_t kNow = 1'800'000'000;

crypto::Seed seed_of(std::string_view name) { return crypto::Seed::from(crypto::sha256(view(name))).value(); }
codec::Cid cid_of(std::string_view text) { return codec::Cid::of(codec::Codec::kRaw, view(text)); }

class ExecutorTest : public testing::Test {
 protected:
  AcceptedOffer offer(uint8_t number, std::vector<std::string> inputs = {"input"}, const std::string& module = "module", uint64_t lease = 1) {
    object::TaskOffer body;
    body.task.bytes.fill(number);
    body.zone.bytes.fill(2);
    body.spec.origin.bytes.fill(3);
    body.spec.module = cid_of(module);
    body.spec.args = {"program"};
    // "NAME=content" is a file of that name.
    for (const std::string& input : inputs) body.spec.inputs.push_back({cid_of(input), std::nullopt, input.find('=') != std::string::npos ? input.substr(0, input.find('=')) : ""});
    body.spec.environment = {"LANG=C"};
    body.spec.fuel_limit = 1000;
    body.spec.memory_bytes = 1 << 20;
    body.spec.output_bytes_max = 1 << 20;
    body.issuer = origin_.public_key();
    body.executor = me_.public_key();
    body.grant.bytes.fill(4);
    body.sealed_keys = Bytes(100, 1);
    body.blobs.push_back(blob(module));
    for (const std::string& input : inputs) body.blobs.push_back(blob(input));
    body.issued = kNow;
    body.expires = kNow + 600;
    Result<object::Signed<object::TaskOffer>> made = object::sign_object(origin_, body);
    EXPECT_TRUE(made.ok()) << made.error().message;
    crypto::PublicKey owner;
    owner.bytes.fill(9);
    return {std::move(made).value(), origin_.public_key(), owner, lease, {}};
  }
  object::BlobRef blob(const std::string& content) const {
    object::BlockGroup group;
    group.zone.bytes.fill(2);
    group.epoch = 1;
    group.object_bytes = content.size();
    group.whole = true;
    return {cid_of(content), content.size(), {group}};
  }
  Status accept(AcceptedOffer accepted) {
    const Status status = executor_.accept(now_, std::move(accepted), out_);
    settle();
    return status;
  }
  void give(uint8_t task, const std::string& content) {
    executor_.on_blob(now_, id(task), cid_of(content), to_bytes(view(content)), out_);
    settle();
  }
  void rewritten(const std::string& module = "module") {
    wasm::Rewritten result;
    result.identity = crypto::sha256(view("rewritten " + module));
    executor_.on_rewritten(now_, cid_of(module), std::move(result), out_);
    settle();
  }
  void ran(uint8_t task, const std::string& output = "output") {
    DomainResult result;
    result.outcome = object::Outcome::kOk;
    result.output = to_bytes(view(output));
    result.fuel = 77;
    executor_.on_domain(now_, id(task), std::move(result), out_);
    settle();
  }
  void settle() {
    for (ExecutorEffect& effect : out_.take()) {
      if (auto* run = std::get_if<RunDomain>(&effect)) runs_.push_back(std::move(*run));
      else if (auto* need = std::get_if<NeedBlob>(&effect)) needs_.push_back(*need);
      else if (auto* rewrite = std::get_if<NeedRewrite>(&effect)) rewrites_.push_back(*rewrite);
      else if (auto* keep = std::get_if<KeepReceipt>(&effect)) keeps_.push_back(std::move(*keep));
      else if (const auto* cancel = std::get_if<CancelDomain>(&effect)) cancelled_.push_back(cancel->task);
      else sent_.push_back(WorkMessages::decode(std::get<ExecutorSend>(effect).message).value());
    }
  }
  static TaskId id(uint8_t number) {
    TaskId task;
    task.bytes.fill(number);
    return task;
  }
  template <class M>
  std::vector<M> messages() const {
    std::vector<M> out;
    for (const auto& message : sent_) {
      if (const auto* m = std::get_if<M>(&message)) out.push_back(*m);
    }
    return out;
  }
  // Through to the commitment.
  void commit(uint8_t task) {
    ASSERT_TRUE(accept(offer(task)).ok());
    if (task == 1) {
      give(task, "module");
      rewritten();
    }
    give(task, "input");
    ran(task);
  }

  crypto::Ed25519Signer me_{seed_of("me")};
  crypto::Ed25519Signer origin_{seed_of("origin node")};
  crypto::Ed25519Verifier verifier_;
  Executor executor_{me_, crypto::Drbg(seed_of("random"))};
  Executor::Out out_;
  Instant now_ = Instant::from_unix_seconds(kNow);
  std::vector<RunDomain> runs_;
  std::vector<NeedBlob> needs_;
  std::vector<NeedRewrite> rewrites_;
  std::vector<KeepReceipt> keeps_;
  std::vector<TaskId> cancelled_;
  std::vector<WorkMessages::Message> sent_;
};

// req: D11 D15
TEST_F(ExecutorTest, GathersThenRunsThenCommitsThenShows) {
  ASSERT_TRUE(accept(offer(1)).ok());
  EXPECT_EQ(messages<OfferAnswer>().size(), 1u);
  EXPECT_EQ(needs_.size(), 2u);
  give(1, "module");
  ASSERT_EQ(rewrites_.size(), 1u);
  rewritten();
  EXPECT_TRUE(runs_.empty());
  give(1, "input");
  ASSERT_EQ(runs_.size(), 1u);
  EXPECT_EQ(runs_[0].input, to_bytes(view("input")));
  EXPECT_EQ(runs_[0].lease_number, 1u);
  EXPECT_TRUE(messages<Commit>().empty());
  ran(1);
  ASSERT_EQ(messages<Commit>().size(), 1u);
  EXPECT_TRUE(keeps_.empty());

  executor_.on_reveal_ask(now_, origin_.public_key(), id(1), out_);
  settle();
  ASSERT_EQ(keeps_.size(), 1u);
  EXPECT_TRUE(messages<RevealAnswer>().empty()) << "a result is shown only when its receipt is on disk";
  executor_.on_receipt_kept(now_, id(1), ok(), out_);
  settle();
  ASSERT_EQ(messages<RevealAnswer>().size(), 1u);
  const RevealAnswer shown = messages<RevealAnswer>()[0];
  const auto reveal = object::open_object<object::Reveal>(shown.reveal, verifier_);
  const auto receipt = object::open_object<object::Receipt>(shown.receipt, verifier_);
  const auto commitment = object::open_object<object::Commitment>(messages<Commit>()[0].commitment, verifier_);
  ASSERT_TRUE(reveal.ok() && receipt.ok() && commitment.ok());
  EXPECT_EQ(object::commitment_digest(reveal->body), commitment->body.digest);
  EXPECT_EQ(receipt->bytes, keeps_[0].receipt.bytes);
  EXPECT_EQ(receipt->body.fuel, 77u);
  EXPECT_EQ(receipt->body.bytes_in, 5u);
  EXPECT_EQ(receipt->body.bytes_out, 6u);
  EXPECT_EQ(receipt->body.rewritten, crypto::sha256(view("rewritten module")));
  EXPECT_EQ(shown.output, to_bytes(view("output")));
  EXPECT_EQ(executor_.active(), 0u);
}

TEST_F(ExecutorTest, InputsWithAPathAreFilesAndTheOthersStandardInput) {
  ASSERT_TRUE(accept(offer(1, {"first ", "a.txt=content", "second"})).ok());
  give(1, "module");
  rewritten();
  for (const char* input : {"second", "a.txt=content", "first "}) give(1, input);
  ASSERT_EQ(runs_.size(), 1u);
  EXPECT_EQ(to_string(runs_[0].input), "first second");
  EXPECT_EQ(runs_[0].environment, std::vector<std::string>{"LANG=C"});
  ASSERT_EQ(runs_[0].files.size(), 1u);
  EXPECT_EQ(runs_[0].files[0].path, "a.txt");
  EXPECT_EQ(to_string(runs_[0].files[0].content), "a.txt=content");
}

TEST_F(ExecutorTest, InputsAreBoundedTogether) {
  const std::string half(kTaskInputBytesMax / 2, 'x'), more(kTaskInputBytesMax / 2 + 1, 'y');
  ASSERT_TRUE(accept(offer(1, {half, more})).ok());
  give(1, "module");
  rewritten();
  give(1, half);
  give(1, more);
  EXPECT_TRUE(runs_.empty());
  ASSERT_NE(executor_.result(id(1)), nullptr);
  EXPECT_EQ(executor_.result(id(1))->outcome, object::Outcome::kInconclusive);
}

TEST_F(ExecutorTest, AModuleIsFetchedAndRewrittenOnceForAll) {
  for (uint8_t task = 1; task <= 5; ++task) ASSERT_TRUE(accept(offer(task, {})).ok());
  size_t fetches = 0;
  for (const NeedBlob& need : needs_) fetches += need.cid == cid_of("module") ? 1 : 0;
  EXPECT_EQ(fetches, 1u);
  give(1, "module");
  EXPECT_EQ(rewrites_.size(), 1u);
  rewritten();
  EXPECT_EQ(runs_.size(), 5u);
  ASSERT_TRUE(accept(offer(6, {})).ok());
  EXPECT_EQ(runs_.size(), 6u);
  EXPECT_EQ(rewrites_.size(), 1u);
}

TEST_F(ExecutorTest, ManyModulesPushOutTheOldest) {
  for (uint8_t n = 1; n <= kModulesCachedMax + 1; ++n) {
    const std::string module = "module " + std::to_string(n);
    ASSERT_TRUE(accept(offer(n, {}, module)).ok());
    give(n, module);
    rewritten(module);
  }
  needs_.clear();
  ASSERT_TRUE(accept(offer(100, {}, "module " + std::to_string(kModulesCachedMax + 1))).ok());
  EXPECT_TRUE(needs_.empty());
  ASSERT_TRUE(accept(offer(101, {}, "module 1")).ok());
  EXPECT_EQ(needs_.size(), 1u);
}

TEST_F(ExecutorTest, AModuleThatIsRefusedIsAResult) {
  ASSERT_TRUE(accept(offer(1, {})).ok());
  give(1, "module");
  executor_.on_rewritten(now_, cid_of("module"), fail(Errc::kUnsupported, "floats of the wrong sort"), out_);
  settle();
  EXPECT_TRUE(runs_.empty());
  ASSERT_EQ(messages<Commit>().size(), 1u);
  executor_.on_reveal_ask(now_, origin_.public_key(), id(1), out_);
  executor_.on_receipt_kept(now_, id(1), ok(), out_);
  settle();
  const auto reveal = object::open_object<object::Reveal>(messages<RevealAnswer>()[0].reveal, verifier_);
  EXPECT_EQ(reveal->body.outcome, object::Outcome::kBadModule);
}

TEST_F(ExecutorTest, WhatCannotBeFetchedIsInconclusive) {
  ASSERT_TRUE(accept(offer(1)).ok());
  executor_.on_blob(now_, id(1), cid_of("input"), fail(Errc::kUnavailable, "nobody has it"), out_);
  settle();
  executor_.on_reveal_ask(now_, origin_.public_key(), id(1), out_);
  executor_.on_receipt_kept(now_, id(1), ok(), out_);
  settle();
  ASSERT_EQ(messages<RevealAnswer>().size(), 1u);
  const auto reveal = object::open_object<object::Reveal>(messages<RevealAnswer>()[0].reveal, verifier_);
  EXPECT_EQ(reveal->body.outcome, object::Outcome::kInconclusive);
  // The module that was on its way for it serves the next.
  ASSERT_TRUE(accept(offer(2, {})).ok());
  give(1, "module");
  rewritten();
  EXPECT_EQ(runs_.size(), 1u);
}

TEST_F(ExecutorTest, AFailedModuleFetchIsTriedAnewByTheNextOffer) {
  ASSERT_TRUE(accept(offer(1, {})).ok());
  ASSERT_TRUE(accept(offer(2, {})).ok());
  executor_.on_blob(now_, id(1), cid_of("module"), fail(Errc::kUnavailable, "nobody has it"), out_);
  settle();
  EXPECT_EQ(messages<Commit>().size(), 2u);
  needs_.clear();
  ASSERT_TRUE(accept(offer(3, {})).ok());
  EXPECT_EQ(needs_.size(), 1u);
}

// req: D2
TEST_F(ExecutorTest, AStoppedLeaseTakesItsTasksAndTellsTheirOrigin) {
  commit(1);
  ASSERT_TRUE(accept(offer(2, {"input"}, "module", 2)).ok());
  give(2, "input");
  ASSERT_EQ(runs_.size(), 2u);
  sent_.clear();
  executor_.on_lease_stopped(now_, 1, Error{Errc::kRevoked, "the owner stopped it"}, out_);
  settle();
  ASSERT_EQ(messages<OfferAnswer>().size(), 1u);
  EXPECT_EQ(messages<OfferAnswer>()[0].task, id(1));
  EXPECT_EQ(messages<OfferAnswer>()[0].error, uint8_t(Errc::kRevoked));
  executor_.on_reveal_ask(now_, origin_.public_key(), id(1), out_);
  settle();
  EXPECT_TRUE(keeps_.empty()) << "nothing of a revoked lease is shown";
  ran(2);
  EXPECT_EQ(messages<Commit>().size(), 1u) << "another lease goes on";
}

TEST_F(ExecutorTest, ADomainThatAnswersLateFindsNobody) {
  ASSERT_TRUE(accept(offer(1, {})).ok());
  give(1, "module");
  rewritten();
  cancelled_.clear();
  executor_.on_cancel(now_, origin_.public_key(), id(1), out_);
  settle();
  EXPECT_EQ(cancelled_, std::vector<TaskId>{id(1)});
  EXPECT_EQ(accept(offer(1, {})).code(), Errc::kBusy) << "it is still being stopped";
  ran(1);
  EXPECT_TRUE(messages<Commit>().empty());
  // What it used is in a receipt, which says nothing about the result.
  ASSERT_EQ(keeps_.size(), 1u);
  EXPECT_EQ(keeps_[0].receipt.body.outcome, object::Outcome::kInconclusive);
  EXPECT_FALSE(keeps_[0].receipt.body.output.has_value());
  EXPECT_EQ(keeps_[0].receipt.body.fuel, 77u);
  executor_.on_receipt_kept(now_, id(1), ok(), out_);
  settle();
  EXPECT_FALSE(executor_.knows(id(1)));
  EXPECT_TRUE(messages<RevealAnswer>().empty());
}

TEST_F(ExecutorTest, AResultThatIsNotWantedAnyMoreStillHasItsReceipt) {
  commit(1);
  executor_.on_cancel(now_, origin_.public_key(), id(1), out_);
  settle();
  ASSERT_EQ(keeps_.size(), 1u);
  EXPECT_EQ(keeps_[0].receipt.body.outcome, object::Outcome::kOk);
  executor_.on_receipt_kept(now_, id(1), ok(), out_);
  settle();
  EXPECT_FALSE(executor_.knows(id(1)));
}

TEST_F(ExecutorTest, ADomainThatNeverSaysWhatItUsedIsForgotten) {
  ASSERT_TRUE(accept(offer(1, {})).ok());
  give(1, "module");
  rewritten();
  executor_.on_cancel(now_, origin_.public_key(), id(1), out_);
  EXPECT_EQ(executor_.next_deadline(), now_ + kEndingMax);
  executor_.on_deadline(now_ + kEndingMax, out_);
  EXPECT_FALSE(executor_.knows(id(1)));
}

TEST_F(ExecutorTest, WhatWentOnFromAStateCountsFromThere) {
  AcceptedOffer going_on = offer(1, {});
  going_on.state = Bytes(200, 0);
  std::copy_n("selvedge checkpoint 1\n", 22, going_on.state.begin());
  store_u64(going_on.state.data() + 22 + 32, 50);
  ASSERT_TRUE(accept(std::move(going_on)).ok());
  give(1, "module");
  rewritten();
  ran(1);
  executor_.on_reveal_ask(now_, origin_.public_key(), id(1), out_);
  settle();
  ASSERT_EQ(keeps_.size(), 1u);
  EXPECT_EQ(keeps_[0].receipt.body.fuel, 27u);
  EXPECT_EQ(keeps_[0].receipt.body.fuel_before, 50u);
}

TEST_F(ExecutorTest, OnlyWhoOfferedMayAskOrCancel) {
  commit(1);
  crypto::PublicKey stranger;
  stranger.bytes.fill(7);
  executor_.on_cancel(now_, stranger, id(1), out_);
  executor_.on_reveal_ask(now_, stranger, id(1), out_);
  settle();
  EXPECT_TRUE(keeps_.empty());
  EXPECT_TRUE(executor_.knows(id(1)));
  AcceptedOffer theirs = offer(1);
  theirs.from = stranger;
  EXPECT_EQ(accept(std::move(theirs)).code(), Errc::kExists);
}

TEST_F(ExecutorTest, AnOfferMadeAgainIsTakenUpWhereItIs) {
  commit(1);
  sent_.clear();
  ASSERT_TRUE(accept(offer(1)).ok());
  EXPECT_EQ(messages<OfferAnswer>().size(), 1u);
  EXPECT_EQ(messages<Commit>().size(), 1u);
  EXPECT_EQ(runs_.size(), 1u) << "it does not run twice";

  // While the receipt is being written: it is asked for anew, and the receipt is not written twice.
  executor_.on_reveal_ask(now_, origin_.public_key(), id(1), out_);
  settle();
  sent_.clear();
  ASSERT_TRUE(accept(offer(1)).ok());
  EXPECT_TRUE(messages<Commit>().empty());
  executor_.on_receipt_kept(now_, id(1), ok(), out_);
  settle();
  EXPECT_TRUE(messages<RevealAnswer>().empty());
  EXPECT_EQ(messages<Commit>().size(), 1u);
  executor_.on_reveal_ask(now_, origin_.public_key(), id(1), out_);
  settle();
  EXPECT_EQ(messages<RevealAnswer>().size(), 1u);
  EXPECT_EQ(keeps_.size(), 1u);
}

TEST_F(ExecutorTest, WithoutAReceiptOnDiskNothingIsShown) {
  commit(1);
  sent_.clear();
  executor_.on_reveal_ask(now_, origin_.public_key(), id(1), out_);
  executor_.on_receipt_kept(now_, id(1), fail(Errc::kIo, "disk full"), out_);
  settle();
  EXPECT_TRUE(messages<RevealAnswer>().empty());
  ASSERT_EQ(messages<OfferAnswer>().size(), 1u);
  EXPECT_EQ(messages<OfferAnswer>()[0].error, uint8_t(Errc::kIo));
}

TEST_F(ExecutorTest, ResultsNobodyAsksForAreForgotten) {
  commit(1);
  EXPECT_EQ(executor_.next_deadline(), now_ + kResultKeptMax);
  executor_.on_deadline(now_ + kResultKeptMax, out_);
  EXPECT_EQ(executor_.active(), 0u);
}

TEST_F(ExecutorTest, HasItsLimit) {
  AcceptedOffer one = offer(1, {});
  for (size_t i = 0; i < kExecutionsMax; ++i) {
    object::TaskOffer body = one.offer.body;
    store_u64(body.task.bytes.data(), i);
    ASSERT_TRUE(accept({object::sign_object(origin_, body).value(), one.from, one.owner, 1}).ok());
  }
  EXPECT_EQ(accept(offer(255, {})).code(), Errc::kLimit);
}

}  // namespace
}  // namespace selvedge::work
