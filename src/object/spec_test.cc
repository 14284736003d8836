// docs/spec/objects.md says what this code does: its tables and its worked example are what the code computes.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "codec/value.h"
#include "object/bridge.h"
#include "object/permission.h"
#include "object/sequence.h"
#include "object/test_world.h"
#include "object/zone_keys.h"

namespace selvedge::object {
namespace {

std::string document() {
  std::ifstream in(std::string(SELVEDGE_SOURCE_DIR) + "/docs/spec/objects.md");
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

/// The text between "<!-- begin NAME -->" and "<!-- end NAME -->".
std::string section(const std::string& name) {
  const std::string text = document();
  const std::string begin = "<!-- begin " + name + " -->\n";
  const size_t from = text.find(begin);
  const size_t to = text.find("<!-- end " + name + " -->");
  if (from == std::string::npos || to == std::string::npos) return "the section " + name + " is missing";
  return text.substr(from + begin.size(), to - from - begin.size());
}

template <class T>
std::string kind_row() {
  return "| " + std::string(T::kName) + " | " + std::to_string(T::kVersion) + " | `" + schema_id_of<T>().hex() + "` | `" +
         codec::describe<T>() + "` |\n";
}

template <class... T>
std::string kind_table() {
  std::string out = "| kind | version | schema id | fields |\n|---|---|---|---|\n";
  ((out += kind_row<T>()), ...);
  return out;
}

// req: A4 A18
TEST(SpecTest, TheTableOfKindsIsTheCodes) {
  const std::string expected = kind_table<NodeRecord, Grant, Lease, ZonePolicy, IssuerSet, Capability, Endorsement, ZoneKeyEpoch, Revocation, RevocationHead,
                 PermissionRequest, PermissionDecision, Alert, Manifest, Provenance, SequenceLink, TaskSpec, TaskOffer, Commitment, Reveal,
                 Receipt, BlockGroup, BlobRef>();
  EXPECT_EQ(section("kinds"), expected);
}

/// "name: hexadecimal" in lines of 96 digits.
void add_hex(std::string& out, const std::string& name, ByteView bytes) {
  out += name + " (" + std::to_string(bytes.size()) + " bytes)\n";
  const std::string hex = to_hex(bytes);
  for (size_t at = 0; at < hex.size(); at += 96) out += "  " + hex.substr(at, 96) + "\n";
}

// req: A3 A4 A18
TEST(SpecTest, TheWorkedExampleIsWhatTheCodeWrites) {
  const crypto::Ed25519Signer owner(crypto::Seed::from(Bytes(32, 1)).value());
  const crypto::Ed25519Signer node(crypto::Seed::from(Bytes(32, 2)).value());
  Revocation body;
  body.issuer = owner.public_key();
  body.target_kind = RevocationTarget::kDevice;
  body.target.bytes = node.public_key().bytes;
  body.cutoff = 1'790'000'000;
  body.reason = RevocationReason::kDeviceLoss;
  body.issued = 1'790'000'000;
  const Signed<Revocation> made = sign_object(owner, body).value();
  const crypto::Ed25519Verifier verifier;
  const OpenedEnvelope opened = open_envelope(made.bytes, verifier).value();

  std::string out = "```\n";
  out += "json\n  " + codec::to_json_text(body) + "\n";
  add_hex(out, "body", codec::encode(body));
  out += "body, diagnostic\n  " + codec::diagnostic(codec::decode_value(codec::encode(body)).value()) + "\n";
  add_hex(out, "payload", opened.payload);
  add_hex(out, "signed bytes", opened.signed_bytes);
  add_hex(out, "object", made.bytes);
  add_hex(out, "schema id", schema_id_of<Revocation>());
  add_hex(out, "object id", made.id);
  out += "```\n";
  EXPECT_EQ(section("example"), out);
}

}  // namespace
}  // namespace selvedge::object
