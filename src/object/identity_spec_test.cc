// docs/spec/identity.md says what this code does: its table and its worked bytes are what the code computes.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "codec/value.h"
#include "object/identity.h"

namespace selvedge::object {
namespace {

/// The text between "<!-- begin NAME -->" and "<!-- end NAME -->".
std::string section_of(const std::string& name) {
  std::ifstream in(std::string(SELVEDGE_SOURCE_DIR) + "/docs/spec/identity.md");
  std::ostringstream whole;
  whole << in.rdbuf();
  const std::string text = whole.str(), begin = "<!-- begin " + name + " -->\n";
  const size_t from = text.find(begin), to = text.find("<!-- end " + name + " -->");
  if (from == std::string::npos || to == std::string::npos) return "the section " + name + " is missing";
  return text.substr(from + begin.size(), to - from - begin.size());
}

template <class T>
std::string row_of() {
  return "| " + std::string(T::kName) + " | " + std::to_string(T::kVersion) + " | `" + schema_id_of<T>().hex() + "` | `" + codec::describe<T>() + "` |\n";
}

// req: A2, A18
TEST(IdentitySpec, TheTableOfKindsIsTheCodes) {
  EXPECT_EQ(section_of("kinds"), "| kind | version | schema id | fields |\n|---|---|---|---|\n" + row_of<IdentityToken>() + row_of<KeyEndorsement>());
}

void add_hex(std::string& out, const std::string& name, ByteView bytes) {
  out += name + " (" + std::to_string(bytes.size()) + " bytes)\n";
  const std::string hex = to_hex(bytes);
  for (size_t at = 0; at < hex.size(); at += 96) out += "  " + hex.substr(at, 96) + "\n";
}

// req: A2, A18
TEST(IdentitySpec, TheWorkedBytesAreWhatTheCodeWrites) {
  constexpr uint64_t kPeriod = 20717;
  const crypto::Seed secret = identity_secret(crypto::Seed::from(Bytes(32, 1)).value());
  const crypto::Ed25519Signer origin(crypto::Seed::from(Bytes(32, 2)).value());
  const crypto::Seed seed = key_for_origin(secret, origin.public_key(), kPeriod);
  const crypto::Ed25519Signer key(seed);
  const ObjectId grant = ObjectId::from(Bytes(32, 3)).value();
  IdentityToken token;
  token.origin = origin.public_key();
  token.node_id = key.public_key();
  token.purpose = "join";
  token.nonce.bytes.fill(4);
  token.lease = lease_binding(grant, token.node_id, token.nonce);
  const TokenTimes times = token_times(Instant::from_unix_seconds(kPeriod * kIdentityPeriodSeconds + 59), kTokenTtlDefault).value();
  token.issued = times.issued;
  token.expires = times.expires;
  const Signed<IdentityToken> made = sign_object(key, token).value();

  std::string out = "```\n";
  add_hex(out, "identity secret", secret.view());
  add_hex(out, "scoped seed", seed.view());
  add_hex(out, "attestation key id", attestation_key_id(secret, origin.public_key(), kPeriod));
  out += "json\n  " + codec::to_json_text(token) + "\n";
  out += "body, diagnostic\n  " + codec::diagnostic(codec::decode_value(codec::encode(token)).value()) + "\n";
  add_hex(out, "lease", *token.lease);
  add_hex(out, "statement (were the tier a hardware tier)", attested_statement(token));
  add_hex(out, "object", made.bytes);
  add_hex(out, "object id", made.id);
  add_hex(out, "possession of the channel \"example\"", prove_possession(key, made.id, view("example")));
  out += "```\n";
  EXPECT_EQ(section_of("example"), out);
}

}  // namespace
}  // namespace selvedge::object
