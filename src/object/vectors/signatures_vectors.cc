// docs/spec/vectors/signatures.json: Ed25519 as strictly as it is verified here. Implementations differ about signatures that no honest
// signer makes (small-order points, a cofactor in the equation); where several machines must come to one verdict, they may not.
#include "crypto/sign.h"
#include "object/vectors/json.h"
#include "object/vectors/vectors.h"

namespace selvedge::object::vectors {
namespace {

constexpr const char* kSeeds[][2] = {
    // RFC 8032 7.1, tests 1 to 3: seed and message
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", ""},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", "72"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7", "af82"},
};

/// Made by arithmetic on the curve: a is a secret scalar, r a nonce, T a point of order 8, k = SHA-512(R, A, message).
struct Edge {
  const char* why;
  const char* key;
  const char* message;
  const char* signature;
};
constexpr Edge kEdges[] = {
    {"an ordinary signature",
     "0c38d0a24e6ab8d58c402861c50c448dffb55673b9ca038779107b400fd9f0da",
     "73656c7665646765",
     "ea065bb213d554d4ec2e6ccc4051b15ec031106d8918fa4f12f5fb5d28060f3b08ddce91a13a990bdc7f7d19d281e01e526a56c9aededaa1a81415b8b715b508"},
    {"S raised by the group order",
     "0c38d0a24e6ab8d58c402861c50c448dffb55673b9ca038779107b400fd9f0da",
     "73656c7665646765",
     "ea065bb213d554d4ec2e6ccc4051b15ec031106d8918fa4f12f5fb5d28060f3bf5b0c4eebb9dab63b21c75bcb07bbf33526a56c9aededaa1a81415b8b715b518"},
    {"S of which the top bit is set",
     "0c38d0a24e6ab8d58c402861c50c448dffb55673b9ca038779107b400fd9f0da",
     "73656c7665646765",
     "ea065bb213d554d4ec2e6ccc4051b15ec031106d8918fa4f12f5fb5d28060f3b08ddce91a13a990bdc7f7d19d281e01e526a56c9aededaa1a81415b8b715b588"},
    {"the key, R and S of nobody: neutral element",
     "0100000000000000000000000000000000000000000000000000000000000000",
     "73656c7665646765",
     "01000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"},
    {"a key of order 8, and a message for which that does not show",
     "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
     "73656c76656467652030",
     "ea065bb213d554d4ec2e6ccc4051b15ec031106d8918fa4f12f5fb5d28060f3b4a2de6d6ff41a6c15137ce9fd3019a592cfa447267c397213d22677673a0d209"},
    {"the key is the neutral element",
     "0100000000000000000000000000000000000000000000000000000000000000",
     "73656c7665646765",
     "ea065bb213d554d4ec2e6ccc4051b15ec031106d8918fa4f12f5fb5d28060f3b4a2de6d6ff41a6c15137ce9fd3019a592cfa447267c397213d22677673a0d209"},
    {"the key is the neutral element, written with its sign bit set",
     "0100000000000000000000000000000000000000000000000000000000000080",
     "73656c7665646765",
     "ea065bb213d554d4ec2e6ccc4051b15ec031106d8918fa4f12f5fb5d28060f3b4a2de6d6ff41a6c15137ce9fd3019a592cfa447267c397213d22677673a0d209"},
    {"the key is the neutral element, written as p+1",
     "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
     "73656c7665646765",
     "ea065bb213d554d4ec2e6ccc4051b15ec031106d8918fa4f12f5fb5d28060f3b4a2de6d6ff41a6c15137ce9fd3019a592cfa447267c397213d22677673a0d209"},
    {"R is the neutral element",
     "0c38d0a24e6ab8d58c402861c50c448dffb55673b9ca038779107b400fd9f0da",
     "73656c7665646765",
     "010000000000000000000000000000000000000000000000000000000000000057067946e677e693d6f288768f0ad077f55b3cd08bee480f4b6cf944789fc60f"},
    {"R is the neutral element, written as p+1",
     "0c38d0a24e6ab8d58c402861c50c448dffb55673b9ca038779107b400fd9f0da",
     "73656c7665646765",
     "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f44b54523411ed84abd503f2ae32f5b4a6d8025f31a47c52c7f2d298fbd916d0d"},
    {"R of order 8, counted away by the cofactor",
     "0c38d0a24e6ab8d58c402861c50c448dffb55673b9ca038779107b400fd9f0da",
     "73656c7665646765",
     "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a6b57e399aa35397c1830b49670b063d4d74c77f1db16034ae3c0a4927778600b"},
    {"a key with a part of order 8, for a message where that part vanishes",
     "7a460f223188b11ec4f3d06765729741de887c002552cd3f16b5a6b6a855d564",
     "73656c7665646765203139",
     "ea065bb213d554d4ec2e6ccc4051b15ec031106d8918fa4f12f5fb5d28060f3b7a51b8e2238247c19a1fc573fa40688e871691ace59e8edf8a855c92c402a906"},
    {"a key with a part of order 8, counted away by the cofactor only",
     "7a460f223188b11ec4f3d06765729741de887c002552cd3f16b5a6b6a855d564",
     "73656c76656467652030",
     "ea065bb213d554d4ec2e6ccc4051b15ec031106d8918fa4f12f5fb5d28060f3bdbeb44b7e046d64a6c5b0ad388c617c056480ea538845c5b379643c5ef0cfb03"},
    {"R with a part of order 8, counted away by the cofactor only",
     "0c38d0a24e6ab8d58c402861c50c448dffb55673b9ca038779107b400fd9f0da",
     "73656c7665646765",
     "63878734e65d4755c7d5ae9f9d55e6953aea0e54af772bdb2498003aee36a81c806602673095f8dd46c81c49d2fb58e02762b99725b2b8d81e09174566d2ca0d"},
    {"another message",
     "0c38d0a24e6ab8d58c402861c50c448dffb55673b9ca038779107b400fd9f0da",
     "73656c7665646766",
     "ea065bb213d554d4ec2e6ccc4051b15ec031106d8918fa4f12f5fb5d28060f3b08ddce91a13a990bdc7f7d19d281e01e526a56c9aededaa1a81415b8b715b508"},
    {"a key that is no point",
     "0200000000000000000000000000000000000000000000000000000000000000",
     "73656c7665646765",
     "ea065bb213d554d4ec2e6ccc4051b15ec031106d8918fa4f12f5fb5d28060f3b4a2de6d6ff41a6c15137ce9fd3019a592cfa447267c397213d22677673a0d209"},
};

/// What the strict rule says of kEdges, in their order.
constexpr bool kValid[] = {true, false, false, false, false, false, false, false, false, false, false, true, false, false, false, false};
static_assert(std::size(kValid) == std::size(kEdges));

}  // namespace

std::string signatures_file() {
  const crypto::Ed25519Verifier verifier;
  std::vector<Json> made, verdicts;
  for (const auto& [seed, message] : kSeeds) {
    const crypto::Ed25519Signer signer(crypto::Seed::from(from_hex(seed).value()).value());
    const Bytes bytes = from_hex(message).value();
    made.push_back(record({{"seed", seed}, {"key", signer.public_key()}, {"message", bytes}, {"signature", signer.sign(bytes)}}));
  }
  for (size_t i = 0; i < std::size(kEdges); ++i) {
    const Edge& edge = kEdges[i];
    const bool valid = verifier.verify(crypto::PublicKey::from(from_hex(edge.key).value()).value(), from_hex(edge.message).value(),
                                       crypto::Signature::from(from_hex(edge.signature).value()).value());
    CHECK(valid == kValid[i]);
    verdicts.push_back(record({{"key", edge.key}, {"message", edge.message}, {"signature", edge.signature}, {"valid", valid}, {"why", edge.why}}));
  }
  return document("Ed25519: signatures of RFC 8032 7.1, and verdicts about signatures that implementations disagree on.",
                  {{"made", list(made)}, {"verdicts", list(verdicts)}});
}

}  // namespace selvedge::object::vectors
