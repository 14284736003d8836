// selvedge fountain: lists of ESIs, parameters, symbol files and what loss, damage and mixing do to them.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "cli/files.h"
#include "cli/fountain_files.h"
#include "cli/fountain_measure.h"
#include "cli/fountain_record.h"

namespace selvedge::cli {

namespace {

namespace fs = std::filesystem;

class FountainFiles : public testing::Test {
 protected:
  std::string at(const std::string& name) const { return dir_.path() + "/" + name; }
  void write(const std::string& name, const Bytes& bytes) const {
    std::ofstream(at(name), std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
  Bytes make(size_t bytes, uint64_t seed) const {
    Bytes out(bytes);
    for (size_t i = 0; i < bytes; ++i) out[i] = static_cast<uint8_t>((i + seed) * (i + 3 * seed + 1) >> 5);
    return out;
  }
  Result<FountainEncoded> encode(const std::string& input, const std::string& dir, FountainShape shape = {64, 0, 1}, const std::string& repair = "5%", uint32_t files = 0) {
    FountainEncodeJob job{at(input), at(dir), shape, *parse_repair(repair), files};
    return encode_to_symbol_files(job, [](uint64_t, uint64_t) { return ok(); });
  }
  Result<FountainDecoded> decode(const std::vector<std::string>& dirs, const std::string& object = "") {
    FountainDecodeJob job;
    for (const std::string& dir : dirs) job.dirs.push_back(at(dir));
    job.object = object;
    decoded_.clear();
    largest_part_ = 0;
    return decode_from_symbol_files(
        job,
        [this](ByteView part) {
          append(decoded_, part);
          largest_part_ = std::max(largest_part_, part.size());
          return ok();
        },
        [](uint64_t, uint64_t) { return ok(); });
  }
  std::vector<std::string> files_in(const std::string& dir) const {
    std::vector<std::string> out;
    for (const auto& entry : fs::directory_iterator(at(dir))) out.push_back(entry.path());
    std::sort(out.begin(), out.end());
    return out;
  }

  ScratchDir dir_ = ScratchDir::make(testing::TempDir(), "fountain-").value();
  Bytes decoded_;
  size_t largest_part_ = 0;
};

// req: B1
TEST_F(FountainFiles, AnySufficientPartRestores) {
  const Bytes object = make(64 * 400 - 13, 1);
  write("object", object);
  const auto encoded = encode("object", "symbols");
  ASSERT_TRUE(encoded.ok());
  EXPECT_EQ(encoded->files, 420u);
  const auto files = files_in("symbols");
  for (size_t i = 0; i < 18; ++i) fs::remove(files[i * 21]);
  const auto decoded = decode({"symbols"});
  ASSERT_TRUE(decoded.ok()) << decoded.error().message;
  EXPECT_EQ(decoded_, object);
  EXPECT_GT(decoded->symbols_restored, 0u);
}

TEST_F(FountainFiles, ManyBlocksInFewFilesLoseAlike) {
  const Bytes object = make(9000 * 16 + 5, 2);
  write("object", object);
  for (const uint32_t sub_blocks : {1u, 2u}) {
    const std::string dir = "symbols" + std::to_string(sub_blocks);
    const auto encoded = encode("object", dir, {16, 3, sub_blocks}, "30%", 20);
    ASSERT_TRUE(encoded.ok()) << encoded.error().message;
    EXPECT_EQ(encoded->params.source_blocks, 3u);
    EXPECT_EQ(encoded->files, 20u);
    for (size_t i = 0; i < 4; ++i) fs::remove(files_in(dir)[i * 3]);
    ASSERT_TRUE(decode({dir}).ok());
    EXPECT_EQ(decoded_, object);
    EXPECT_LT(largest_part_, object.size() / 2) << "blocks come out one after another";
  }
}

TEST_F(FountainFiles, TooFewSymbolsSayHowManyMore) {
  write("object", make(64 * 100, 3));
  ASSERT_TRUE(encode("object", "symbols", {64, 2, 1}, "0", 10).ok());
  fs::remove(files_in("symbols")[0]);
  const auto decoded = decode({"symbols"});
  ASSERT_FALSE(decoded.ok());
  EXPECT_EQ(decoded.code(), Errc::kUnavailable);
  EXPECT_NE(decoded.error().message.find("block 0 needs at least 5 more (it has 50 source symbols), block 1 needs at least 5 more"), std::string::npos)
      << decoded.error().message;
  // More symbols of the same object, made at another time, are as good.
  ASSERT_TRUE(encode("object", "more", {64, 2, 1}, "20", 1).ok());
  EXPECT_TRUE(decode({"symbols", "more"}).ok());
}

TEST_F(FountainFiles, DamagedSymbolsAreLeftOut) {
  const Bytes object = make(64 * 60, 4);
  write("object", object);
  ASSERT_TRUE(encode("object", "symbols", {64, 0, 1}, "6").ok());
  const auto files = files_in("symbols");
  const auto damage = [](const std::string& path, size_t offset) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(offset));
    file.put('\x5A');
    file.put('\xA5');
  };
  damage(files[0], kSymbolHeaderBytes + 10);  // payload
  damage(files[1], 30);                       // header
  damage(files[2], 0);                        // magic
  fs::resize_file(files[3], kSymbolHeaderBytes + 63);
  fs::resize_file(files[4], 5);
  std::ofstream(at("symbols") + "/zero.sym").put('x');
  fs::create_directory(at("symbols") + "/folder.sym");
  const auto decoded = decode({"symbols"});
  ASSERT_TRUE(decoded.ok()) << decoded.error().message;
  EXPECT_EQ(decoded_, object);
  EXPECT_EQ(decoded->damaged, 7u);
  fs::remove(files[5]);
  fs::remove(files[6]);
  const auto fewer = decode({"symbols"});
  EXPECT_EQ(fewer.code(), Errc::kUnavailable);
  EXPECT_NE(fewer.error().message.find("damaged"), std::string::npos);
}

TEST_F(FountainFiles, ForeignSymbolsAreToldApart) {
  const Bytes object = make(64 * 30, 5);
  const Bytes other = make(64 * 30, 6);
  write("object", object);
  write("other", other);
  const auto first = encode("object", "symbols");
  const auto second = encode("other", "others");
  ASSERT_TRUE(first.ok() && second.ok());
  ASSERT_NE(first->object, second->object);
  const auto both = decode({"symbols", "others"});
  EXPECT_EQ(both.code(), Errc::kInvalid);
  EXPECT_NE(both.error().message.find("--object"), std::string::npos);
  const auto chosen = decode({"symbols", "others"}, second->object);
  ASSERT_TRUE(chosen.ok());
  EXPECT_EQ(decoded_, other);
  EXPECT_EQ(chosen->foreign, first->symbols);
  EXPECT_EQ(decode({"symbols"}, "ffff").code(), Errc::kNotFound);
  // Two files that begin alike are one object by its tag, but their later blocks tell.
  Bytes changed = object;
  changed.back() ^= 1;
  write("changed", changed);
  ASSERT_TRUE(encode("object", "a", {64, 2, 1}).ok() && encode("changed", "b", {64, 2, 1}).ok());
  EXPECT_EQ(decode({"a", "b"}).code(), Errc::kIntegrity);
}

TEST_F(FountainFiles, RefusesWhatMakesNoSense) {
  write("empty", {});
  write("object", make(1000, 7));
  EXPECT_EQ(encode("missing", "x").code(), Errc::kNotFound);
  EXPECT_EQ(encode("empty", "x").code(), Errc::kInvalid);
  EXPECT_EQ(encode(".", "x").code(), Errc::kInvalid);
  EXPECT_EQ(encode("object", "x", {64, 17, 1}).code(), Errc::kInvalid);  // 16 symbols
  EXPECT_EQ(encode("object", "x", {70000, 0, 1}).code(), Errc::kInvalid);
  EXPECT_EQ(encode("object", "x", {64, 0, 100}).code(), Errc::kInvalid);
  ASSERT_TRUE(encode("object", "x").ok());
  EXPECT_EQ(encode("object", "x").code(), Errc::kExists);
  fs::create_directory(at("none"));
  EXPECT_EQ(decode({"none"}).code(), Errc::kNotFound);
  EXPECT_EQ(decode({"missing"}).code(), Errc::kNotFound);
}

// A header that promises 940 GB costs nothing but an answer.
// req: B11
TEST_F(FountainFiles, HostileHeaderAllocatesNothing) {
  fs::create_directory(at("hostile"));
  SymbolHeader header;
  header.params.object_bytes = fountain::kObjectBytesMax;
  header.params.symbol_bytes = fountain::kSymbolBytesMax;
  header.params.source_blocks = 256;
  const Bytes refused = header.bytes();
  EXPECT_FALSE(parse_symbol_header(refused).has_value());
  header.params.source_blocks = fountain::kSourceBlocksMax;
  header.params.object_bytes = uint64_t{fountain::kSourceBlocksMax} * fountain::kBlockSymbolsMax * fountain::kSymbolBytesMax;
  FILE* const file = std::fopen(at("hostile/a.sym").c_str(), "wb");
  ASSERT_TRUE(write_record(fileno(file), header.bytes(), Bytes(fountain::kSymbolBytesMax), "").ok());
  std::fclose(file);
  const auto decoded = decode({"hostile"});
  EXPECT_EQ(decoded.code(), Errc::kUnavailable);
  EXPECT_NE(decoded.error().message.find("and 250 more"), std::string::npos) << decoded.error().message;
}

TEST_F(FountainFiles, AFailedEncodeLeavesNoFiles) {
  write("object", make(64 * 300, 8));
  int calls = 0;
  FountainEncodeJob job{at("object"), at("symbols"), {64, 3, 1}, {}, 0};
  const auto encoded = encode_to_symbol_files(job, [&](uint64_t, uint64_t) -> Status {
    return ++calls == 3 ? Status(fail(Errc::kCancelled, "stopped")) : ok();
  });
  EXPECT_EQ(encoded.code(), Errc::kCancelled);
  EXPECT_TRUE(files_in("symbols").empty());
}

TEST(FountainOptions, ListsAndAmounts) {
  EXPECT_EQ(*parse_esis("3"), (std::vector<uint32_t>{3}));
  EXPECT_EQ(*parse_esis("0-2,16777215,1"), (std::vector<uint32_t>{0, 1, 2, 16777215, 1}));
  for (const char* wrong : {"", ",", "1,", "a", "2-1", "16777216", "-1", "1-", "0x10", "1 2"}) EXPECT_EQ(parse_esis(wrong).code(), Errc::kInvalid) << wrong;
  EXPECT_EQ(parse_esis("0-1000000").code(), Errc::kLimit);
  EXPECT_EQ(parse_repair("5%")->of(1000), 50u);
  EXPECT_EQ(parse_repair("0.5%")->of(1001), 6u);
  EXPECT_EQ(parse_repair("0")->of(1000), 0u);
  EXPECT_EQ(parse_repair("7")->of(1000), 7u);
  for (const char* wrong : {"", "%", "-1", "5 %", "1001%", "nan%", "x"}) EXPECT_EQ(parse_repair(wrong).code(), Errc::kInvalid) << wrong;
}

TEST(FountainMeasure, FiguresAreThere) {
  FountainBench bench;
  bench.effort = kFountainEffortQuick;
  std::string wrong;
  const auto figures = measure_fountain(bench, 50, wrong);
  ASSERT_TRUE(figures.has_value()) << wrong;
  const std::string text = fountain_table_text({*figures});
  EXPECT_NE(text.find("K=50"), std::string::npos);
  for (const FountainTableRow& row : fountain_table({*figures})) EXPECT_GT(row.values.at(0), 0) << row.name;
  EXPECT_FALSE(measure_fountain(bench, fountain::kBlockSymbolsMax + 1, wrong).has_value());
  const FountainFailures failures = count_fountain_failures(10, 2, 10, 200, 1);
  EXPECT_EQ(failures.trials, 200u);
  EXPECT_LE(failures.failures, 1u);
  EXPECT_EQ(failures.wrong, 0u);
}

}  // namespace

}  // namespace selvedge::cli
