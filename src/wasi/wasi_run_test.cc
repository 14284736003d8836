// The WASI functions without an engine: what each answers, and its bounds.
#include "wasi/wasi_run.h"

#include <gtest/gtest.h>

#include "codec/tar.h"

namespace selvedge::wasi {
namespace {

using enum wasm::WasiFunction;

constexpr uint64_t kRoot = 3;
constexpr uint64_t kAll = (1u << 29) - 1;
constexpr uint64_t kCreate = 1, kDirectory = 2, kExclusive = 4, kTruncate = 8;
constexpr uint64_t kPathAt = 0, kOtherAt = 2048, kAnswerAt = 4096, kPiecesAt = 4200, kDataAt = 8192;

class WasiRunTest : public testing::Test {
 protected:
  void start(std::vector<InputFile> files, uint64_t output_bytes_max = 1u << 20) {
    WasiInput input;
    input.args = {"program"};
    input.environment = {"LANG=C", "HOME=/tmp"};
    input.files = std::move(files);
    input.output_bytes_max = output_bytes_max;
    auto made = WasiRun::create(std::move(input));
    ASSERT_TRUE(made.ok()) << made.error().message;
    run_ = std::move(made).value();
  }
  Errno call(wasm::WasiFunction function, std::vector<uint64_t> args) {
    args.resize(wasm::kWasiArgsMax);
    NearMemory memory(memory_);
    const WasiAnswer answer = run_->call(function, args, memory, [this] { return fuel_; });
    fuel_ += answer.fuel;
    charged_ = answer.fuel;
    EXPECT_EQ(answer.ends, WasiAnswer::Ends::kNo);
    return answer.error;
  }
  uint64_t put(uint64_t at, std::string_view text) {
    std::copy(text.begin(), text.end(), memory_.begin() + ptrdiff_t(at));
    return text.size();
  }
  uint64_t get(uint64_t at, int bytes) const {
    uint64_t out = 0;
    for (int i = bytes; i-- > 0;) out = out << 8 | memory_[size_t(at) + size_t(i)];
    return out;
  }
  Errno open(std::string_view path, uint64_t how = 0, uint64_t rights = kAll, uint64_t fd = kRoot) {
    return call(kPathOpen, {fd, 0, kPathAt, put(kPathAt, path), how, rights, kAll, 0, kAnswerAt});
  }
  uint64_t opened() const { return get(kAnswerAt, 4); }
  Errno on_path(wasm::WasiFunction function, std::string_view path) { return call(function, {kRoot, kPathAt, put(kPathAt, path)}); }
  Errno rename(std::string_view from, std::string_view to, uint64_t to_fd = kRoot) {
    const uint64_t size = put(kPathAt, from);
    return call(kPathRename, {kRoot, kPathAt, size, to_fd, kOtherAt, put(kOtherAt, to)});
  }
  Errno write(uint64_t fd, std::string_view text) {
    pieces(text.size());
    put(kDataAt, text);
    return call(kFdWrite, {fd, kPiecesAt, 1, kAnswerAt});
  }
  std::string read(uint64_t fd, uint64_t size) {
    pieces(size);
    EXPECT_EQ(call(kFdRead, {fd, kPiecesAt, 1, kAnswerAt}), Errno::kSuccess);
    return {memory_.begin() + kDataAt, memory_.begin() + kDataAt + ptrdiff_t(opened())};
  }
  void pieces(uint64_t size) {
    for (int i = 0; i < 4; ++i) {
      memory_[size_t(kPiecesAt) + size_t(i)] = uint8_t(kDataAt >> (8 * i));
      memory_[size_t(kPiecesAt) + 4 + size_t(i)] = uint8_t(size >> (8 * i));
    }
  }
  std::vector<std::string> list(uint64_t fd, uint64_t at_once = 4096) {
    std::vector<std::string> out;
    uint64_t cookie = 0;
    for (;;) {
      EXPECT_EQ(call(kFdReaddir, {fd, kDataAt, at_once, cookie, kAnswerAt}), Errno::kSuccess);
      const uint64_t used = get(kAnswerAt, 4);
      uint64_t at = 0;
      while (at + 24 <= used && at + 24 + get(kDataAt + at + 16, 4) <= used) {
        const uint64_t size = get(kDataAt + at + 16, 4);
        cookie = get(kDataAt + at, 8);
        out.emplace_back(memory_.begin() + ptrdiff_t(kDataAt + at + 24), memory_.begin() + ptrdiff_t(kDataAt + at + 24 + size));
        at += 24 + size;
      }
      if (used < at_once) return out;
    }
  }

