// Each primitive against the vectors of its RFC, then the promises that are ours.
#include <gtest/gtest.h>

#include "crypto/aead.h"
#include "crypto/drbg.h"
#include "crypto/hash.h"
#include "crypto/seal.h"
#include "crypto/sign.h"

namespace selvedge::crypto {
namespace {

Bytes hex(std::string_view text) { return from_hex(text).value(); }
Seed seed_of(uint8_t byte) {
  const Bytes bytes(32, byte);
  return Seed::from(bytes).value();
}

TEST(Sha256Test, MatchesFips180Examples) {
  EXPECT_EQ(sha256({}).hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256(view("abc")).hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256(view("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")).hex(),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  const Bytes million(1'000'000, 'a');
  EXPECT_EQ(sha256(million).hex(), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256Test, PiecesOfAnyLengthGiveTheSameDigest) {
  Bytes data(1000);
  for (size_t i = 0; i < data.size(); ++i) data[i] = uint8_t(i * 7);
  for (size_t step : {1u, 3u, 63u, 64u, 65u, 999u}) {
    Sha256 hash;
    for (size_t at = 0; at < data.size(); at += step) {
      hash.update(ByteView(data).subspan(at, std::min(step, data.size() - at)));
    }
    EXPECT_EQ(hash.finish(), sha256(data)) << step;
    EXPECT_EQ(hash.finish(), sha256({})) << "finish starts anew";
  }
}

TEST(HmacTest, MatchesRfc4231) {
  EXPECT_EQ(hmac_sha256(Bytes(20, 0x0b), view("Hi There")).hex(),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(hmac_sha256(view("Jefe"), view("what do ya want for nothing?")).hex(),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(hmac_sha256(Bytes(131, 0xaa), view("Test Using Larger Than Block-Size Key - Hash Key First")).hex(),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(HkdfTest, MatchesRfc5869) {
  Bytes out(42);
  hkdf_sha256(Bytes(22, 0x0b), hex("000102030405060708090a0b0c"), hex("f0f1f2f3f4f5f6f7f8f9"), out);
  EXPECT_EQ(to_hex(out), "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
  hkdf_sha256(Bytes(22, 0x0b), {}, {}, out);
  EXPECT_EQ(to_hex(out), "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
  Bytes key(80), salt(80), info(80), longer(82);
  for (size_t i = 0; i < 80; ++i) {
    key[i] = uint8_t(i);
    salt[i] = uint8_t(0x60 + i);
    info[i] = uint8_t(0xb0 + i);
  }
  hkdf_sha256(key, salt, info, longer);
  EXPECT_EQ(to_hex(longer),
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
            "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87");
}

struct Ed25519Vector {
  const char* seed;
  const char* key;
  const char* message;
  const char* signature;
};

// RFC 8032 7.1, tests 1 to 3.
constexpr Ed25519Vector kEd25519Vectors[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
     "d25bf5f0595bbe24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
     "387b2eaeb4302aeeb00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
     "4a7c15e9716ed28dc027beceea1ec40a"}};

// req: A1
TEST(Ed25519Test, MatchesRfc8032) {
  const Ed25519Verifier verifier;
  for (const Ed25519Vector& vector : kEd25519Vectors) {
    const Ed25519Signer signer(Seed::from(hex(vector.seed)).value());
    const Bytes message = hex(vector.message);
    EXPECT_EQ(signer.public_key().hex(), vector.key);
    const Signature signature = signer.sign(message);
    EXPECT_EQ(signature.hex(), vector.signature);
    EXPECT_TRUE(verifier.verify(signer.public_key(), message, signature));
  }
}

TEST(Ed25519Test, RefusesChangedAndMalleableSignatures) {
  const Ed25519Verifier verifier;
  const Ed25519Signer signer(seed_of(1));
  const Signature good = signer.sign(view("message"));
  EXPECT_FALSE(verifier.verify(signer.public_key(), view("messagf"), good));
  EXPECT_FALSE(verifier.verify(Ed25519Signer(seed_of(2)).public_key(), view("message"), good));
  for (size_t i = 0; i < 64; ++i) {
    Signature bad = good;
    bad.bytes[i] ^= 1;
    EXPECT_FALSE(verifier.verify(signer.public_key(), view("message"), bad)) << i;
  }
  // S + L is the same scalar modulo the group order: a second spelling of the same signature.
  const Bytes order = hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
  Signature second = good;
  unsigned carry = 0;
  for (size_t i = 0; i < 32; ++i) {
    carry += unsigned(second.bytes[32 + i]) + order[i];
    second.bytes[32 + i] = uint8_t(carry);
    carry >>= 8;
  }
  EXPECT_FALSE(verifier.verify(signer.public_key(), view("message"), second));
}

TEST(Ed25519Test, RefusesKeysOfSmallOrder) {
  // With the identity as key, R = identity and S = 0 satisfy the plain equation for every message.
  PublicKey identity;
  identity.bytes[0] = 1;
  Signature forged;
  forged.bytes[0] = 1;
  EXPECT_FALSE(Ed25519Verifier().verify(identity, view("anything"), forged));
}

TEST(SimSignerTest, SignsForItsOwnKeyOnly) {
  SimKeyring keyring;
  const SimSigner alice(seed_of(1), keyring);
  const SimSigner bob(seed_of(2), keyring);
  const SimVerifier verifier(keyring);
  const Signature signature = alice.sign(view("message"));
  EXPECT_TRUE(verifier.verify(alice.public_key(), view("message"), signature));
  EXPECT_FALSE(verifier.verify(bob.public_key(), view("message"), signature));
  EXPECT_FALSE(verifier.verify(alice.public_key(), view("massage"), signature));
  EXPECT_FALSE(Ed25519Verifier().verify(alice.public_key(), view("message"), signature));
  SimKeyring elsewhere;
  EXPECT_FALSE(SimVerifier(elsewhere).verify(alice.public_key(), view("message"), signature)) << "unknown key";
  const Ed25519Signer real(seed_of(1));
  EXPECT_FALSE(verifier.verify(real.public_key(), view("message"), real.sign(view("message"))));
}

TEST(AeadTest, MatchesRfc8439) {
  Bytes key_bytes(32);
  for (size_t i = 0; i < 32; ++i) key_bytes[i] = uint8_t(0x80 + i);
  const AeadKey key = AeadKey::from(key_bytes).value();
  const Nonce nonce = Nonce::from(hex("070000004041424344454647")).value();
  const Bytes aad = hex("50515253c0c1c2c3c4c5c6c7");
  const std::string_view text =
      "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.";
  Bytes data = to_bytes(view(text));
  const AeadTag tag = aead_seal(key, nonce, aad, data);
  EXPECT_EQ(to_hex(data),
            "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b"
            "1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
            "3ff4def08e4b7a9de576d26586cec64b6116");
  EXPECT_EQ(tag.hex(), "1ae10b594f09e26a7e902ecbd0600691");
  ASSERT_TRUE(aead_open(key, nonce, aad, data, tag).ok());
  EXPECT_EQ(to_string(data), text);
}

TEST(AeadTest, RefusesAnyChangeAndLeavesTheDataAlone) {
  const AeadKey key = AeadKey::from(Bytes(32, 7)).value();
  const Nonce nonce;
  Bytes sealed = to_bytes(view("forty-two bytes would be a nice length too"));
  const AeadTag tag = aead_seal(key, nonce, view("aad"), sealed);
  for (size_t i = 0; i < sealed.size(); ++i) {
    Bytes changed = sealed;
    changed[i] ^= 0x80;
    const Bytes before = changed;
    const Status status = aead_open(key, nonce, view("aad"), changed, tag);
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.code(), Errc::kIntegrity);
    EXPECT_EQ(changed, before);
  }
  EXPECT_FALSE(aead_open(key, nonce, view("aae"), sealed, tag).ok());
  AeadTag other = tag;
  other.bytes[15] ^= 1;
  EXPECT_FALSE(aead_open(key, nonce, view("aad"), sealed, other).ok());
  Bytes empty;
  const AeadTag empty_tag = aead_seal(key, nonce, {}, empty);
  EXPECT_TRUE(aead_open(key, nonce, {}, empty, empty_tag).ok());
}

TEST(X25519Test, MatchesRfc7748) {
  const Seed scalar = Seed::from(hex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4")).value();
  const SealPublicKey point =
      SealPublicKey::from(hex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c")).value();
  EXPECT_EQ(to_hex(x25519(scalar, point).value().view()),
            "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
  // Section 6.1: both sides of a Diffie-Hellman exchange.
  const Seed alice = Seed::from(hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")).value();
  const Seed bob = Seed::from(hex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")).value();
  const SealKeyPair alice_pair(alice.clone());
  const SealKeyPair bob_pair(bob.clone());
  EXPECT_EQ(alice_pair.public_key().hex(), "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
  EXPECT_EQ(bob_pair.public_key().hex(), "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
  const char* const shared = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742";
  EXPECT_EQ(to_hex(x25519(alice, bob_pair.public_key()).value().view()), shared);
  EXPECT_EQ(to_hex(x25519(bob, alice_pair.public_key()).value().view()), shared);
}

TEST(X25519Test, RefusesLowOrderPoints) {
  EXPECT_EQ(x25519(seed_of(1), SealPublicKey{}).code(), Errc::kInvalid);
}

TEST(SealTest, BothSidesArriveAtTheSameKeys) {
  // docs/spec/objects.md, "Sealed to a device", done by hand: so both public keys are shown to be in the derivation.
  Drbg drbg(seed_of(3));
  const SealKeyPair recipient(seed_of(4));
  const StartedSeal started = start_seal(recipient.public_key(), drbg).value();
  const SealKeys found = recipient.keys_for(started.ephemeral).value();
  EXPECT_TRUE(found.key.equals(started.keys.key));
  EXPECT_EQ(found.nonce, started.keys.nonce);
  Bytes info = to_bytes(started.ephemeral);
  append(info, recipient.public_key());
  Bytes material(44);
  hkdf_sha256(x25519(seed_of(4), started.ephemeral).value().view(), view("selvedge seal v1"), info, material);
  EXPECT_EQ(to_bytes(found.key.view()), to_bytes(ByteView(material).first(32)));
  EXPECT_EQ(to_bytes(found.nonce), to_bytes(ByteView(material).last(12)));
  EXPECT_NE(start_seal(recipient.public_key(), drbg).value().ephemeral, started.ephemeral) << "a fresh ephemeral key each time";
  EXPECT_EQ(start_seal(SealPublicKey{}, drbg).code(), Errc::kInvalid);
  EXPECT_EQ(recipient.keys_for(SealPublicKey{}).code(), Errc::kInvalid);
}

TEST(DrbgTest, OneSeedOneStreamWhateverTheCuts) {
  Drbg whole(seed_of(9));
  Bytes expected(5000);
  whole.fill(expected);
  Drbg pieces(seed_of(9));
  Bytes got;
  for (size_t size = 1; got.size() < expected.size(); size = size * 3 + 1) {
    Bytes part(std::min(size, expected.size() - got.size()));
    pieces.fill(part);
    append(got, part);
  }
  EXPECT_EQ(got, expected);
  Drbg other(seed_of(10));
  Bytes different(5000);
  other.fill(different);
  EXPECT_NE(different, expected);
}

TEST(DrbgTest, ForksAndOsSeedsAreIndependent) {
  Drbg parent(seed_of(9));
  Drbg first = parent.fork();
  Drbg second = parent.fork();
  EXPECT_NE(first.draw<Digest>(), second.draw<Digest>());
  EXPECT_NE(Drbg::from_os().draw<Digest>(), Drbg::from_os().draw<Digest>());
}

TEST(SecretTest, MovingWipesTheSource) {
  Secret<32> source = seed_of(1);
  const uint8_t* memory = source.view().data();
  const Secret<32> target = std::move(source);
  EXPECT_TRUE(target.equals(seed_of(1)));
  for (size_t i = 0; i < 32; ++i) EXPECT_EQ(memory[i], 0);
  EXPECT_FALSE(target.equals(seed_of(2)));
}

TEST(SecretTest, DestructionWipes) {
  alignas(Secret<32>) uint8_t place[sizeof(Secret<32>)];
  auto* secret = new (place) Secret<32>(seed_of(0x5a));
  EXPECT_EQ(place[7], 0x5a);
  secret->~Secret<32>();
  for (const volatile uint8_t& byte : place) EXPECT_EQ(byte, 0);
}

TEST(SecretTest, RefusesOtherLengths) {
  EXPECT_EQ(Seed::from(Bytes(31)).code(), Errc::kInvalid);
  EXPECT_EQ(Seed::from(Bytes(33)).code(), Errc::kInvalid);
}

}  // namespace
}  // namespace selvedge::crypto
