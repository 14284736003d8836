#include "codec/tar.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

namespace selvedge::codec {
namespace {

constexpr size_t kBlock = 512;

TEST(TarTest, TheSameTreeIsTheSameBytes) {
  const Bytes archive = write_tar({{"b", false, view("second")}, {"a/c", false, view("first")}, {"a", true}});
  EXPECT_EQ(archive, write_tar({{"a", true}, {"a/c", false, view("first")}, {"b", false, view("second")}}));
  ASSERT_EQ(archive.size(), kBlock * 7);
  const auto read = read_tar(archive);
  ASSERT_TRUE(read.ok()) << read.error().message;
  ASSERT_EQ(read->size(), 3u);
  EXPECT_TRUE((*read)[0].directory);
  EXPECT_EQ((*read)[1].path, "a/c");
  EXPECT_EQ(to_string((*read)[1].content), "first");
  EXPECT_EQ(to_string((*read)[2].content), "second");
}

TEST(TarTest, EveryPathWithinTheBoundsFits) {
  for (size_t size = 1; size <= kTarPathMax; ++size) {
    for (const size_t name : {size_t(1), size_t(50), kTarNameMax}) {
      std::string path;
      while (path.size() < size) path += path.size() % (name + 1) == name && path.size() + 1 < size ? '/' : 'x';
      if (!check_tar_path(path).ok()) continue;  // the last component grew beyond the bound
      const Bytes archive = write_tar({{path, false, view("x")}});
      const auto read = read_tar(archive);
      ASSERT_TRUE(read.ok() && read->size() == 1) << path;
      EXPECT_EQ((*read)[0].path, path);
    }
  }
}

// The system's tar lists what we wrote, and what it wrote is read.
TEST(TarTest, OtherToolsAgree) {
  std::string folder = ::testing::TempDir() + "selvedge-tar-XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  const std::string dir = folder, ours = dir + "/ours.tar", theirs = dir + "/theirs.tar";
  const std::string deep = std::string(60, 'd') + "/" + std::string(90, 'f');
  const Bytes archive = write_tar({{"a", true}, {"a/b.txt", false, view("hello\n")}, {deep, false, view("deep")}});
  FILE* file = std::fopen(ours.c_str(), "wb");
  ASSERT_NE(file, nullptr);
  std::fwrite(archive.data(), 1, archive.size(), file);
  std::fclose(file);
  const auto run = [](const std::string& command) { return std::system(command.c_str()); };
  EXPECT_EQ(run("cd " + dir + " && tar xf ours.tar && test \"$(cat a/b.txt)\" = hello && test \"$(cat " + deep + ")\" = deep"), 0);
  EXPECT_EQ(run("cd " + dir + " && tar --format=ustar -cf theirs.tar ./a " + deep), 0);
  file = std::fopen(theirs.c_str(), "rb");
  ASSERT_NE(file, nullptr);
  Bytes bytes(1 << 16);
  bytes.resize(std::fread(bytes.data(), 1, bytes.size(), file));
  std::fclose(file);
  const auto read = read_tar(bytes);
  ASSERT_TRUE(read.ok()) << read.error().message;
  ASSERT_EQ(read->size(), 3u);
  EXPECT_EQ((*read)[1].path, "a/b.txt");
  EXPECT_EQ((*read)[2].path, deep);
  EXPECT_EQ(run("rm -r " + dir), 0);
}

TEST(TarTest, SaysWhyItRefuses) {
  const Bytes good = write_tar({{"a", false, view("x")}});
  Bytes damaged = good;
  damaged[0] ^= 1;
  EXPECT_EQ(read_tar(damaged).code(), Errc::kInvalid);
  EXPECT_EQ(read_tar(ByteView(good).first(kBlock)).code(), Errc::kInvalid);
  EXPECT_EQ(read_tar(ByteView(good).first(good.size() - kBlock)).code(), Errc::kInvalid);
  EXPECT_EQ(read_tar(Bytes()).code(), Errc::kInvalid);
  Bytes more = good;
  more.back() = 1;
  EXPECT_EQ(read_tar(more).code(), Errc::kInvalid);
  // A header of another kind, or with another path, its checksum put right.
  const auto changed = [&good](size_t at, std::string_view text) {
    Bytes out = good;
    std::copy(text.begin(), text.end(), out.begin() + ptrdiff_t(at));
    std::fill_n(out.begin() + 148, 8, uint8_t(' '));
    unsigned sum = 0;
    for (size_t i = 0; i < kBlock; ++i) sum += out[i];
    char digits[8];
    std::snprintf(digits, sizeof digits, "%06o", sum);
    std::copy_n(digits, 7, out.begin() + 148);
    return read_tar(out).code();
  };
  EXPECT_EQ(changed(156, "2"), Errc::kUnsupported);  // a symbolic link
  EXPECT_EQ(changed(156, "1"), Errc::kUnsupported);  // a hard link
  EXPECT_EQ(changed(156, "x"), Errc::kUnsupported);  // pax
  EXPECT_EQ(changed(257, "gnu"), Errc::kUnsupported);
  EXPECT_EQ(changed(124, "zzz"), Errc::kInvalid);
  EXPECT_EQ(changed(124, "77777777777"), Errc::kInvalid);
  for (const char* path : {"/a", "..", "a/../b", "../a", "a//b"}) EXPECT_EQ(changed(0, path), Errc::kInvalid) << path;
  EXPECT_EQ(read_tar(write_tar({{"a", false, {}}, {"b", false, {}}}), 1).code(), Errc::kLimit);
}

TEST(TarTest, PathsAreRelativeAndPlain) {
  EXPECT_TRUE(check_tar_path("a/b.c").ok());
  EXPECT_TRUE(check_tar_path("Grüße").ok());
  for (const char* path : {"", "/", "/a", "a/", "a//b", ".", "a/.", "..", "a/..", "a\nb", "\x7f", "\xff"}) {
    EXPECT_EQ(check_tar_path(path).code(), Errc::kInvalid) << path;
  }
  EXPECT_EQ(check_tar_path(std::string(kTarNameMax + 1, 'a')).code(), Errc::kLimit);
  EXPECT_EQ(check_tar_path(std::string(90, 'a') + "/" + std::string(90, 'a')).code(), Errc::kLimit);
}

}  // namespace
}  // namespace selvedge::codec
