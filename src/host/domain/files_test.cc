// Files through real processes: what a task gives, what it gets back, and that nothing of it is left for the next.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <optional>

#include "codec/tar.h"
#include "host/domain/domain_pool.h"
#include "host/loop/loop.h"

namespace selvedge::host {
namespace {

class Files : public testing::Test {
 protected:
  Files() : loop_(1), pool_(loop_, std::string(SELVEDGE_BIN_DIR) + "/selvedge-domain", DomainClass::kOrdinary) {}

  std::shared_ptr<const wasm::Rewritten> guest(const std::string& name) {
    std::ifstream in(std::string(SELVEDGE_BIN_DIR) + "/../guests/" + name + ".wasm", std::ios::binary);
    auto rewritten = wasm::rewrite(Bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>()));
    EXPECT_TRUE(rewritten.ok()) << rewritten.error().message;
    return std::make_shared<const wasm::Rewritten>(std::move(rewritten).value());
  }
  DomainTask task(std::vector<std::string> args, std::vector<DomainFile> files = {}) {
    DomainTask out;
    out.module = files_;
    out.args = {"files"};
    out.args.insert(out.args.end(), args.begin(), args.end());
    out.files = std::move(files);
    out.fuel_limit = 1'000'000'000;
    out.memory_bytes = 64u << 20;
    return out;
  }
  DomainOutcome run(DomainTask what) {
    std::optional<DomainOutcome> answer;
    pool_.run(1, std::move(what), [&](DomainOutcome out) {
      answer = std::move(out);
      loop_.stop();
    });
    loop_.run();
    return answer.value_or(DomainOutcome());
  }
  std::string text(const DomainOutcome& out) {
    EXPECT_EQ(out.end, DomainEnd::kExited) << out.message;
    return to_string(out.output);
  }

