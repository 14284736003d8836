// Every vector of tests/vectors/crypto/: those of the RFCs, and those that an independent program made (README.md there).
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "crypto/aead.h"
#include "crypto/hash.h"
#include "crypto/passphrase.h"
#include "crypto/seal.h"
#include "crypto/shamir.h"
#include "crypto/sign.h"
#include "crypto/vrf.h"
#include "crypto/vss.h"

namespace selvedge::crypto {
namespace {

using Fields = std::vector<std::string>;

/// One line a vector, fields between single spaces; '#' begins a comment line.
std::vector<Fields> read_vectors(const std::string& file) {
  std::ifstream in(std::string(SELVEDGE_SOURCE_DIR) + "/tests/vectors/crypto/" + file);
  EXPECT_TRUE(in.good()) << file;
  std::vector<Fields> out;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("#")) continue;
    std::istringstream words(line);
    Fields fields;
    for (std::string word; words >> word;) fields.push_back(word);
    out.push_back(fields);
  }
  return out;
}

Bytes bytes_of(const std::string& field) { return field == "-" ? Bytes() : from_hex(field).value(); }
template <class T>
T fixed_of(const std::string& field) {
  return T::from(bytes_of(field)).value();
}

// req: A1
TEST(CryptoVectors, Ed25519) {
  const std::vector<Fields> vectors = read_vectors("ed25519.txt");
  ASSERT_EQ(vectors.size(), 5u);
  for (const Fields& fields : vectors) {
    const Ed25519Signer signer(fixed_of<Seed>(fields[0]));
    const Bytes message = bytes_of(fields[2]);
    EXPECT_EQ(signer.public_key().hex(), fields[1]);
    EXPECT_EQ(signer.sign(message).hex(), fields[3]);
    EXPECT_TRUE(Ed25519Verifier().verify(signer.public_key(), message, fixed_of<Signature>(fields[3])));
  }
}

TEST(CryptoVectors, X25519) {
  const std::vector<Fields> vectors = read_vectors("x25519.txt");
  ASSERT_EQ(vectors.size(), 5u);
  for (const Fields& fields : vectors) {
    if (fields[0] == "once") {
      EXPECT_EQ(to_hex(x25519(fixed_of<Seed>(fields[1]), fixed_of<SealPublicKey>(fields[2])).value().view()), fields[3]);
      continue;
    }
    Bytes k(32), u(32);
    k[0] = u[0] = 9;
    for (int i = std::stoi(fields[1]); i > 0; --i) {
      const Bytes next = to_bytes(x25519(Seed::from(k).value(), SealPublicKey::from(u).value()).value().view());
      u = k;
      k = next;
    }
    EXPECT_EQ(to_hex(k), fields[2]) << fields[1];
  }
}

TEST(CryptoVectors, ChaCha20Poly1305) {
  const std::vector<Fields> vectors = read_vectors("chacha20poly1305.txt");
  ASSERT_EQ(vectors.size(), 2u);
  for (const Fields& fields : vectors) {
    const auto key = fixed_of<AeadKey>(fields[0]);
    const auto nonce = fixed_of<Nonce>(fields[1]);
    Bytes data = bytes_of(fields[3]);
    EXPECT_EQ(aead_seal(key, nonce, bytes_of(fields[2]), data).hex(), fields[5]);
    EXPECT_EQ(to_hex(data), fields[4]);
    ASSERT_TRUE(aead_open(key, nonce, bytes_of(fields[2]), data, fixed_of<AeadTag>(fields[5])).ok());
    EXPECT_EQ(to_hex(data), fields[3]);
  }
}

TEST(CryptoVectors, HkdfSha256) {
  const std::vector<Fields> vectors = read_vectors("hkdf.txt");
  ASSERT_EQ(vectors.size(), 3u);
  for (const Fields& fields : vectors) {
    Bytes out(fields[3].size() / 2);
    hkdf_sha256(bytes_of(fields[0]), bytes_of(fields[1]), bytes_of(fields[2]), out);
    EXPECT_EQ(to_hex(out), fields[3]);
  }
}

