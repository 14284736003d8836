#include "codec/pkarr.h"

#include <gtest/gtest.h>

#include "codec/multibase.h"
#include "crypto/hash.h"

namespace selvedge::codec {
namespace {

crypto::Seed seed_of(std::string_view name) { return crypto::Seed::from(crypto::sha256(view(name))).value(); }
const crypto::Ed25519Verifier kVerifier;

// The examples of BEP 44: its "private key" is an expanded one, so they can be verified and not made.
TEST(Pkarr, SignsWhatBep44Signs) {
  const Bytes key = from_hex("77ff84905a91936367c01360803104f92432fcd904a43511876df5cdf3e7e548").value();
  const Bytes signature = from_hex("305ac8aeb6c9c151fa120f120ea2cfb923564e11552d06a5d856091e5e853cff1260d3f39e4999684aa92eb73ffd136e6f4f3ecbfda0ce53a1608ecd7ae21f01").value();
  const Bytes message = pkarr_signed_bytes(1, view("Hello World!"));
  EXPECT_EQ(std::string(message.begin(), message.end()), "3:seqi1e1:v12:Hello World!");
  EXPECT_TRUE(kVerifier.verify(crypto::PublicKey::from(key).value(), message, crypto::Signature::from(signature).value()));
  EXPECT_EQ(key_text(crypto::PublicKey::from(key).value()), "q99ajrn41gjsg36ynpoeycer9r1df9g3y11dkrc8pz4h5h98hiry");
}

// req: C5
TEST(Pkarr, HintsSurviveTheWayAndNothingElseDoes) {
  const crypto::Ed25519Signer node(seed_of("node"));
  const NodeHints hints{1'800'000'000, {"192.0.2.1:7443", "[2001:db8::1]:7443", "relay:" + key_text(node.public_key()) + "@192.0.2.9:7000/" + std::string(64, 'a')}};
  const PkarrPacket packet = sign_node_hints(node, 1'790'000'000'000'000, hints, 300).value();
  const Bytes payload = packet.payload();
  const PkarrPacket back = open_pkarr(node.public_key(), payload, kVerifier).value();
  EXPECT_EQ(node_hints(back).value(), hints);
  EXPECT_EQ(back.micros, packet.micros);
  EXPECT_EQ(payload_of_texts(pkarr_texts(payload)).value(), payload);
  for (const std::string& each : pkarr_texts(payload)) EXPECT_LE(each.size(), kDnsTextMax);
  for (size_t at = 0; at < payload.size(); at += 7) {
    Bytes forged = payload;
    forged[at] ^= 1;
    EXPECT_FALSE(open_pkarr(node.public_key(), forged, kVerifier).ok()) << at;
  }
  EXPECT_EQ(open_pkarr(crypto::Ed25519Signer(seed_of("other")).public_key(), payload, kVerifier).code(), Errc::kIntegrity);
  EXPECT_EQ(open_pkarr(node.public_key(), ByteView(payload).first(72), kVerifier).code(), Errc::kInvalid);
}

TEST(Pkarr, WhatDoesNotFitIsRefused) {
  const crypto::Ed25519Signer node(seed_of("node"));
  NodeHints hints{1, std::vector<std::string>(8, std::string(150, 'a'))};
  EXPECT_EQ(sign_node_hints(node, 1, hints, 300).code(), Errc::kLimit);
  hints.addresses = {std::string(254, 'a')};
  EXPECT_EQ(sign_node_hints(node, 1, hints, 300).code(), Errc::kInvalid);
}

TEST(Pkarr, OtherRecordsAreNotANodesHints) {
  const crypto::Ed25519Signer node(seed_of("node"));
  const auto packet = [&](const std::vector<DnsText>& records) { return sign_pkarr(node, 1, dns_reply(records).value()).value(); };
  EXPECT_EQ(node_hints(packet({{"_iroh." + key_text(node.public_key()), 30, {"relay=https://example.org/"}}})).code(), Errc::kNotFound);
  EXPECT_EQ(node_hints(packet({{hints_name(node.public_key()), 30, {"v=2"}}})).code(), Errc::kUnsupported);
  EXPECT_EQ(node_hints(packet({{hints_name(node.public_key()), 30, {"v=1", "e=x"}}})).code(), Errc::kInvalid);
  EXPECT_TRUE(node_hints(packet({{hints_name(node.public_key()), 30, {"v=1", "e=7", "later=1"}}})).value().addresses.empty());
}

TEST(Dns, ReadsCompressedNamesAndPassesOverOtherTypes) {
  // example.org with an A record, then a TXT record whose name is a pointer into the first.
  const Bytes message = from_hex("000084000001000200000000" "0765786d61706c65036f72670000100001"
                                 "c00c00010001000000050004c0000201" "035f4142c00c001000010000012c00060568656c6c6f").value();
  const auto records = parse_dns_reply(message);
  ASSERT_TRUE(records.ok()) << records.error().message;
  ASSERT_EQ(records->size(), 1u);
  EXPECT_EQ(records->front(), (DnsText{"_ab.exmaple.org", 300, {"hello"}}));
}

TEST(Dns, AQuestionIsAnsweredAndRepeated) {
  const Bytes query = dns_txt_query("_selvedge.abc.local").value();
  EXPECT_EQ(to_hex(query), "000000000001000000000000" "095f73656c7665646765" "03616263" "056c6f63616c00" "00100001");
  DnsQuestion asked = parse_dns_txt_query(query).value();
  EXPECT_EQ(asked.name, "_selvedge.abc.local");
  asked.id = 7;
  const Bytes answer = dns_answer(asked, {{asked.name, 10, {"p=x"}}}).value();
  EXPECT_EQ(answer[1], 7);
  EXPECT_EQ(parse_dns_reply(answer).value(), (std::vector<DnsText>{{asked.name, 10, {"p=x"}}}));
  EXPECT_FALSE(parse_dns_txt_query(answer).ok());
  for (size_t n = 0; n < query.size(); ++n) EXPECT_FALSE(parse_dns_txt_query(ByteView(query).first(n)).ok()) << n;
}

TEST(Dns, WhatIsCutOffOrPointsAtItselfIsRefused) {
  const Bytes good = dns_reply({{"a.b", 1, {"x", "y"}}, {"c", 2, {"z"}}}).value();
  EXPECT_EQ(parse_dns_reply(good).value().size(), 2u);
  for (size_t n = 0; n < good.size(); ++n) EXPECT_FALSE(parse_dns_reply(ByteView(good).first(n)).ok()) << n;
  EXPECT_FALSE(parse_dns_reply(from_hex("000080000000000100000000c00c001000010000000100020161").value()).ok()) << "a pointer to itself";
  EXPECT_FALSE(parse_dns_reply(from_hex("000000000000000000000000").value()).ok()) << "a question";
  EXPECT_EQ(dns_reply({{"a..b", 1, {"x"}}}).code(), Errc::kInvalid);
  EXPECT_EQ(dns_reply({{std::string(64, 'a'), 1, {"x"}}}).code(), Errc::kInvalid);
  EXPECT_EQ(dns_reply({{"a", 1, {}}}).code(), Errc::kInvalid);
}

}  // namespace
}  // namespace selvedge::codec
