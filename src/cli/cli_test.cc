#include <gtest/gtest.h>

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "cli/answers.h"
#include "cli/exit_code.h"
#include "cli/files.h"
#include "cli/native_stats.h"
#include "cli/terminal.h"

namespace selvedge::cli {

namespace fs = std::filesystem;

std::string content_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Every error has a documented exit code, and the documents show the very table that the command prints.
TEST(ExitCodes, AreTheDocumentedOnes) {
  const std::string table = exit_code_table();
  std::map<std::string, int> documented;
  std::istringstream lines(table);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    int number = 0;
    words >> number;
    for (std::string word; words >> word;) documented.emplace(word.substr(0, word.find(',')), number);
  }
  for (int code = int(Errc::kInvalid); code <= int(Errc::kInternal); ++code) {
    const Errc errc = Errc(code);
    EXPECT_GT(exit_code(errc), 1) << errc_name(errc);
    EXPECT_EQ(documented[errc_name(errc)], exit_code(errc)) << errc_name(errc);
  }
  EXPECT_NE(content_of(SELVEDGE_SOURCE_DIR "/docs/api.md").find(table), std::string::npos) << "docs/api.md must show:\n" << table;
}

TEST(Json, ReadsWhatIsThereAndNothingElse) {
  const Json json = *Json::parse(R"({"a":[1,{"b":"x"}],"n":null,"t":true,"neg":-1})");
  EXPECT_EQ(json.at("a").size(), 2u);
  EXPECT_EQ(json.at("a").item(0).number(), 1u);
  EXPECT_EQ(json.at("a").item(1).at("b").text(), "x");
  EXPECT_TRUE(json.at("n").is_null());
  EXPECT_TRUE(json.at("missing").at("deeper").item(3).is_null());
  EXPECT_TRUE(json.at("t").flag());
  EXPECT_EQ(json.at("neg").number(), 0u);
  EXPECT_EQ(json.at("a").text(), "");
  EXPECT_FALSE(Json::parse("{").ok());
}

TEST(Json, RecordsEscapeText) {
  const std::string json = Record().text("a\"b", "x\n\"\x01").number("n", 3).flag("f", false).decimal("d", 1.5).json();
  const Json back = *Json::parse(json);
  EXPECT_EQ(back.at("a\"b").text(), "x\n\"\x01");
  EXPECT_EQ(back.at("n").number(), 3u);
  EXPECT_EQ(json.find('\n'), std::string::npos);
}

TEST(Answers, ReadBackWhatTheNodeWrites) {
  node::ReceiptsAnswer wrote;
  node::ReceiptInfo info;
  info.accepted = true;
  info.receipt.executor.bytes.fill(7);
  info.receipt.task.bytes.fill(9);
  info.receipt.fuel = 123456789012345;
  info.receipt.outcome = object::Outcome::kTrap;
  wrote.receipts.push_back(info);
  info.receipt.outcome = object::Outcome::kOk;
  info.receipt.output = codec::Cid::of(codec::Codec::kRaw, view("out"));
  wrote.receipts.push_back(info);
  const Json json = *Json::parse(codec::to_json_text(wrote));
  const auto read = read_answer<node::ReceiptsAnswer>(json);
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(codec::to_json_text(*read), codec::to_json_text(wrote));
}

TEST(Answers, RefuseWhatTheyDoNotKnow) {
  EXPECT_FALSE(read_answer<node::PeerAddAnswer>(*Json::parse(R"({"node":"not a key"})")).ok());
  EXPECT_TRUE(read_answer<node::PeerAddAnswer>(*Json::parse(R"({"new_field":1})")).ok());
}

TEST(Files, WalkInOrderWithoutFollowingLinks) {
  const ScratchDir dir = ScratchDir::make(fs::temp_directory_path().string(), "selvedge-walk-").value();
  const std::string root = dir.path();
  fs::create_directories(root + "/t/b");
  ASSERT_TRUE(write_private(root + "/t/z", view("zz")).ok());
  ASSERT_TRUE(write_private(root + "/t/b/a", view("a")).ok());
  fs::create_symlink(root + "/t/z", root + "/t/link");
  fs::create_directory_symlink(root + "/t", root + "/t/b/loop");
  const Walked walked = *walk_paths({root + "/t/"});
  ASSERT_EQ(walked.files.size(), 2u);
  EXPECT_EQ(walked.files[0].name, root + "/t/b/a");
  EXPECT_EQ(walked.files[1].name, root + "/t/z");
  EXPECT_EQ(walked.bytes, 3u);
  // A link that was named is meant.
  EXPECT_EQ(walk_paths({root + "/t/link"})->files.size(), 1u);
  EXPECT_EQ(walk_paths({root + "/none"}).code(), Errc::kNotFound);
}

TEST(Files, OutputNamesDiffer) {
  std::vector<node::FileName> files{{"", "a/b", 0}, {"", "a_b", 0}, {"", "a_b", 0}, {"", "c", 0}};
  make_output_names_unique(files);
  std::set<std::string> names;
  for (const node::FileName& file : files) {
    std::string name = file.name;
    std::replace(name.begin(), name.end(), '/', '_');
    names.insert(name);
  }
  EXPECT_EQ(names.size(), 4u);
  EXPECT_EQ(files[3].name, "c");
}

TEST(Files, CompareContent) {
  const ScratchDir dir = ScratchDir::make(fs::temp_directory_path().string(), "selvedge-same-").value();
  ASSERT_TRUE(write_private(dir.path() + "/a", view("same")).ok());
  ASSERT_TRUE(write_private(dir.path() + "/b", view("same")).ok());
  ASSERT_TRUE(write_private(dir.path() + "/c", view("sama")).ok());
  ASSERT_TRUE(write_private(dir.path() + "/d", view("samesame")).ok());
  EXPECT_TRUE(*same_content(dir.path() + "/a", dir.path() + "/b"));
  EXPECT_FALSE(*same_content(dir.path() + "/a", dir.path() + "/c"));
  EXPECT_FALSE(*same_content(dir.path() + "/a", dir.path() + "/d"));
  EXPECT_FALSE(same_content(dir.path() + "/a", dir.path() + "/none").ok());
  struct stat info {};
  ASSERT_EQ(stat((dir.path() + "/a").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST(Terminal, ForeignTextCannotDriveIt) {
  EXPECT_EQ(printable("na\x1b[2Jme\n"), "na\uFFFD[2Jme\uFFFD");
  EXPECT_EQ(printable("gr\u00fc\u00df \u2713"), "gr\u00fc\u00df \u2713");
  EXPECT_EQ(printable("\xff\xc2"), "\uFFFD\uFFFD");
  EXPECT_EQ(printable("\u009b31m"), "\uFFFD31m");
}

TEST(NativeStats, CountWordsAcrossPieces) {
  native_stats* stats = native_stats_new();
  ASSERT_NE(stats, nullptr);
  for (const char* piece : {"to be or not t", "o be\n"}) ASSERT_TRUE(native_stats_feed(stats, reinterpret_cast<const uint8_t*>(piece), strlen(piece)));
  std::string report;
  ASSERT_TRUE(native_stats_report(stats, [](void* out, const char* text, size_t size) { static_cast<std::string*>(out)->append(text, size); }, &report));
  native_stats_free(stats);
  EXPECT_NE(report.find("bytes 19\nlines 1\nwords 6\nunique 4\n"), std::string::npos) << report;
}

}  // namespace selvedge::cli
