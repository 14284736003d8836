// docs/spec/zones.md against the code: tables of kinds and the worked example.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "codec/multibase.h"
#include "crypto/seal.h"
#include "node/enrolment.h"
#include "node/index_head.h"
#include "node/index_records.h"
#include "object/zone_keys.h"

namespace selvedge::node {
namespace {

std::string page() {
  std::ifstream in(std::string(SELVEDGE_SOURCE_DIR) + "/docs/spec/zones.md");
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::string example() {
  const std::string text = page(), begin = "<!-- begin zones example -->\n";
  const size_t from = text.find(begin), to = text.find("<!-- end zones example -->");
  return from == std::string::npos || to == std::string::npos ? "the example is missing" : text.substr(from + begin.size(), to - from - begin.size());
}

template <class T>
std::string row() {
  return "| " + std::string(T::kName) + " | " + std::to_string(T::kVersion) + " | `" + codec::describe<T>() + "` |";
}

// req: A1
TEST(ZonesSpecTest, TheKindsOfEnrolmentAreTheCodes) {
  EXPECT_NE(page().find(row<EnrolRequest>()), std::string::npos) << row<EnrolRequest>();
  EXPECT_NE(page().find(row<Succession>()), std::string::npos) << row<Succession>();
}

void add(std::string& out, const std::string& name, const std::string& value) {
  out += name + "\n";
  for (size_t at = 0; at < value.size(); at += 96) out += "  " + value.substr(at, 96) + "\n";
}

// req: A6
TEST(ZonesSpecTest, TheWorkedExampleIsWhatTheCodeMakes) {
  const auto seed = [](uint8_t byte) { return crypto::Seed::from(Bytes(32, byte)).value(); };
  const crypto::Ed25519Signer owner(seed(1)), phone(seed(2)), old_phone(seed(3));
  const crypto::Seed root = seed(0x0b);
  const object::ZoneId work = object::zone_id(owner.public_key(), "work");
  std::string out = "```\n";
  add(out, "owner's key", codec::key_text(owner.public_key()));
  add(out, "zone id of work", work.hex());
  for (const uint64_t epoch : {1, 2}) add(out, "epoch " + std::to_string(epoch), to_hex(object::zone_epoch_secret(root, work, epoch).view()));
  for (uint32_t slot = 0; slot < kIndexSlots; ++slot) add(out, "slot " + std::to_string(slot), index_slot(root, owner.public_key(), slot).hex());
  add(out, "blob id of \"hello\" in work", blob_id(work, codec::Cid::of(codec::Codec::kRaw, view("hello"))).hex());
  EnrolRequest request{owner.public_key(), phone.public_key(), crypto::SealKeyPair(seed(4)).public_key(), "phone", old_phone.public_key(), 1'790'000'000,
                       1'790'000'000 + kEnrolRequestTtl};
  const auto word = object::sign_object(old_phone, Succession{old_phone.public_key(), phone.public_key(), 1'790'000'000}).value();
  add(out, "request of the phone (seed 32 times 0x02, sealing key's seed 0x04), with a new key in place of seed 0x03",
      request_text(object::sign_object(phone, request).value(), &word));
  const Blob blob{{1'790'000'000'123, 77}, work, "hello.txt", {codec::Cid::of(codec::Codec::kRaw, view("hello")), 5, {}}, 1'790'000'000, {}};
  add(out, "an entry of the index, as CBOR", to_hex(codec::encode(IndexEntry{IndexKind::kBlob, IndexEntryId::from(blob_id(work, blob.ref.cid)).value(), codec::encode(blob)})));
  out += "```\n";
  EXPECT_EQ(example(), out) << "put this between the marks";
}

}  // namespace
}  // namespace selvedge::node
