// The vectors in docs/spec/vectors are what this code says, byte for byte, and they cover what they promise to cover.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
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

/// What stands between `begin` and `end`, each time `begin` occurs.
std::vector<std::string> between(const std::string& text, const std::string& begin, const std::string& end) {
  std::vector<std::string> out;
  for (size_t at = text.find(begin); at != std::string::npos; at = text.find(begin, at)) {
    at += begin.size();
    out.push_back(text.substr(at, text.find(end, at) - at));
  }
  return out;
}

// req: A8 A18
TEST(VectorsTest, EveryKindHasAnExample) {
  std::vector<std::string> kinds = kinds_with_examples();
  const std::string objects = objects_file();
  for (const std::string& kind : kinds) EXPECT_NE(objects.find("{\"kind\":\"" + kind + "\",\"version\":"), std::string::npos) << kind << " has no example";
  // The kinds of this room are those that its headers name, whichever page of the specification tells of them.
  std::vector<std::string> named;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(SELVEDGE_SOURCE_DIR) + "/src/object")) {
    if (entry.path().extension() != ".h") continue;
    for (std::string& kind : between(read("src/object/" + entry.path().filename().string()), "std::string_view kName = \"", "\"")) named.push_back(std::move(kind));
  }
  std::sort(named.begin(), named.end());
  std::sort(kinds.begin(), kinds.end());
  EXPECT_EQ(kinds, named) << "add the kind to vectors/kinds_list.h, and an example of it beside the others";
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
