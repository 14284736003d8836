// The vectors in docs/spec/vectors are what this code says, byte for byte, and they cover what they promise to cover.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "codec/cbor.h"
#include "object/sealed.h"
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

/// "name (n bytes)" and lines of 96 hexadecimal digits.
void add_hex(std::string& out, const std::string& name, ByteView bytes) {
  out += name + " (" + std::to_string(bytes.size()) + " bytes)\n";
  const std::string hex = to_hex(bytes);
  for (size_t at = 0; at < hex.size(); at += 96) out += "  " + hex.substr(at, 96) + "\n";
}

// req: A18 B2
TEST(VectorsTest, TheWorkedSealedThingIsWhatTheCodeWrites) {
  const crypto::SealKeyPair recipient(crypto::Seed::from(Bytes(32, 3)).value());
  crypto::Drbg drbg(crypto::Seed::from(Bytes(32, 4)).value());
  const crypto::Seed ephemeral = crypto::Drbg(crypto::Seed::from(Bytes(32, 4)).value()).seed();
  const Bytes sealed = seal_to(recipient.public_key(), view("hello"), view("greeting"), drbg).value();
  ASSERT_EQ(open_sealed(recipient, sealed, view("greeting")).value(), to_bytes(view("hello")));
  codec::Reader in(sealed);
  ASSERT_EQ(in.read_tag().value(), 16u);
  ASSERT_EQ(in.read_array().value(), 3u);
  const ByteView header = in.read_bytes().value();
  codec::Writer aad;
  aad.put_array(3);
  aad.put_text("Encrypt0");
  aad.put_bytes(header);
  aad.put_bytes(view("greeting"));
  std::string out = "```\n";
  add_hex(out, "recipient's key", recipient.public_key());
  add_hex(out, "ephemeral private key", ephemeral.view());
  add_hex(out, "ephemeral key", crypto::SealKeyPair(ephemeral.clone()).public_key());
  const crypto::SealKeys keys = recipient.keys_for(crypto::SealKeyPair(ephemeral.clone()).public_key()).value();
  add_hex(out, "key", keys.key.view());
  add_hex(out, "nonce", keys.nonce);
  add_hex(out, "protected", header);
  add_hex(out, "aad", aad.bytes());
  add_hex(out, "sealed", sealed);
  out += "```\n";
  const std::string text = read("docs/spec/objects.md");
  const std::string begin = "<!-- begin sealed -->\n";
  const size_t from = text.find(begin) + begin.size();
  EXPECT_EQ(text.substr(from, text.find("<!-- end sealed -->") - from), out);
}

}  // namespace
}  // namespace selvedge::object::vectors