  Bytes memory_ = Bytes(1 << 20);
  std::unique_ptr<WasiRun> run_;
  uint64_t fuel_ = 0, charged_ = 0;
};

std::vector<InputFile> two_files() { return {{"in/b", to_bytes(view("second"))}, {"in/a", to_bytes(view("first"))}}; }

// req: D4
TEST_F(WasiRunTest, InputsAreThereAndCannotBeChanged) {
  start(two_files());
  ASSERT_EQ(open("in/a", 0, kAll & ~(uint64_t(1) << 6 | uint64_t(1) << 8 | uint64_t(1) << 22)), Errno::kSuccess);
  EXPECT_EQ(opened(), 4u);
  EXPECT_EQ(read(4, 3), "fir");
  EXPECT_EQ(read(4, 9), "st");
  EXPECT_EQ(write(4, "x"), Errno::kBadFd);
  EXPECT_EQ(open("in/a"), Errno::kReadOnly);
  EXPECT_EQ(open("in/a", kTruncate, 2), Errno::kReadOnly);
  EXPECT_EQ(open("in/c", kCreate), Errno::kReadOnly);
  EXPECT_EQ(open("c", kCreate), Errno::kReadOnly);
  EXPECT_EQ(on_path(kPathUnlinkFile, "in/a"), Errno::kReadOnly);
  EXPECT_EQ(on_path(kPathRemoveDirectory, "out"), Errno::kReadOnly);
  EXPECT_EQ(on_path(kPathCreateDirectory, "in/d"), Errno::kReadOnly);
  EXPECT_EQ(rename("in/a", "out/a"), Errno::kReadOnly);
  EXPECT_FALSE(run_->files().has_output());
}

TEST_F(WasiRunTest, NoPathLeavesItsDirectory) {
  start(two_files());
  EXPECT_EQ(open(".."), Errno::kNotCapable);
  EXPECT_EQ(open("in/../.."), Errno::kNotCapable);
  EXPECT_EQ(open("/in/a"), Errno::kNotCapable);
  EXPECT_EQ(open("in/../in/./a", 0, 2), Errno::kSuccess);
  EXPECT_EQ(open("in/a/.."), Errno::kNotDirectory);
  EXPECT_EQ(open("nowhere/.."), Errno::kNoEntry);
  EXPECT_EQ(open("in/a/", 0, 2), Errno::kNotDirectory);
  EXPECT_EQ(open(""), Errno::kNoEntry);
  EXPECT_EQ(open(std::string_view("a\0b", 3)), Errno::kInval);
  ASSERT_EQ(open("in", kDirectory), Errno::kSuccess);
  const uint64_t in = opened();
  EXPECT_EQ(open("../in/a", 0, 2, in), Errno::kNotCapable);
  EXPECT_EQ(open("a", 0, 2, in), Errno::kSuccess);
  EXPECT_EQ(open("a", 0, 2, 77), Errno::kBadFd);
  EXPECT_EQ(open("a", 0, 2, 0), Errno::kNotDirectory);
}

TEST_F(WasiRunTest, WhatIsLeftInOutIsTheOutput) {
  start({});
  ASSERT_EQ(on_path(kPathCreateDirectory, "out/d"), Errno::kSuccess);
  ASSERT_EQ(open("out/d/x", kCreate | kExclusive), Errno::kSuccess);
  const uint64_t fd = opened();
  EXPECT_EQ(open("out/d/x", kCreate | kExclusive), Errno::kExists);
  EXPECT_EQ(write(fd, "hello"), Errno::kSuccess);
  EXPECT_EQ(call(kFdSeek, {fd, uint64_t(-3), 1, kAnswerAt}), Errno::kSuccess);
  EXPECT_EQ(get(kAnswerAt, 8), 2u);
  EXPECT_EQ(write(fd, "LL"), Errno::kSuccess);
  EXPECT_EQ(call(kFdSeek, {fd, uint64_t(-9), 0, kAnswerAt}), Errno::kInval);
  ASSERT_EQ(open("tmp/gone", kCreate), Errno::kSuccess);
  EXPECT_EQ(write(opened(), "not seen"), Errno::kSuccess);
  EXPECT_EQ(write(1, "said"), Errno::kSuccess);
  EXPECT_EQ(rename("out/d/x", "out/d/y"), Errno::kSuccess);
  const Bytes output = run_->take_output().value();
  const auto entries = codec::read_tar(output).value();
  ASSERT_EQ(entries.size(), 3u);
  EXPECT_EQ(entries[0].path, "out/d");
  EXPECT_EQ(entries[1].path, "out/d/y");
  EXPECT_EQ(to_string(entries[1].content), "heLLo");
  EXPECT_EQ(entries[2].path, "stdout");
  EXPECT_EQ(to_string(entries[2].content), "said");
}

TEST_F(WasiRunTest, WithoutFilesTheOutputIsStandardOutput) {
  start({});
  EXPECT_EQ(write(1, "said"), Errno::kSuccess);
  ASSERT_EQ(open("out/x", kCreate), Errno::kSuccess);
  EXPECT_EQ(on_path(kPathUnlinkFile, "out/x"), Errno::kSuccess);
  // What is unlinked and open is still there for its descriptor.
  EXPECT_EQ(write(4, "lost"), Errno::kSuccess);
  EXPECT_EQ(run_->files().usage().bytes, 4u);
  EXPECT_EQ(call(kFdClose, {4}), Errno::kSuccess);
  EXPECT_EQ(run_->files().usage().bytes, 0u);
  EXPECT_EQ(run_->files().usage().files, 0u);
  EXPECT_EQ(to_string(run_->take_output().value()), "said");
}

// req: D4
TEST_F(WasiRunTest, EntriesAreSortedWhateverTheOrderOfTheTask) {
  start(two_files());
  ASSERT_EQ(open("in", kDirectory), Errno::kSuccess);
  EXPECT_EQ(list(4), (std::vector<std::string>{".", "..", "a", "b"}));
  // A buffer for little more than one entry gives the same list.
  EXPECT_EQ(list(4, 30), (std::vector<std::string>{".", "..", "a", "b"}));
  EXPECT_EQ(list(kRoot), (std::vector<std::string>{".", "..", "in", "out", "tmp"}));
  const uint64_t size = put(kPathAt, "in/b");
  ASSERT_EQ(call(kPathFilestatGet, {kRoot, 0, kPathAt, size, kAnswerAt}), Errno::kSuccess);
  const uint64_t inode = get(kAnswerAt + 8, 8);
  EXPECT_EQ(get(kAnswerAt + 16, 1), 4u);
  EXPECT_EQ(get(kAnswerAt + 32, 8), 6u);
  std::vector<InputFile> turned = two_files();
  std::swap(turned[0], turned[1]);
  start(std::move(turned));
  ASSERT_EQ(call(kPathFilestatGet, {kRoot, 0, kPathAt, size, kAnswerAt}), Errno::kSuccess);
  EXPECT_EQ(get(kAnswerAt + 8, 8), inode);
}

TEST_F(WasiRunTest, RemovingWhileReadingADirectoryMissesNothing) {
  start({});
  for (const char* name : {"out/1", "out/2", "out/3"}) ASSERT_EQ(open(name, kCreate), Errno::kSuccess);
  ASSERT_EQ(open("out", kDirectory), Errno::kSuccess);
  const uint64_t fd = opened();
  uint64_t cookie = 0;
  std::string seen;
  for (int i = 0; i < 5; ++i) {
    ASSERT_EQ(call(kFdReaddir, {fd, kDataAt, 26, cookie, kAnswerAt}), Errno::kSuccess);
    cookie = get(kDataAt, 8);
    const std::string name(memory_.begin() + kDataAt + 24, memory_.begin() + kDataAt + 24 + ptrdiff_t(get(kDataAt + 16, 4)));
    seen += name + " ";
    if (name[0] != '.') {
      EXPECT_EQ(on_path(kPathUnlinkFile, "out/" + name), Errno::kSuccess);
    }
  }
  EXPECT_EQ(seen, ". .. 1 2 3 ");
}

TEST_F(WasiRunTest, ScratchIsBounded) {
  start({});
  ASSERT_EQ(open("tmp/x", kCreate), Errno::kSuccess);
  const uint64_t fd = opened();
  EXPECT_EQ(call(kFdFilestatSetSize, {fd, kScratchBytesMax + 1}), Errno::kNoSpace);
  EXPECT_EQ(call(kFdAllocate, {fd, UINT64_MAX, 2}), Errno::kNoSpace);
  EXPECT_EQ(call(kFdFilestatSetSize, {fd, kScratchBytesMax}), Errno::kSuccess);
  EXPECT_EQ(charged_, kScratchBytesMax / 8);
  ASSERT_EQ(open("tmp/y", kCreate), Errno::kSuccess);
  EXPECT_EQ(write(opened(), "x"), Errno::kNoSpace);
  EXPECT_EQ(call(kFdFilestatSetSize, {fd, 0}), Errno::kSuccess);
  EXPECT_EQ(write(5, "x"), Errno::kSuccess);
  // Far behind the end: refused, not filled.
  EXPECT_EQ(call(kFdSeek, {fd, uint64_t(1) << 60, 0, kAnswerAt}), Errno::kSuccess);
  EXPECT_EQ(write(fd, "x"), Errno::kTooBig);
  // Files, names, descriptors.
  EXPECT_EQ(open("tmp/" + std::string(codec::kTarNameMax + 1, 'n'), kCreate), Errno::kNameTooLong);
  EXPECT_EQ(open(std::string(kPathBytesMax + 1, '.')), Errno::kNameTooLong);
  EXPECT_EQ(open("tmp/\xff", kCreate), Errno::kBadName);
  Errno error = Errno::kSuccess;
  size_t made = 2;
  for (; error == Errno::kSuccess; ++made) {
    error = open("tmp/" + std::to_string(made), kCreate);
    if (error == Errno::kSuccess) {
      EXPECT_EQ(call(kFdClose, {opened()}), Errno::kSuccess);
    }
  }
  EXPECT_EQ(error, Errno::kNoSpace);
  EXPECT_EQ(made, kScratchFilesMax + 1);
  size_t open_files = 6;
  while (open("tmp/y") == Errno::kSuccess) ++open_files;
  EXPECT_EQ(open_files, kDescriptorsMax);
  EXPECT_EQ(open("tmp/y"), Errno::kManyOpen);
}

TEST_F(WasiRunTest, OutputIsBounded) {
  start({}, 4096);
  ASSERT_EQ(open("out/x", kCreate), Errno::kSuccess);
  EXPECT_EQ(write(4, std::string(2048, 'x')), Errno::kSuccess);
  EXPECT_EQ(run_->take_output().value().size(), 512u + 2048 + 1024);
  EXPECT_EQ(write(4, std::string(2048, 'x')), Errno::kSuccess);
  EXPECT_EQ(run_->take_output().code(), Errc::kLimit);
  // A path that no archive carries.
  start({});
  std::string path = "out";
  for (int i = 0; i < 4; ++i) ASSERT_EQ(on_path(kPathCreateDirectory, path += "/" + std::string(50, 'd')), Errno::kSuccess);
  EXPECT_EQ(run_->take_output().code(), Errc::kLimit);
}

TEST_F(WasiRunTest, ADirectoryCannotMoveIntoItself) {
  start({});
  for (const char* name : {"out/a", "out/a/b", "out/e"}) ASSERT_EQ(on_path(kPathCreateDirectory, name), Errno::kSuccess);
  EXPECT_EQ(rename("out/a", "out/a/b/c"), Errno::kInval);
  // Nor by way of a descriptor further down.
  ASSERT_EQ(open("out/a/b", kDirectory), Errno::kSuccess);
  EXPECT_EQ(rename("out/a", "c", opened()), Errno::kInval);
  EXPECT_EQ(rename("out/a", "out/e"), Errno::kSuccess);
  EXPECT_EQ(rename("out/e/b", "out/e"), Errno::kNotEmpty);
  EXPECT_EQ(on_path(kPathRemoveDirectory, "out/e"), Errno::kNotEmpty);
  EXPECT_EQ(on_path(kPathUnlinkFile, "out/e"), Errno::kIsDirectory);
  EXPECT_EQ(run_->files().usage().files, 2u);
}

TEST_F(WasiRunTest, SleepingMovesTheClockAndNothingElse) {
  start({});
  const auto now = [this] {
    EXPECT_EQ(call(kClockTimeGet, {1, 0, kAnswerAt}), Errno::kSuccess);
    return get(kAnswerAt, 8);
  };
  const uint64_t before = now();
  // Two clocks, 5 s and 3 s from now: the nearer one fires alone.
  std::fill_n(memory_.begin(), 96, uint8_t(0));
  const auto number = [this](uint64_t at, uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) memory_[size_t(at) + size_t(i)] = uint8_t(value >> (8 * i));
  };
  number(0, 11, 8), number(16, 1, 4), number(24, 5'000'000'000, 8);
  number(48, 22, 8), number(64, 1, 4), number(72, 3'000'000'000, 8);
  ASSERT_EQ(call(kPollOneoff, {0, kDataAt, 2, kAnswerAt}), Errno::kSuccess);
  EXPECT_EQ(get(kAnswerAt, 4), 1u);
  EXPECT_EQ(get(kDataAt, 8), 22u);
  EXPECT_EQ(now() - before, 3'000'000'000u);
  // Until a time that has passed; and for longer than there are numbers.
  number(24, 1, 8), number(40, 1, 2);
  ASSERT_EQ(call(kPollOneoff, {0, kDataAt, 1, kAnswerAt}), Errno::kSuccess);
  EXPECT_EQ(now() - before, 3'000'000'000u);
  number(24, UINT64_MAX, 8), number(40, 0, 2);
  for (int i = 0; i < 3; ++i) ASSERT_EQ(call(kPollOneoff, {0, kDataAt, 1, kAnswerAt}), Errno::kSuccess);
  EXPECT_EQ(now(), uint64_t(1) << 61);
  number(16, 9, 4);
  ASSERT_EQ(call(kPollOneoff, {0, kDataAt, 1, kAnswerAt}), Errno::kSuccess);
  EXPECT_EQ(get(kDataAt + 8, 2), uint64_t(Errno::kInval));
}

TEST_F(WasiRunTest, WhatReachesOutsideIsRefusedByName) {
  start({});
  for (const auto function : {kPathLink, kPathSymlink, kProcRaise, kSockAccept, kSockRecv, kSockSend, kSockShutdown, kFdFdstatSetRights}) {
    EXPECT_EQ(call(function, {kRoot}), Errno::kNoSystemCall) << wasm::wasi_name(function);
  }
  EXPECT_EQ(call(kPathReadlink, {kRoot, kPathAt, put(kPathAt, "out"), kDataAt, 100, kAnswerAt}), Errno::kInval);
}

TEST_F(WasiRunTest, EveryPointerIsChecked) {
  start(two_files());
  ASSERT_EQ(open("out/x", kCreate), Errno::kSuccess);
  const uint64_t end = memory_.size();
  for (size_t f = 0; f < wasm::kWasiFunctions; ++f) {
    const auto function = wasm::WasiFunction(f);
    if (function == kProcExit) continue;
    for (const uint64_t bad : {end - 1, end, uint64_t(UINT32_MAX)}) {
      std::vector<uint64_t> args(wasm::kWasiArgsMax, bad);
      args[0] = std::string_view(wasm::wasi_name(function)).starts_with("path_") ? kRoot : 4;
      (void)call(function, args);   // with the sanitizers: nothing outside is touched
      args[0] = bad;
      (void)call(function, args);
    }
  }
  EXPECT_EQ(call(kPathOpen, {kRoot, 0, end - 2, 3, 0, kAll, kAll, 0, kAnswerAt}), Errno::kFault);
  EXPECT_EQ(call(kFdReaddir, {kRoot, end - 2, 3, 0, kAnswerAt}), Errno::kFault);
  EXPECT_EQ(call(kFdPrestatGet, {kRoot, end - 2}), Errno::kFault);
}

TEST_F(WasiRunTest, TheEnvironmentIsTheTasks) {
  start({});
  ASSERT_EQ(call(kEnvironSizesGet, {kAnswerAt, kAnswerAt + 4}), Errno::kSuccess);
  EXPECT_EQ(get(kAnswerAt, 4), 2u);
  EXPECT_EQ(get(kAnswerAt + 4, 4), 17u);
  ASSERT_EQ(call(kEnvironGet, {kAnswerAt, kDataAt}), Errno::kSuccess);
  EXPECT_EQ(std::string(memory_.begin() + kDataAt, memory_.begin() + kDataAt + 17), std::string("LANG=C\0HOME=/tmp\0", 17));
}

TEST_F(WasiRunTest, InputsThatMakeNoSenseAreNotLaidOut) {
  const auto code = [](std::vector<InputFile> files) { return FileTree::create(files).code(); };
  EXPECT_EQ(code({{"/a", {}}}), Errc::kInvalid);
  EXPECT_EQ(code({{"../a", {}}}), Errc::kInvalid);
  EXPECT_EQ(code({{"a", {}}, {"a", {}}}), Errc::kInvalid);
  EXPECT_EQ(code({{"a", {}}, {"a/b", {}}}), Errc::kInvalid);
  EXPECT_EQ(code({{"out", {}}}), Errc::kInvalid);
  EXPECT_EQ(code({{"tmp/x", {}}}), Errc::kInvalid);
  EXPECT_EQ(code({{"a/", to_bytes(view("no archive"))}}), Errc::kInvalid);
  const Bytes archive = codec::write_tar({{"x", false, view("1")}, {"y/z", false, view("2")}});
  EXPECT_TRUE(FileTree::create(std::vector<InputFile>{{"a/", archive}, {"b/c/", archive}, {"/", archive}}).ok());
  EXPECT_EQ(code({{"/", archive}, {"x", {}}}), Errc::kInvalid);
}

}  // namespace
}  // namespace selvedge::wasi
