// Interop: every payload and every OTI of tests/vectors/fountain, on which four other codecs agree.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "fountain/code_params.h"
#include "fountain/fountain.h"
#include "fountain/test_support.h"

namespace selvedge::fountain {
namespace {

using test::make_object;
using test::sha256_hex;

struct ObjectLine {
  uint64_t seed;
  uint64_t bytes;
  uint32_t symbol_bytes;
  uint32_t k;
  uint32_t k_prime;
  std::string oti;
  std::string sha256;
};

struct SymbolLine {
  uint32_t esi;
  std::string sha256;
};

// (seed, bytes, symbol bytes)
using ObjectId = std::tuple<uint64_t, uint64_t, uint32_t>;

std::ifstream open_vectors(const std::string& name) {
  std::ifstream file(std::string(FOUNTAIN_VECTORS_DIR) + "/" + name);
  EXPECT_TRUE(file.is_open()) << name;
  return file;
}

std::vector<ObjectLine> read_objects() {
  std::ifstream file = open_vectors("objects.txt");
  std::vector<ObjectLine> out;
  std::string line;
  while (std::getline(file, line)) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream in(line);
    ObjectLine object;
    in >> object.seed >> object.bytes >> object.symbol_bytes >> object.k >> object.k_prime >> object.oti >>
        object.sha256;
    EXPECT_FALSE(in.fail()) << line;
    out.push_back(object);
  }
  return out;
}

std::map<ObjectId, std::vector<SymbolLine>> read_symbols() {
  std::ifstream file = open_vectors("vectors.txt");
  std::map<ObjectId, std::vector<SymbolLine>> out;
  std::string line;
  while (std::getline(file, line)) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream in(line);
    uint64_t seed = 0;
    uint64_t bytes = 0;
    uint32_t symbol_bytes = 0;
    SymbolLine symbol;
    in >> seed >> bytes >> symbol_bytes >> symbol.esi >> symbol.sha256;
    EXPECT_FALSE(in.fail()) << line;
    out[{seed, bytes, symbol_bytes}].push_back(symbol);
  }
  return out;
}

TEST(FountainVectors, Sha256OfTheTestsIsRight) {
  const std::string abc = "abc";
  EXPECT_EQ(sha256_hex({reinterpret_cast<const uint8_t*>(abc.data()), abc.size()}),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(FountainVectors, ObjectsAndOti) {
  const std::vector<ObjectLine> objects = read_objects();
  ASSERT_EQ(objects.size(), 17u);
  for (const ObjectLine& line : objects) {
    SCOPED_TRACE(line.k);
    EXPECT_EQ(sha256_hex(make_object(line.seed, line.bytes)), line.sha256);
    EXPECT_EQ(CodeParams::for_source_symbols(line.k)->k_prime, line.k_prime);
    ObjectParams params;
    params.object_bytes = line.bytes;
    params.symbol_bytes = line.symbol_bytes;
    params.alignment = line.symbol_bytes % 8 == 0 ? 8 : line.symbol_bytes % 4 == 0 ? 4 : 1;
    ASSERT_TRUE(params.valid());
    EXPECT_EQ(params.symbols_total(), line.k);
    EXPECT_EQ(test::to_hex(params.oti()), line.oti);
    EXPECT_EQ(ObjectParams::parse_oti(params.oti()), params);
  }
}

// req: A18, B1
TEST(FountainVectors, EveryPayload) {
  const auto objects = read_symbols();
  size_t checked = 0;
  for (const auto& [id, lines] : objects) {
    const auto& [seed, bytes, symbol_bytes] = id;
    SCOPED_TRACE(std::to_string(bytes) + "/" + std::to_string(symbol_bytes));
    const std::vector<uint8_t> object = make_object(seed, bytes);
    const auto encoder = BlockEncoder::create(object, symbol_bytes);
    ASSERT_TRUE(encoder.has_value());
    std::vector<uint32_t> esis;
    for (const SymbolLine& line : lines) esis.push_back(line.esi);
    std::vector<uint8_t> batch(esis.size() * symbol_bytes);
    ASSERT_TRUE(encoder->symbols(esis, batch.data(), symbol_bytes));
    std::vector<uint8_t> single(symbol_bytes);
    for (size_t i = 0; i < lines.size(); ++i, ++checked) {
      const std::span<const uint8_t> payload(batch.data() + i * symbol_bytes, symbol_bytes);
      EXPECT_EQ(sha256_hex(payload), lines[i].sha256) << "esi " << esis[i];
      ASSERT_TRUE(encoder->symbol(esis[i], single));
      EXPECT_EQ(sha256_hex(single), lines[i].sha256) << "esi " << esis[i] << " alone";
    }
  }
  EXPECT_EQ(checked, 442u);
}

}  // namespace
}  // namespace selvedge::fountain
