#include "wasm/rewrite.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "wasm/call_graph.h"
#include "wasm/test_module.h"

namespace selvedge::wasm {
namespace {

using testing::kD;
using testing::kF;
using testing::kI;
using testing::kL;
using testing::TestFunction;
using testing::TestModule;

/// Runs wabt's validator over a module, where it is installed: an opinion that is not ours.
void expect_valid(const Bytes& module) {
  if (access("/usr/bin/wasm-validate", X_OK) != 0) return;
  char path[] = "/tmp/selvedge-wasm-test-XXXXXX";
  const int fd = mkstemp(path);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(write(fd, module.data(), module.size()), ssize_t(module.size()));
  close(fd);
  EXPECT_EQ(std::system((std::string("/usr/bin/wasm-validate ") + path).c_str()), 0);
  unlink(path);
}

/// And the opinion of our own validator, which the fuzzer relies on.
void expect_valid_to_us(const Bytes& module) {
  const RewriteLimits limits;
  const auto parsed = parse_module(module, limits, Names::kRewritten);
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  const auto plans = validate_functions(*parsed, limits);
  EXPECT_TRUE(plans.ok()) << plans.error().message;
}

Rewritten accepted(const TestModule& module) {
  auto out = rewrite(module.build());
  EXPECT_TRUE(out.ok()) << out.error().message;
  if (!out.ok()) return {};
  expect_valid(out->module);
  expect_valid_to_us(out->module);
  return std::move(out).value();
}

std::string refused(const TestModule& module, Errc code) {
  const auto out = rewrite(module.build());
  EXPECT_FALSE(out.ok());
  if (out.ok()) return "";
  EXPECT_EQ(errc_name(out.code()), std::string(errc_name(code))) << out.error().message;
  return out.error().message;
}

/// One function of type () -> () with this code.
TestModule with_code(Bytes code, Bytes locals = {0}) {
  TestModule module;
  module.function(0, std::move(code), std::move(locals));
  return module;
}

/// The charges of the only function, as offsets from its first instruction and costs.
std::vector<std::pair<uint32_t, uint64_t>> charges_of(const TestModule& module) {
  const Bytes bytes = module.build();
  const RewriteLimits limits;
  const auto parsed = parse_module(bytes, limits);
  EXPECT_TRUE(parsed.ok()) << parsed.error().message;
  const auto plans = validate_functions(*parsed, limits);
  EXPECT_TRUE(plans.ok()) << plans.error().message;
  const FunctionPlan& plan = plans->front();
  expect_valid(bytes);
  std::vector<std::pair<uint32_t, uint64_t>> out;
  for (const Charge& charge : plan.charges) out.push_back({charge.at - plan.code_at, charge.cost});
  return out;
}
using Charges = std::vector<std::pair<uint32_t, uint64_t>>;

TEST(Rewrite, AnEmptyProgramIsAcceptedAndNamed) {
  TestModule module = with_code({0x0B});
  module.exports = {TestModule::export_of("_start", 0, 0), TestModule::export_of("memory", 2, 0)};
  const Rewritten out = accepted(module);
  EXPECT_TRUE(out.has_entry);
  EXPECT_FALSE(out.has_start);
  EXPECT_EQ(out.memory_pages_min, 1u);
  EXPECT_EQ(out.memory_pages_max, RewriteLimits().memory_pages_max);
  EXPECT_NE(out.identity, out.original);
  EXPECT_EQ(rewrite(module.build())->module, out.module);
  EXPECT_EQ(rewrite(module.build())->identity, out.identity);
}

TEST(Rewrite, TheIdentityNamesModuleAndPageLimit) {
  const TestModule module = with_code({0x0B});
  const Rewritten out = accepted(module);
  RewriteLimits smaller;
  smaller.memory_pages_max = 10;
  EXPECT_NE(rewrite(module.build(), smaller)->identity, out.identity);
  EXPECT_EQ(rewrite(module.build(), smaller)->original, out.original);
  EXPECT_NE(accepted(with_code({0x01, 0x0B})).identity, out.identity);
}

// A changed cost table is a new version: this fails until kRewriterVersion and the specification say so too.
TEST(Rewrite, TheCostTableIsTheOneOfThisVersion) {
  EXPECT_EQ(kRewriterVersion, 2u);
  EXPECT_EQ(cost_table_digest().hex(), "f1a4c8d7fdef97e3655bcba4c6f484a53259dca24d02b55f71987cdb9e93619a");
}

TEST(Rewrite, CustomSectionsAreDropped) {
  TestModule module = with_code({0x0B});
  const Rewritten plain = accepted(module);
  Bytes custom;
  Writer(custom).name("secret-name").raw(view("secret-body"));
  Writer(module.extra).byte(0).sized(custom);
  const Rewritten out = accepted(module);
  EXPECT_EQ(out.module, plain.module);
  EXPECT_NE(out.identity, plain.identity);
}

// --- what is refused, and by which name --------------------------------------------------------------------------

TEST(Refuse, WhatIsNoModule) {
  EXPECT_EQ(rewrite(view("")).code(), Errc::kInvalid);
  EXPECT_EQ(rewrite(view("#!/bin/sh\necho hello")).code(), Errc::kInvalid);
  EXPECT_EQ(rewrite(view(std::string_view("\0asm\2\0\0\0", 8))).code(), Errc::kInvalid);
}

TEST(Refuse, EveryTruncation) {
  TestModule module = with_code({0x41, 0x00, 0x28, 0x02, 0x00, 0x1A, 0x0B});
  module.exports = {TestModule::export_of("_start", 0, 0)};
  module.data = {{0, 0x41, 0, 0x0B, 2, 'h', 'i'}};
  const Bytes bytes = module.build();
  ASSERT_TRUE(rewrite(bytes).ok());
  for (size_t n = 0; n < bytes.size(); ++n) {
    // Cut between the last two sections, the rest is a module without data.
    const bool whole = n == bytes.size() - 2 - 8;
    EXPECT_EQ(rewrite(ByteView(bytes).first(n)).ok(), whole) << n;
  }
}

TEST(Refuse, InstructionsOutsideTheProfileByName) {
  const struct {
    Bytes code;
    const char* name;
  } cases[] = {
      {{0xFD, 0x80, 0x02, 0x0B}, "relaxed SIMD"}, {{0xFE, 0x03, 0x00, 0x0B}, "threads"}, {{0x06, 0x40, 0x0B, 0x0B}, "exception"},
      {{0x12, 0x00, 0x0B}, "tail call"},     {{0xFB, 0x01, 0x0B}, "garbage"},       {{0xFD, 0x9A, 0x01, 0x0B}, "unknown"},
      {{0x25, 0x00, 0x0B}, "table.get"},     {{0xD0, 0x70, 0x1A, 0x0B}, "reference"}, {{0xFC, 0x12, 0x0B}, "unknown"},
      {{0xFC, 0x0F, 0x00, 0x0B}, "table.grow"}, {{0xFF, 0x0B}, "unknown"},         {{0x27, 0x0B}, "unknown"},
  };
  for (const auto& c : cases) {
    const std::string message = refused(with_code(c.code), Errc::kUnsupported);
    EXPECT_NE(message.find(c.name), std::string::npos) << message;
    EXPECT_NE(message.find("byte "), std::string::npos) << message;
    EXPECT_NE(message.find("opcode 0x"), std::string::npos) << message;
  }
}

TEST(Refuse, ImportsByName) {
  TestModule module = with_code({0x0B});
  module.types.push_back({0x60, 2, kI, kI, 1, kI});
  module.imports = {TestModule::import("wasi_snapshot_preview1", "sock_open", 1)};
  EXPECT_NE(refused(module, Errc::kUnsupported).find("sock_open"), std::string::npos);
  module.imports = {TestModule::import("env", "args_get", 1)};
  EXPECT_NE(refused(module, Errc::kUnsupported).find("env.args_get"), std::string::npos);
  module.imports = {TestModule::import("wasi_snapshot_preview1", "args_get", 0)};
  EXPECT_NE(refused(module, Errc::kInvalid).find("wrong type"), std::string::npos);
  module.imports = {TestModule::import("__sv_host", "yield", 1)};
  refused(module, Errc::kUnauthorized);
  Bytes memory_import;
  Writer(memory_import).name("env").name("memory").byte(2).byte(0).u32(1);
  module.imports = {memory_import};
  EXPECT_NE(refused(module, Errc::kUnsupported).find("not a function"), std::string::npos);
  module.imports = {TestModule::import("wasi_snapshot_preview1", "args_get", 1)};
  EXPECT_EQ(accepted(module).imports, std::vector<WasiImport>{{"args_get"}});
}

TEST(Refuse, ReservedAndRepeatedExports) {
  TestModule module = with_code({0x0B});
  module.exports = {TestModule::export_of("__sv_begin", 0, 0)};
  EXPECT_NE(refused(module, Errc::kUnauthorized).find("__sv_begin"), std::string::npos);
  module.exports = {TestModule::export_of("a", 0, 0), TestModule::export_of("a", 0, 0)};
  refused(module, Errc::kInvalid);
  module.exports = {TestModule::export_of("a", 0, 1)};
  refused(module, Errc::kInvalid);
  module.exports = {TestModule::export_of("\xFF", 0, 0)};
  refused(module, Errc::kInvalid);
}

TEST(Refuse, MemoriesTablesAndSegmentsOutsideTheProfile) {
  const auto with = [](auto change) {
    TestModule module = with_code({0x0B});
    change(module);
    return module;
  };
  refused(with([](TestModule& m) { m.memory.clear(); }), Errc::kUnsupported);
  refused(with([](TestModule& m) { m.memory = {3, 1, 2}; }), Errc::kUnsupported);  // shared
  refused(with([](TestModule& m) { m.memory = {4, 1}; }), Errc::kUnsupported);     // 64 bits
  refused(with([](TestModule& m) { m.memory = {1, 2, 1}; }), Errc::kInvalid);
  refused(with([](TestModule& m) { m.memory = {0, 0x81, 0x80, 0x04}; }), Errc::kInvalid);
  refused(with([](TestModule& m) { m.memory = {0, 0x80, 0x80, 0x03}; }), Errc::kLimit);
  refused(with([](TestModule& m) { m.table = {0x6F, 0, 1}; }), Errc::kUnsupported);  // externref
  refused(with([](TestModule& m) { m.table = {0x70, 1, 2, 1}; }), Errc::kInvalid);
  refused(with([](TestModule& m) { m.table = {0x70, 0, 0x81, 0x80, 0x80, 0x01}; }), Errc::kLimit);
  refused(with([](TestModule& m) { m.data = {{0, 0x23, 0, 0x0B, 1, 'x'}}; }), Errc::kUnsupported);
  refused(with([](TestModule& m) { m.data = {{0, 0x42, 0, 0x0B, 1, 'x'}}; }), Errc::kUnsupported);
  refused(with([](TestModule& m) { m.elements = {{0, 0x41, 0, 0x0B, 1, 0}}; }), Errc::kInvalid);  // no table
  refused(with([](TestModule& m) { m.table = {0x70, 0, 1}, m.elements = {{5, 0x70, 1, 0xD2, 0, 0x0B}}; }), Errc::kUnsupported);
  refused(with([](TestModule& m) { m.elements = {{1, 1, 1, 0}}; }), Errc::kUnsupported);  // not of functions
  refused(with([](TestModule& m) { m.elements = {{8, 0, 1, 0}}; }), Errc::kInvalid);
  refused(with([](TestModule& m) { m.table = {0x70, 0, 1}, m.elements = {{0, 0x41, 0, 0x0B, 1, 9}}; }), Errc::kInvalid);
  refused(with([](TestModule& m) { m.start = {7}; }), Errc::kInvalid);
  refused(with([](TestModule& m) { m.extra = {13, 0}; }), Errc::kUnsupported);  // the tags of exception handling
  refused(with([](TestModule& m) { m.extra = {1, 1, 0}; }), Errc::kInvalid);    // out of order
  refused(with([](TestModule& m) { m.globals = {{0x7B, 0, 0x41, 0, 0x0B}}; }), Errc::kUnsupported);  // v128 from an i32
  refused(with([](TestModule& m) { m.globals = {{0x70, 0, 0xD0, 0x70, 0x0B}}; }), Errc::kUnsupported);  // a reference
  refused(with([](TestModule& m) { m.globals = {{kI, 2, 0x41, 0, 0x0B}}; }), Errc::kInvalid);
  refused(with([](TestModule& m) { m.types.push_back({0x5F, 0, 0}); }), Errc::kUnsupported);
}

TEST(Refuse, CodeThatIsIllTyped) {
  const Bytes cases[] = {
      {0x6A, 0x0B},                                      // add without operands
      {0x41, 0, 0x0B},                                   // a value left over
      {0x41, 0, 0x42, 0, 0x6A, 0x1A, 0x0B},              // i32 + i64
      {0x20, 0, 0x1A, 0x0B},                             // no such local
      {0x23, 0, 0x1A, 0x0B},                             // no such global
      {0x10, 9, 0x0B},                                   // no such function
      {0x0C, 1, 0x0B},                                   // no such label
      {0x02, 0x40, 0x0B},                                // the function's end is missing
      {0x0B, 0x0B},                                      // code after the end
      {0x05, 0x0B},                                      // else without if
      {0x41, 0, 0x04, kI, 0x41, 1, 0x0B, 0x1A, 0x0B},    // if without else that gives something
      {0x41, 0, 0x28, 0x03, 0, 0x1A, 0x0B},              // aligned more than its size
      {0x41, 0, 0x41, 0, 0xFD, 0x0F, 0xFD, 0x54, 1, 0, 0, 0x1A, 0x0B},  // and so a lane
      {0x41, 0, 0x11, 0, 0, 0x0B},                       // call_indirect without a table
      {0x02, 0x09, 0x0B, 0x0B},                          // no such block type
      {0x00, 0x41, 0, 0x42, 0, 0x6A, 0x1A, 0x0B},        // ill-typed although unreachable
      {0x02, kI, 0x41, 0, 0x41, 0, 0x0E, 1, 0, 1, 0x0B, 0x1A, 0x0B},  // br_table to labels that differ
      {0x43, 0, 0, 0, 0, 0x44, 0, 0, 0, 0, 0, 0, 0, 0, 0x41, 0, 0x1B, 0x1A, 0x0B},  // select of two types
      {0x41, 0, 0x41, 0, 0x41, 0, 0x1C, 1, kL, 0x1A, 0x0B},          // select that says another type
      {0x41, 0, 0xFD, 0x0F, 0xFD, 0x15, 16, 0x1A, 0x0B},             // lane 16 of 16
      {0x41, 0, 0xFD, 0x11, 0xFD, 0x1B, 4, 0x1A, 0x0B},              // lane 4 of 4
      {0x41, 0, 0x41, 0, 0xFD, 0xAE, 0x01, 0x1A, 0x0B},              // vectors that are numbers
      {0x41, 0, 0x41, 0, 0x41, 0, 0xFC, 8, 0, 0, 0x0B},              // memory.init without a segment
      {0xFC, 9, 0, 0x0B},                                            // data.drop without a segment
      {0xFC, 13, 0, 0x0B},                                           // elem.drop without a segment
      {0x41, 0, 0x41, 0, 0x41, 0, 0xFC, 14, 0, 0, 0x0B},             // table.copy without a table
  };
  for (const Bytes& code : cases) {
    const std::string message = refused(with_code(code), Errc::kInvalid);
    EXPECT_NE(message.find("function 0"), std::string::npos) << message;
  }
}

TEST(Refuse, WhatIsTooLarge) {
  RewriteLimits limits;
  limits.module_bytes_max = 20;
  EXPECT_EQ(rewrite(with_code({0x0B}).build(), limits).code(), Errc::kLimit);
  limits = {};
  limits.functions_max = 1;
  TestModule two = with_code({0x0B});
  two.function(0, {0x0B});
  EXPECT_EQ(rewrite(two.build(), limits).code(), Errc::kLimit);
  limits = {};
  limits.nesting_max = 3;
  EXPECT_EQ(rewrite(with_code({2, 0x40, 2, 0x40, 2, 0x40, 2, 0x40, 0x0B, 0x0B, 0x0B, 0x0B, 0x0B}).build(), limits).code(),
            Errc::kLimit);
  EXPECT_TRUE(rewrite(with_code({2, 0x40, 2, 0x40, 2, 0x40, 0x0B, 0x0B, 0x0B, 0x0B}).build(), limits).ok());
  // Two groups of locals whose sum overflows 32 bits, and one that is plainly too large.
  refused(with_code({0x0B}, {2, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F, kI, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F, kI}), Errc::kLimit);
  refused(with_code({0x0B}, {1, 0x81, 0x20, kI}), Errc::kLimit);
  EXPECT_FALSE(refused(with_code({0x41, 0, 0x0E, 0x81, 0x80, 0x01, 0, 0x0B}), Errc::kLimit).empty());
  // A count far beyond what the section holds is refused before memory is spent on it.
  TestModule many = with_code({0x0B});
  many.extra = {11, 5, 0x80, 0x80, 0x02, 0, 0};
  refused(many, Errc::kInvalid);
}

TEST(Refuse, ManyLocalsInFewBytes) {
  TestModule module = with_code({0x0B});
  for (int i = 0; i < 600; ++i) module.function(0, {0x0B}, {1, 0x80, 0x20, kD});  // 4,096 each
  refused(module, Errc::kLimit);
}

TEST(Refuse, NumbersThatAreTooLong) {
  TestModule module = with_code({0x41, 0x80, 0x80, 0x80, 0x80, 0x08, 0x1A, 0x0B});
  refused(module, Errc::kInvalid);  // i32.const with bits beyond the 32nd that do not repeat the sign
  accepted(with_code({0x41, 0x80, 0x80, 0x80, 0x80, 0x78, 0x1A, 0x0B}));
  refused(with_code({0x42, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01, 0x1A, 0x0B}), Errc::kInvalid);
  accepted(with_code({0x42, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7F, 0x1A, 0x0B}));
  accepted(with_code({0x41, 0x80, 0x80, 0x80, 0x80, 0x00, 0x1A, 0x0B}));  // padded, but within its length
}

// --- metered blocks ----------------------------------------------------------------------------------------------
// Costs below: 2 for the function, 1 for const, local.get, br, br_if, if, add; 0 for block, end, drop, nop.

TEST(Meter, StraightCodeIsOneCharge) {
  EXPECT_EQ(charges_of(with_code({0x41, 1, 0x41, 2, 0x6A, 0x1A, 0x0B})), (Charges{{0, 5}}));
}

TEST(Meter, LocalsCostToo) {
  EXPECT_EQ(charges_of(with_code({0x0B}, {1, 40, kL})), (Charges{{0, 2 + 10}}));
}

TEST(Meter, BlocksAndIfsWithoutBranchesGoOnWithTheBlockBefore) {
  // const; if { nop const drop } ; const drop: the last is paid with the first.
  EXPECT_EQ(charges_of(with_code({0x41, 1, 0x04, 0x40, 0x41, 2, 0x1A, 0x0B, 0x41, 3, 0x1A, 0x0B})),
            (Charges{{0, 2 + 2 + 1}, {4, 1}}));
  EXPECT_EQ(charges_of(with_code({0x02, 0x40, 0x41, 2, 0x1A, 0x0B, 0x41, 3, 0x1A, 0x0B})), (Charges{{0, 4}}));
}

TEST(Meter, ElseArmsArePaidApart) {
  // const if { const drop } else { const drop const drop } end
  EXPECT_EQ(charges_of(with_code({0x41, 1, 0x04, 0x40, 0x41, 2, 0x1A, 0x05, 0x41, 3, 0x1A, 0x41, 4, 0x1A, 0x0B, 0x0B})),
            (Charges{{0, 4}, {4, 1}, {8, 2}}));
}

TEST(Meter, CodeAfterABranchIsPaidWhenReached) {
  // block { const br_if 0; const drop } const drop: the branch stays in the block, so the end is paid at the start.
  EXPECT_EQ(charges_of(with_code({0x02, 0x40, 0x41, 1, 0x0D, 0, 0x41, 2, 0x1A, 0x0B, 0x41, 3, 0x1A, 0x0B})),
            (Charges{{0, 2 + 2 + 1}, {6, 1}}));
  // block { block { const br_if 1; const drop } const drop } const drop: it may jump over the middle part.
  EXPECT_EQ(charges_of(with_code({0x02, 0x40, 0x02, 0x40, 0x41, 1, 0x0D, 1, 0x41, 2, 0x1A, 0x0B, 0x41, 3, 0x1A, 0x0B,
                                  0x41, 4, 0x1A, 0x0B})),
            (Charges{{0, 2 + 2 + 1}, {8, 1}, {12, 1}}));
}

TEST(Meter, ReturnIsABranchToTheFunction) {
  // const if { return } const drop
  EXPECT_EQ(charges_of(with_code({0x41, 1, 0x04, 0x40, 0x0F, 0x0B, 0x41, 2, 0x1A, 0x0B})),
            (Charges{{0, 4}, {4, 1}, {6, 1}}));
}

TEST(Meter, TheFirstTurnOfALoopIsPaidByTheBlockAroundIt) {
  // loop { br 0 }: an empty loop costs at least 1 each time.
  EXPECT_EQ(charges_of(with_code({0x03, 0x40, 0x0C, 0, 0x0B, 0x0B})), (Charges{{0, 2 + 2}, {2, 2}}));
  // loop { const br_if 0 } const drop
  EXPECT_EQ(charges_of(with_code({0x03, 0x40, 0x41, 1, 0x0D, 0, 0x0B, 0x41, 1, 0x1A, 0x0B})),
            (Charges{{0, 3 + 3}, {2, 3}}));
  EXPECT_EQ(charges_of(with_code({0x03, 0x40, 0x0B, 0x0B})), (Charges{{0, 2 + 1}, {2, 1}}));
  // loop { loop { const br_if 0 } const br_if 1 }: the inner loop's first turn belongs to each turn of the outer.
  EXPECT_EQ(charges_of(with_code({0x03, 0x40, 0x03, 0x40, 0x41, 1, 0x0D, 0, 0x0B, 0x41, 1, 0x0D, 0, 0x0B, 0x0B})),
            (Charges{{0, 2 + 1 + 3 + 2}, {2, 1 + 3 + 2}, {4, 3}}));
}

TEST(Meter, WhatFollowsAWayBackToTheLoopIsPaidWhenReached) {
  // loop { const if { br 1 } const drop }: what stands behind the if does not run in every turn.
  EXPECT_EQ(charges_of(with_code({0x03, 0x40, 0x41, 1, 0x04, 0x40, 0x0C, 1, 0x0B, 0x41, 2, 0x1A, 0x0B, 0x0B})),
            (Charges{{0, 2 + 3}, {2, 3}, {6, 1}, {9, 1}}));
}

TEST(Meter, BrTableEndsItsBlockAndUnreachableCodeIsFree) {
  // block { block { const br_table 0 1 0; const const const drop drop drop } const drop } const drop
  EXPECT_EQ(charges_of(with_code({0x02, 0x40, 0x02, 0x40, 0x41, 1, 0x0E, 2, 0, 1, 0, 0x41, 1, 0x41, 1, 0x41, 1, 0x1A,
                                  0x1A, 0x1A, 0x0B, 0x41, 3, 0x1A, 0x0B, 0x41, 4, 0x1A, 0x0B})),
            (Charges{{0, 2 + 1 + 3 + 1}, {21, 1}}));
}

// --- what comes out is valid, whatever the shape -----------------------------------------------------------------

TEST(Emit, ShapesThatAreEasyToGetWrong) {
  accepted(with_code({0x0F, 0x0B}));                                                    // return
  accepted(with_code({0x0C, 0, 0x0B}));                                                 // br to the function
  accepted(with_code({0x41, 0, 0x0E, 0, 0, 0x0B}));                                     // br_table to the function
  accepted(with_code({0x00, 0x6A, 0x1A, 0x0B}));                                        // polymorphic operands
  accepted(with_code({0x00, 0x02, 0x40, 0x41, 0, 0x04, 0x40, 0x05, 0x0B, 0x0B, 0x0B}));  // dead blocks in dead code
  accepted(with_code({0x41, 0, 0x04, 0x40, 0x0F, 0x05, 0x0F, 0x0B, 0x00, 0x0B}));       // both arms leave
  accepted(with_code({0x03, 0x40, 0x03, 0x40, 0x0C, 1, 0x0B, 0x0B, 0x0B}));             // nested loops
  accepted(with_code({0x00, 0x1B, 0x1A, 0x0B}));                                        // select of anything
}

TEST(Emit, SeveralResultsAndLoopParameters) {
  TestModule module;
  module.types = {{0x60, 0, 0}, {0x60, 0, 2, kI, kL}, {0x60, 2, kI, kL, 2, kI, kL}};
  // Calls itself (so that depth is counted and the body is wrapped), returns early with both results.
  module.function(1, {0x10, 0, 0x41, 1, 0x04, 0x40, 0x41, 1, 0x42, 2, 0x0F, 0x0B, 0x0B});
  // A loop that takes and gives two values: its head must not touch them.
  module.function(1, {0x41, 1, 0x42, 2, 0x03, 2, 0x41, 0, 0x0D, 0, 0x0B, 0x0B});
  accepted(module);
}

TEST(Emit, CallsTablesStartAndGlobals) {
  TestModule module;
  module.types = {{0x60, 0, 0}, {0x60, 1, kI, 0}, {0x60, 2, kI, kI, 1, kI}};
  module.imports = {TestModule::import("wasi_snapshot_preview1", "proc_exit", 1),
                    TestModule::import("wasi_snapshot_preview1", "random_get", 2)};
  module.function(0, {0x41, 0, 0x11, 0, 0x80, 0x80, 0x00, 0x10, 3, 0x0B});  // call_indirect with a long table index
  module.function(0, {0x41, 5, 0x24, 0, 0x41, 0, 0x10, 0, 0x0B});
  module.table = {0x70, 0, 4};
  module.globals = {{kI, 1, 0x41, 9, 0x0B}, {kD, 1, 0x44, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F, 0x0B}, {kL, 0, 0x42, 1, 0x0B}};
  module.exports = {TestModule::export_of("g", 3, 0), TestModule::export_of("exit", 0, 0)};
  module.start = {3};
  module.elements = {{0, 0x41, 0, 0x0B, 3, 2, 3, 0}, {2, 0, 0x41, 3, 0x0B, 0, 1, 1}};
  module.data = {{0, 0x41, 0, 0x0B, 1, 'x'}, {2, 0, 0x41, 1, 0x0B, 1, 'y'}};
  EXPECT_TRUE(accepted(module).has_start);
}

TEST(Emit, MemoryInstructionsAndFloats) {
  const Bytes f64 = {0x44, 0, 0, 0, 0, 0, 0, 0, 0};
  Bytes code;
  Writer w(code);
  w.byte(0x41).byte(1).byte(0x40).byte(0).byte(0x1A);                                  // memory.grow
  w.raw(Bytes{0x41, 0, 0x41, 1, 0x41, 2, 0xFC, 10, 0, 0, 0x41, 0, 0x41, 1, 0x41, 2, 0xFC, 11, 0});
  w.raw(f64).raw(f64).byte(0xA3).raw(f64).byte(0xA0).byte(0xB6).byte(0x91).byte(0x1A);  // div add demote sqrt
  w.raw(f64).raw(f64).byte(0xA3).byte(0xBD).byte(0x1A);                                // div reinterpret
  w.raw(f64).byte(0xFC).byte(6).byte(0x1A).byte(0x0B);                                 // trunc_sat
  accepted(with_code(code));
}

/// How often `needle` occurs.
size_t count(const Bytes& in, const Bytes& needle) {
  size_t n = 0;
  for (auto it = in.begin();; ++it, ++n) {
    it = std::search(it, in.end(), needle.begin(), needle.end());
    if (it == in.end()) return n;
  }
}

TEST(Emit, NansAreMadeCanonicalWhereTheirBitsCanBeSeen) {
  const Bytes nan = {0x44, 0, 0, 0, 0, 0, 0, 0xF8, 0x7F};
  const Bytes f64 = {0x44, 0, 0, 0, 0, 0, 0, 0, 0};
  Bytes seen, chained;
  Writer(seen).raw(f64).raw(f64).byte(0xA0).byte(0xBD).byte(0x1A).byte(0x0B);  // add, reinterpret
  EXPECT_EQ(count(accepted(with_code(seen)).module, nan), 1u);
  // The sum goes into a product and that into a comparison: no one can see either's bits.
  Writer(chained).raw(f64).raw(f64).raw(f64).byte(0xA0).byte(0xA2).raw(f64).byte(0x61).byte(0x1A).byte(0x0B);
  EXPECT_EQ(count(accepted(with_code(chained)).module, nan), 0u);
  // Negation, absolute value and copysign are defined bit by bit.
  Bytes bits;
  Writer(bits).raw(f64).byte(0x9A).raw(f64).byte(0xA6).byte(0x99).byte(0x1A).byte(0x0B);
  EXPECT_EQ(count(accepted(with_code(bits)).module, nan), 0u);
}

TEST(Emit, WhatEnginesFoldWronglyIsNoConstant) {
  // The sign of copysign; what both operands are known of, like a shift of more than 31 bits.
  const Bytes f64 = {0x44, 0, 0, 0, 0, 0, 0, 0, 0x80};
  Bytes copysign, hidden = f64;
  Writer(copysign).raw(f64).raw(f64).byte(0xA6).byte(0x1A).byte(0x0B);
  Writer(hidden).raw(Bytes{0x21, 1, 0x20, 1, 0xA6});
  EXPECT_EQ(count(accepted(with_code(copysign)).module, hidden), 1u);
  const auto shift = [&](Bytes first) {
    Bytes code;
    Writer(code).raw(first).raw(Bytes{0x41, 33, 0x76, 0x1A, 0x0B});
    return accepted(with_code(code, {1, 1, kI})).module;
  };
  EXPECT_EQ(count(shift({0x41, 1}), {0x41, 33, 0x21, 2, 0x20, 2, 0x76}), 1u);
  EXPECT_EQ(count(shift({0x41, 1, 0x41, 1, 0x6A}), {0x41, 33, 0x21, 2, 0x20, 2, 0x76}), 1u);  // an engine adds them up
  EXPECT_EQ(count(shift({0x20, 0}), {0x41, 33, 0x76}), 1u);
}

TEST(Emit, NansAreFollowedThroughLocals) {
  const Bytes nan = {0x44, 0, 0, 0, 0, 0, 0, 0xF8, 0x7F};
  const Bytes locals = {1, 3, kD};
  // loop { local0 = local0 + local1; local2 = local0 * local0; br_if local2 < local1 }: nothing but arithmetic sees them.
  Bytes hidden = {0x03, 0x40, 0x20, 0, 0x20, 1, 0xA0, 0x21, 0, 0x20, 0, 0x20, 0, 0xA2, 0x22, 2, 0x20, 1, 0x63, 0x0D, 0, 0x0B};
  Bytes end = hidden;
  end.push_back(0x0B);
  EXPECT_EQ(count(accepted(with_code(end, locals)).module, nan), 0u);
  // The same, and then local2 is stored: only the product can be seen, and it hides the sum's bits.
  Bytes stored = hidden;
  Writer(stored).raw(Bytes{0x41, 0, 0x20, 2, 0x39, 3, 0, 0x0B});
  EXPECT_EQ(count(accepted(with_code(stored, locals)).module, nan), 1u);
  // local1 gets what local0 holds, and local1's sign is copied: the sum can be seen through both.
  Bytes copied = {0x20, 0, 0x20, 0, 0xA0, 0x21, 0, 0x20, 0, 0x21, 1, 0x20, 2, 0x20, 1, 0xA6, 0x1A, 0x0B};
  EXPECT_EQ(count(accepted(with_code(copied, locals)).module, nan), 1u);
  // Left on the stack across a block and returned from it; under a branch; through select; into a call.
  const Bytes sum = {0x20, 0, 0x20, 0, 0xA0};
  const auto seen = [&](Bytes before, Bytes after) {
    Bytes code;
    Writer(code).raw(before).raw(sum).raw(after);
    return count(accepted(with_code(code, locals)).module, nan);
  };
  EXPECT_EQ(seen({0x02, kD}, {0x0B, 0x1A, 0x0B}), 1u);
  EXPECT_EQ(seen({0x02, kD}, {0x41, 0, 0x0D, 0, 0x0B, 0x1A, 0x0B}), 1u);
  EXPECT_EQ(seen({}, {0x02, 0x40, 0x0B, 0x1A, 0x0B}), 0u);
  EXPECT_EQ(seen({0x20, 0}, {0x41, 0, 0x1B, 0x1A, 0x0B}), 1u);
  EXPECT_EQ(seen({0x20, 0}, {0x9A, 0xA0, 0x1A, 0x0B}), 1u);  // negated: its sign could be asked for
}

TEST(Emit, ALongWayFromLocalToLocalTakesNoLongTime) {
  // local0 = local1; local1 = local2; ...; the last one = a sum, which is stored from local0. Thirty times.
  constexpr uint32_t kLocals = 4000;
  Bytes code;
  Writer w(code);
  for (int times = 0; times < 30; ++times) {
    for (uint32_t i = 0; i + 1 < kLocals; ++i) w.byte(kLocalGet).u32(i + 1).byte(kLocalSet).u32(i);
  }
  w.byte(kLocalGet).u32(0).byte(kLocalGet).u32(0).byte(0xA0).byte(kLocalSet).u32(kLocals - 1);
  w.byte(kI32Const).byte(0).byte(kLocalGet).u32(0).byte(0x39).byte(3).byte(0).byte(kEnd);
  EXPECT_EQ(count(accepted(with_code(code, {1, 0xA0, 0x1F, kD})).module, {0x44, 0, 0, 0, 0, 0, 0, 0xF8, 0x7F}), 1u);
}

/// The number of `v128.const` of the canonical NaN in lanes.
size_t lane_nans(const Rewritten& out) {
  return count(out.module, {0xFD, 0x0C, 0, 0, 0xC0, 0x7F, 0, 0, 0xC0, 0x7F}) +
         count(out.module, {0xFD, 0x0C, 0, 0, 0, 0, 0, 0, 0xF8, 0x7F, 0, 0, 0, 0, 0, 0, 0xF8, 0x7F});
}

TEST(Emit, VectorsAreMadeCanonicalLaneByLane) {
  constexpr uint8_t kV = 0x7B;
  const Bytes locals = {1, 2, kV};
  const auto nans = [&](Bytes code) { return lane_nans(accepted(with_code(std::move(code), locals))); };
  const Bytes store = {0x41, 0, 0x20, 0, 0xFD, 0x0B, 4, 0, 0x0B};
  // loop { local0 = local0 + local1; br_if local0 < local1 }: nothing sees the lanes.
  const Bytes sum = {0x20, 0, 0x20, 1, 0xFD, 0xE4, 0x01, 0x21, 0};
  const Bytes loop = {0x03, 0x40, 0x20, 0, 0x20, 1, 0xFD, 0xE4, 0x01, 0x22, 0, 0x20, 1, 0xFD, 0x43, 0xFD, 0x53, 0x0D, 0, 0x0B};
  const auto joined = [](Bytes a, const Bytes& b) {
    append(a, b);
    return a;
  };
  EXPECT_EQ(nans(joined(loop, {0x0B})), 0u);
  // Stored behind the loop: cleaned where it is read, once. local1 is never written, so it is a number.
  EXPECT_EQ(nans(joined(loop, store)), 1u);
  EXPECT_EQ(nans(joined(sum, store)), 1u);
  // Lanes of f32 that f64 arithmetic takes are bits to it.
  EXPECT_EQ(nans(joined(sum, {0x20, 0, 0x20, 1, 0xFD, 0xF0, 0x01, 0x1A, 0x0B})), 1u);
  EXPECT_EQ(nans(joined(sum, {0x20, 0, 0x20, 1, 0xFD, 0xE6, 0x01, 0x1A, 0x0B})), 0u);
  // promote takes them as what they are; pmin gives one operand's bits.
  EXPECT_EQ(nans(joined(sum, {0x20, 0, 0xFD, 0x5F, 0x1A, 0x0B})), 0u);
  EXPECT_EQ(nans(joined(sum, {0x20, 0, 0x20, 1, 0xFD, 0xEA, 0x01, 0x1A, 0x0B})), 1u);
  // A local that holds both shapes is seen by either.
  EXPECT_EQ(nans(joined(sum, {0x20, 1, 0x20, 1, 0xFD, 0xF0, 0x01, 0x21, 0, 0x20, 0, 0x20, 1, 0xFD, 0xE6, 0x01, 0x1A, 0x0B})), 2u);
}

TEST(Emit, BulkInstructionsAndTheirSegments) {
  TestModule module;
  module.function(0, {0x41, 0, 0x41, 0, 0x41, 1, 0xFC, 8, 0, 0, 0xFC, 9, 0, 0x0B});
  module.data = {{1, 2, 'h', 'i'}, {0, 0x41, 0, 0x0B, 1, 'x'}};
  module.data_count = 2;
  EXPECT_TRUE(accepted(module).needs_fresh_instance);
  module.functions.clear();
  module.function(0, {0x41, 0, 0x41, 0, 0x41, 1, 0xFC, 8, 0, 0, 0x0B});
  EXPECT_FALSE(accepted(module).needs_fresh_instance);
  module.data_count = -1;  // an index into what was not announced
  refused(module, Errc::kInvalid);
  module.data.clear();
  module.functions.clear();
  module.function(0, {0x41, 0, 0x41, 0, 0x41, 1, 0xFC, 12, 0, 0, 0xFC, 13, 0, 0x41, 0, 0x41, 0, 0x41, 1, 0xFC, 14, 0, 0, 0x0B});
  module.table = {0x70, 0, 4};
  module.elements = {{1, 0, 2, 0, 0}, {3, 0, 1, 0}};
  EXPECT_TRUE(accepted(module).needs_fresh_instance);
  accepted(with_code({0x41, 0, 0x41, 1, 0x41, 0, 0x1C, 1, kI, 0x1A, 0x0B}));  // select with its type
}

// --- which functions count and compare ---------------------------------------------------------------------------

std::vector<FunctionPlan> plans_of(const TestModule& module) {
  const Bytes bytes = module.build();
  const RewriteLimits limits;
  const auto parsed = parse_module(bytes, limits);
  EXPECT_TRUE(parsed.ok()) << parsed.error().message;
  std::vector<FunctionPlan> plans = validate_functions(*parsed, limits).value();
  EXPECT_TRUE(plan_entries(*parsed, plans).ok());
  return plans;
}

TEST(CallGraph, OnlyCyclesCountTheirFrames) {
  TestModule module;
  module.types = {{0x60, 0, 0}, {0x60, 1, kI, 0}, {0x60, 0, 0}};
  module.function(0, {0x10, 1, 0x0B});              // 0 calls 1
  module.function(0, {0x10, 2, 0x10, 3, 0x0B});     // 1 calls 2 and 3
  module.function(0, {0x10, 1, 0x0B});              // 2 calls 1: a cycle
  module.function(0, {0x0B});                       // 3
  module.function(0, {0x10, 4, 0x0B});              // 4 calls itself
  module.function(0, {0x41, 0, 0x11, 2, 0, 0x0B});  // 5 calls through the table what has a type like 0's: 6
  module.function(0, {0x10, 5, 0x0B});              // 6 calls 5: a cycle through the table
  module.function(1, {0x41, 0, 0x11, 0, 0, 0x0B});  // 7 calls through the table, but its own type is another
  module.table = {0x70, 0, 2};
  module.elements = {{0, 0x41, 0, 0x0B, 2, 6, 7}};
  accepted(module);
  const std::vector<FunctionPlan> plans = plans_of(module);
  const std::vector<bool> counted = {false, true, true, false, true, true, true, false};
  for (size_t i = 0; i < counted.size(); ++i) {
    EXPECT_EQ(plans[i].counts_depth, counted[i]) << i;
    EXPECT_EQ(plans[i].checks_entry, counted[i]) << i;
  }
}

TEST(CallGraph, LongChainsAreCounted) {
  TestModule module;
  // Each function calls the next; a frame takes 12 slots and 100 locals.
  for (uint8_t i = 0; i < 120; ++i) module.function(0, {0x10, uint8_t(i + 1), 0x0B}, {1, 100, kI});
  module.function(0, {0x0B});
  EXPECT_FALSE(plans_of(module)[0].counts_depth);
  for (TestFunction& f : module.functions) f.locals = {1, 0xE8, 0x07, kI};  // 1000
  const std::vector<FunctionPlan> plans = plans_of(module);
  EXPECT_TRUE(plans[0].counts_depth);
  EXPECT_TRUE(plans.back().counts_depth);  // calls nothing, but is large itself
}

TEST(CallGraph, WhatMayCostMuchIsCompared) {
  TestModule module;
  // A chain in which each function calls the next one twice: 2^i calls. In time it is too much to go on unseen.
  for (uint8_t i = 0; i < 30; ++i) module.function(0, {0x10, uint8_t(i + 1), 0x10, uint8_t(i + 1), 0x0B});
  module.function(0, {0x0B});
  const std::vector<FunctionPlan> plans = plans_of(module);
  uint64_t unchecked = 0, most = 0;
  for (size_t i = plans.size(); i-- > 0;) {
    unchecked = plans[i].cost_total + 2 * unchecked;
    most = std::max(most, unchecked);
    if (plans[i].checks_entry) unchecked = 0;
  }
  EXPECT_LE(most, 3 * kUncheckedCostMax);
  EXPECT_FALSE(plans.back().checks_entry);
  EXPECT_TRUE(std::any_of(plans.begin(), plans.end(), [](const FunctionPlan& plan) { return plan.checks_entry; }));
}

}  // namespace
}  // namespace selvedge::wasm