// req: E1
TEST(CryptoVectors, Ecvrf) {
  std::vector<Fields> vectors = read_vectors("ecvrf.txt");
  ASSERT_EQ(vectors.size(), 3u) << "RFC 9381, examples 16 to 18";
  for (const Fields& more : read_vectors("ecvrf_more.txt")) vectors.push_back(more);
  ASSERT_EQ(vectors.size(), 19u);
  for (const Fields& fields : vectors) {
    const VrfKeyPair keys(fixed_of<Seed>(fields[0]));
    const Bytes input = bytes_of(fields[2]);
    EXPECT_EQ(keys.public_key().hex(), fields[1]);
    EXPECT_EQ(keys.prove(input).value().hex(), fields[3]);
    const auto proof = fixed_of<VrfProof>(fields[3]);
    EXPECT_EQ(vrf_verify(keys.public_key(), input, proof).value().hex(), fields[4]);
    EXPECT_EQ(vrf_proof_to_hash(proof).value().hex(), fields[4]);
  }
}

// req: A14, R5
TEST(CryptoVectors, Shamir) {
  size_t sharings = 0;
  ShamirTerms terms;
  std::vector<ShamirShare> shares;
  std::string key;
  const auto combine = [&] {
    if (key.empty()) return;
    shares.resize(std::min<size_t>(shares.size(), terms.threshold));
    EXPECT_EQ(to_hex(shamir_combine(terms, shares).value().view()), key);
    ++sharings;
  };
  for (const Fields& fields : read_vectors("shamir.txt")) {
    if (fields[0] == "sharing") {
      combine();
      terms.threshold = uint8_t(std::stoi(fields[1]));
      terms.commitments.assign(size_t(std::stoi(fields[2])), Digest{});
      terms.context = fixed_of<Digest>(fields[4]);
      key = fields[3];
      shares.clear();
      continue;
    }
    ShamirShare share;
    share.number = uint8_t(std::stoi(fields[1]));
    share.salt = fixed_of<Secret<16>>(fields[2]);
    share.value = fixed_of<Secret<32>>(fields[3]);
    terms.commitments[share.number - 1] = fixed_of<Digest>(fields[4]);
    shares.push_back(std::move(share));
  }
  combine();
  EXPECT_EQ(sharings, 4u);
}

// req: A14
TEST(CryptoVectors, Vss) {
  size_t sharings = 0;
  VssCommitments commitments;
  std::vector<VssShare> shares;
  std::string secret;
  const auto combine = [&] {
    if (secret.empty()) return;
    for (const VssShare& share : shares) EXPECT_TRUE(vss_verify(commitments, share).ok());
    shares.resize(commitments.threshold());
    EXPECT_EQ(to_hex(vss_combine(commitments, shares).value().view()), secret);
    ++sharings;
  };
  for (const Fields& fields : read_vectors("vss.txt")) {
    if (fields[0] == "generator") continue;  // the Pedersen sharing fails when H is another
    if (fields[0] == "sharing") {
      combine();
      commitments.scheme = VssScheme(std::stoi(fields[1]));
      secret = fields[4];
      commitments.points.clear();
      std::istringstream points(fields[5]);
      for (std::string point; std::getline(points, point, ',');) commitments.points.push_back(fixed_of<GroupElement>(point));
      EXPECT_EQ(commitments.threshold(), size_t(std::stoi(fields[2])));
      shares.clear();
      continue;
    }
    VssShare share;
    share.number = uint8_t(std::stoi(fields[1]));
    share.value = fixed_of<GroupScalar>(fields[2]);
    share.blind = fixed_of<GroupScalar>(fields[3]);
    shares.push_back(std::move(share));
  }
  combine();
  EXPECT_EQ(sharings, 2u);
}

TEST(CryptoVectors, Passphrase) {
  const std::vector<Fields> vectors = read_vectors("passphrase.txt");
  ASSERT_EQ(vectors.size(), 2u);
  for (const Fields& fields : vectors) {
    const Result<LockedBytes> plain = passphrase_open(bytes_of(fields[0]), bytes_of(fields[3]), to_string(bytes_of(fields[1])));
    ASSERT_TRUE(plain.ok()) << plain.error().message;
    EXPECT_EQ(to_hex(plain->view()), fields[2]);
  }
}

}  // namespace
}  // namespace selvedge::crypto
