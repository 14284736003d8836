// docs/spec/audit.md says what this code does: its worked example is what the code writes.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "codec/value.h"
#include "crypto/hash.h"
#include "object/audit_entry.h"
#include "object/audit_head.h"

namespace selvedge::object {
namespace {

std::string audit_section(const std::string& name) {
  std::ifstream in(std::string(SELVEDGE_SOURCE_DIR) + "/docs/spec/audit.md");
  std::ostringstream text;
  text << in.rdbuf();
  const std::string begin = "<!-- begin " + name + " -->\n";
  const size_t from = text.str().find(begin);
  const size_t to = text.str().find("<!-- end " + name + " -->");
  if (from == std::string::npos || to == std::string::npos) return "the section " + name + " is missing";
  return text.str().substr(from + begin.size(), to - from - begin.size());
}

void audit_hex(std::string& out, const std::string& name, ByteView bytes) {
  out += name + " (" + std::to_string(bytes.size()) + " bytes)\n";
  const std::string hex = to_hex(bytes);
  for (size_t at = 0; at < hex.size(); at += 96) out += "  " + hex.substr(at, 96) + "\n";
}

AuditEntry example_entry(AuditKind kind, uint64_t time_ms, std::string detail, std::string_view bytes) {
  AuditEntry entry;
  entry.kind = kind;
  entry.time_ms = time_ms;
  entry.detail = std::move(detail);
  entry.bytes = to_bytes(view(bytes));
  entry.digest = crypto::sha256(*entry.bytes);
  entry.subject = entry.digest;
  return entry;
}

template <class T>
std::string audit_kind_row() {
  return "| " + std::string(T::kName) + " | " + std::to_string(T::kVersion) + " | `" + schema_id_of<T>().hex() + "` | `" + codec::describe<T>() + "` |\n";
}

// req: A8 A15
TEST(AuditSpecTest, TheTableOfKindsIsTheCodes) {
  EXPECT_EQ(audit_section("kinds"), "| kind | version | schema id | fields |\n|---|---|---|---|\n" + audit_kind_row<AuditEntry>() + audit_kind_row<AuditHead>());
}

// req: A15 A18
TEST(AuditSpecTest, TheWorkedExampleIsWhatTheCodeWrites) {
  const crypto::Ed25519Signer log(crypto::Seed::from(Bytes(32, 1)).value());
  const crypto::Ed25519Signer witness(crypto::Seed::from(Bytes(32, 2)).value());
  const std::vector<AuditEntry> entries = {example_entry(AuditKind::kNode, 1'790'000'000'000, "the log of this node begins", "record"),
                                           example_entry(AuditKind::kGrant, 1'790'000'001'000, "given", "grant"),
                                           example_entry(AuditKind::kRevocation, 1'790'000'002'000, "made", "revocation")};
  std::vector<Bytes> bytes;
  std::vector<Digest> leaves;
  Frontier tree;
  for (const AuditEntry& entry : entries) {
    bytes.push_back(unsigned_bytes(entry));
    leaves.push_back(merkle_leaf(bytes.back()));
    tree.append(leaves.back());
  }
  std::string out = "```\nschema of an entry\n  " + schema_id_of<AuditEntry>().hex() + "  " + codec::describe<AuditEntry>() + "\n";
  out += "entry 1\n  " + codec::to_json_text(entries[1]) + "\n";
  audit_hex(out, "entry 1", bytes[1]);
  for (size_t i = 0; i < 3; ++i) out += "leaf " + std::to_string(i) + "\n  " + leaves[i].hex() + "\n";
  out += "root of the first two\n  " + merkle_node(leaves[0], leaves[1]).hex() + "\n";
  out += "root of all three\n  " + tree.root().hex() + "\n";
  const std::string name = audit_name(log.public_key());
  const std::string text = checkpoint_text({name, 3, tree.root(), {}});
  codec::SignedNote note{text, {codec::sign_note(log, name, text)}};
  out += "the log's key\n  " + codec::vkey_text(audit_log_key(log.public_key())) + "\n";
  out += "the witness's key\n  " + codec::vkey_text(audit_witness_key(witness.public_key())) + "\n";
  TileSet tiles;
  tiles.put({0, 0}, leaves);
  const AddCheckpoint request{2, make_proof(plan_consistency(2, 3).value(), tiles).value(), codec::note_text(note)};
  out += "what a witness is asked that saw the first two\n" + add_checkpoint_text(request);
  note.signatures.push_back(codec::cosign_note(witness, audit_name(witness.public_key()), 1'790'000'003, text));
  out += "what it answers\n" + codec::signature_lines({note.signatures.back()});
  const ProofFile proof{bytes[1], 1, make_proof(plan_inclusion(1, 3).value(), tiles).value(), codec::note_text(note)};
  out += "proof of entry 1\n" + proof_file_text(proof) + "```\n";
  EXPECT_EQ(audit_section("example"), out);
  const crypto::Ed25519Verifier verifier;
  EXPECT_EQ(audit_cosigners(codec::note_text(note), log.public_key(), verifier)->size(), 1u);
}

}  // namespace
}  // namespace selvedge::object