  Loop loop_;
  DomainPool pool_;
  std::shared_ptr<const wasm::Rewritten> files_ = guest("files");
};

// req: D4
TEST_F(Files, TwoRunsAreOneTraceAndWhatTheTaskGivesIsInIt) {
  const std::vector<std::string> args = {"list", "/", "read", "in/a", "write", "/out/x", "made", "size", "/out/x", "sleep", "3", "env", "LANG"};
  const auto make = [&] {
    DomainTask out = task(args, {{"in/a", to_bytes(view("content"))}});
    out.environment = {"LANG=C"};
    return out;
  };
  const DomainOutcome first = run(make());
  ASSERT_EQ(first.end, DomainEnd::kExited) << first.message;
  const auto entries = codec::read_tar(first.output).value();
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(to_string(entries[0].content), "made");
  EXPECT_EQ(to_string(entries[1].content),
            "/: ./ ../ in/ out/ tmp/\nin/a: content\n/out/x: ok\n/out/x: file 4 bytes inode 6 time 1577836800\nslept 3, 3 passed\nLANG=C\n");
  const int process = pool_.process_of(1);
  const DomainOutcome again = run(make());
  EXPECT_EQ(pool_.process_of(1), process);
  EXPECT_EQ(again.trace, first.trace);
  EXPECT_EQ(again.output, first.output);
  EXPECT_EQ(again.fuel, first.fuel);
  DomainTask other = make();
  other.files[0].path = "in/b";
  EXPECT_NE(run(other).trace, first.trace);
  other = make();
  other.files[0].content[0] ^= 1;
  EXPECT_NE(run(other).trace, first.trace);
  other = make();
  other.environment = {"LANG=D"};
  EXPECT_NE(run(other).trace, first.trace);
}

// req: D2
TEST_F(Files, TheNextTaskFindsNoFileOfTheOneBefore) {
  DomainTask secret = task({"write", "/tmp/kept", "secret", "write", "/out/kept", "secret", "mkdir", "/out/d"}, {{"in/secret", to_bytes(view("secret"))}});
  ASSERT_EQ(run(secret).end, DomainEnd::kExited);
  const int process = pool_.process_of(1);
  EXPECT_EQ(text(run(task({"list", "/", "list", "/tmp", "list", "/out", "read", "in/secret"}))), "/: ./ ../ out/ tmp/\n/tmp: ./ ../\n/out: ./ ../\nin/secret: ENOENT\n");
  EXPECT_EQ(pool_.process_of(1), process);
}

TEST_F(Files, WhatCannotBeDoneIsNamed) {
  const Bytes tree = codec::write_tar({{"x", false, view("1")}, {"sub/y", false, view("2")}});
  const std::vector<DomainFile> files = {{"a.txt", to_bytes(view("text"))}, {"in/", tree}};
  EXPECT_EQ(text(run(task({"read", "in/sub/y", "write", "a.txt", "no", "remove", "in/x", "read", "../etc/passwd", "read", "/etc/passwd", "read", "out/../a.txt",
                           "link", "a.txt", "out/link", "rename", "a.txt", "/out/a", "read", "in", "rmdir", "/out"}, files))),
            "in/sub/y: 2\na.txt: EROFS\nin/x: EROFS\n../etc/passwd: ENOTCAPABLE\n/etc/passwd: ENOENT\nout/../a.txt: text\na.txt: ENOSYS\na.txt: EROFS\nin: \n"
            "/out: EROFS\n");
  const std::string long_name = "/tmp/" + std::string(100, 'n');
  EXPECT_EQ(text(run(task({"fill", "/tmp/big", "40000000", "many", "/tmp", "5000", "write", long_name, "x"}))),
            "/tmp/big: ENOSPC after 33554432\n/tmp: 4095 files, then ENOSPC\n" + long_name + ": ENAMETOOLONG\n");
}

TEST_F(Files, OutputsAndInputsBeyondTheirLimits) {
  DomainTask large = task({"fill", "/out/big", "2000000"});
  large.output_bytes_max = 1u << 20;
  const DomainOutcome out = run(large);
  EXPECT_EQ(out.end, DomainEnd::kOutputTooLarge) << out.message;
  EXPECT_FALSE(out.trace.is_zero());
  const auto refused = [this](DomainTask what, std::string_view why) {
    const DomainOutcome answer = run(std::move(what));
    EXPECT_EQ(answer.end, DomainEnd::kRefused);
    EXPECT_NE(answer.message.find(why), std::string::npos) << answer.message;
  };
  refused(task({}, {{"in/", to_bytes(view("no archive"))}}), "no tar archive");
  refused(task({}, {{"../x", {}}}), "absolute");
  refused(task({}, std::vector<DomainFile>(kDomainFilesMax + 1, {"x", {}})), "more than 256 files");
  DomainTask odd = task({});
  odd.environment = {"no value"};
  refused(odd, "NAME=value");
  // The process is still good for another task.
  EXPECT_EQ(text(run(task({"list", "/tmp"}))), "/tmp: ./ ../\n");
}

// Reading a file again and again is paid for: the limit stops it at the same place every time.
TEST_F(Files, BytesOfFilesCostFuel) {
  const auto fuel_of = [this](size_t bytes) {
    std::vector<DomainFile> files = {{"a", Bytes(bytes, 'x')}};
    return run(task({"read", "a"}, std::move(files))).fuel;
  };
  EXPECT_GE(fuel_of(200), fuel_of(100) + 12);
  DomainTask limited = task({"fill", "/tmp/a", "8000000"});
  limited.fuel_limit = 500'000;
  const DomainOutcome first = run(limited), second = run(limited);
  EXPECT_EQ(first.end, DomainEnd::kOutOfFuel);
  EXPECT_EQ(first.fuel, 500'000u);
  EXPECT_EQ(first.trace, second.trace);
}

// C++ with containers, streams and files.
TEST_F(Files, CxxRunsUnmodified) {
  DomainTask words = task({"text.txt"}, {{"text.txt", to_bytes(view("the cat and The dog and the bird"))}});
  words.module = guest("words");
  words.args = {"words", "text.txt"};
  const DomainOutcome out = run(words);
  ASSERT_EQ(out.end, DomainEnd::kExited) << out.message;
  const auto entries = codec::read_tar(out.output).value();
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(to_string(entries[0].content), "3 the\n2 and\n1 bird\n1 cat\n1 dog\n");
  EXPECT_EQ(to_string(entries[1].content), to_string(entries[0].content));
}

}  // namespace
}  // namespace selvedge::host
