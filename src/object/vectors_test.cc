// The vectors in docs/spec/vectors are what this code says, byte for byte, and they cover what they promise to cover.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "object/vectors/vectors.h"

namespace selvedge::object::vectors {
namespace {

std::string read(const std::string& path) {
  std::ifstream in(std::string(SELVEDGE_SOURCE_DIR) + "/" + path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

// req: A3 A4 A18 B2 R9 R12 R13
TEST(VectorsTest, ThePublishedOnesAreWhatTheCodeSays) {
  for (const VectorFile& file : make_vectors()) {
    const std::string published = read("docs/spec/vectors/" + file.name);
    if (published == file.text) continue;
    size_t at = 0;
    while (at < published.size() && at < file.text.size() && published[at] == file.text[at]) ++at;
    const size_t from = at < 200 ? 0 : at - 200;
    ADD_FAILURE() << file.name << " differs from byte " << at << " on: the code says\n..." << file.text.substr(from, 400) << "\nIf that is meant, run "
                  << "build/bin/selvedge-object-vectors docs/spec/vectors, look at what changed, and tell the readers (web/)";
  }
}

// req: A8 A18
TEST(VectorsTest, EveryKindOfTheSpecificationHasAnExample) {
  const std::string objects = objects_file();
  std::string table = read("docs/spec/objects.md");
  table = table.substr(table.find("<!-- begin kinds -->"), table.find("<!-- end kinds -->") - table.find("<!-- begin kinds -->"));
  std::istringstream lines(table);
  std::vector<std::string> in_table;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("| ") && line.find('`') != std::string::npos) in_table.push_back(line.substr(2, line.find(" |", 2) - 2));
  }
  // Kinds of other pages of the specification follow behind those of this one.
  const std::vector<std::string> kinds = kinds_with_examples();
  ASSERT_GE(kinds.size(), in_table.size());
  EXPECT_EQ(in_table, std::vector<std::string>(kinds.begin(), kinds.begin() + std::ptrdiff_t(in_table.size())));
  for (const std::string& kind : kinds) {
    EXPECT_NE(objects.find("{\"kind\":\"" + kind + "\",\"version\":"), std::string::npos) << kind << " has no example: add one to objects_vectors.cc";
  }
}

}  // namespace
}  // namespace selvedge::object::vectors
