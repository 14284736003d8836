// The kinds of shared secrets, for docs/spec/vectors/objects.json. How secrets are shared at all is in tests/vectors/crypto.
#include <algorithm>

#include "object/vectors/cast.h"

namespace selvedge::object::vectors {
namespace {

using testing::kNow;
using testing::seed_of;
using testing::World;

SecretManifest manifest_of(const World& w, SecretScheme scheme, const SplitSecret& split) {
  SecretManifest out;
  out.zone = w.zone;
  out.owner = w.origin.public_key();
  out.secret = split.secret;
  out.name = "deploy key";
  out.scheme = scheme;
  out.threshold = 2;
  out.generation = 1;
  out.holders = {{w.machine.public_key(), w.host_owner.public_key(), {"192.0.2.7:7443"}},
                 {w.origin_node.public_key(), w.origin.public_key(), {}},
                 {w.reader.public_key(), w.stranger.public_key(), {}}};
  out.commitments = split.commitments;
  out.sealed = split.sealed;
  out.sealed_digest = crypto::sha256(out.sealed);
  out.issued = kNow;
  out.expires = kNow + 365 * kDay;
  return out;
}

SplitSecret split_for(Cast& c, SecretScheme scheme) {
  const std::vector<SealPublicKey> holders = {c.w.machine_seal.public_key(), crypto::SealKeyPair(seed_of("origin node seal")).public_key(),
                                              crypto::SealKeyPair(seed_of("reader seal")).public_key()};
  return split_secret(scheme, view("a secret"), 2, c.w.zone, c.w.origin.public_key(), holders, c.drbg).value();
}

SecretShare share_of(const World& w, const Signed<SecretManifest>& manifest, const SplitSecret& split) {
  SecretShare out;
  out.zone = w.zone;
  out.owner = w.origin.public_key();
  out.manifest = manifest.id;
  out.secret = split.secret;
  out.generation = 1;
  out.number = 1;
  out.holder = w.machine.public_key();
  out.delivery = DealtShare{split.shares[0]};
  out.issued = kNow;
  out.expires = kNow + 365 * kDay;
  return out;
}

SecretRelease release_of(const World& w, const SplitSecret& split) {
  SecretRelease out;
  out.zone = w.zone;
  out.origin = w.origin.public_key();
  out.secret = split.secret;
  out.generation = 1;
  out.asker = w.origin_node.public_key();
  out.reply_key = crypto::SealKeyPair(seed_of("reply")).public_key();
  out.purpose = "sign release 1.4";
  out.scope = "use sign";
  out.issued = kNow;
  out.expires = kNow + 60;
  out.nonce.bytes.fill(4);
  return out;
}

SecretReshare reshare_of(const World& w, const SplitSecret& split) {
  SecretReshare out;
  out.zone = w.zone;
  out.owner = w.origin.public_key();
  out.secret = split.secret;
  out.generation = 1;
  out.threshold = 2;
  out.receivers = {{w.machine.public_key(), w.machine_seal.public_key()}, {w.stranger.public_key(), crypto::SealKeyPair(seed_of("stranger seal")).public_key()}};
  out.issued = kNow;
  out.expires = kNow + 600;
  return out;
}

void add_bad_secrets(Cast& c, const SecretManifest& manifest, const SecretShare& share, const SplitSecret& split) {
  const World& w = c.w;
  const auto bad = [&](const char* why, void (*bend)(SecretManifest&)) { c.refuse<SecretManifest>(w.origin, manifest, why, bend); };
  bad("one share is enough", [](SecretManifest& m) { m.threshold = 1; });
  bad("more shares than there are", [](SecretManifest& m) { m.threshold = 4; });
  bad("a node with two shares", [](SecretManifest& m) { m.holders[1].node = m.holders[0].node; });
  bad("a commitment is missing", [](SecretManifest& m) { m.commitments.pop_back(); });
  bad("another sealed secret than it names", [](SecretManifest& m) { m.sealed[0] ^= 1; });
  bad("a line break in the name", [](SecretManifest& m) { m.name = "a\nb"; });
  bad("a scheme that there is not", [](SecretManifest& m) { m.scheme = SecretScheme(0); });
  const auto wrong = [&](const char* why, void (*bend)(SecretShare&)) { c.refuse<SecretShare>(w.origin, share, why, bend); };
  wrong("share number 0", [](SecretShare& s) { s.number = 0; });
  wrong("a sealed share of no possible size", [](SecretShare& s) { s.delivery = DealtShare{Bytes(64, 1)}; });
  wrong("a refresh with one commitment", [](SecretShare& s) { s.delivery = RefreshShare{{CommitmentBytes{}}, Bytes(200, 1)}; });
  const Bytes good = codec::encode(share);
  Bytes alternative = good;
  const Bytes delivery = codec::encode(share.delivery);
  const auto at = std::search(alternative.begin(), alternative.end(), delivery.begin(), delivery.end());
  CHECK(at != alternative.end());
  at[1] = 3;
  c.refuse_bytes<SecretShare>(make_envelope(w.origin, make_payload(schema_id_of<SecretShare>(), alternative)).bytes, "an alternative that there is not");
  c.refuse<SecretRelease>(w.origin_node, release_of(w, split), "for no purpose", [](SecretRelease& r) { r.purpose.clear(); });
  c.refuse<SecretRelease>(w.origin_node, release_of(w, split), "waits longer than five minutes", [](SecretRelease& r) { r.expires = r.issued + 301; });
  c.refuse<SecretReshare>(w.origin, reshare_of(w, split), "one receiver twice", [](SecretReshare& r) { r.receivers[1].node = r.receivers[0].node; });
}

}  // namespace

void add_secrets(Cast& c) {
  const World& w = c.w;
  const SplitSecret plain = split_for(c, SecretScheme::kShamir);
  c.add(w.origin, "origin", manifest_of(w, SecretScheme::kShamir, plain));
  const SplitSecret split = split_for(c, SecretScheme::kFeldman);
  const SecretManifest manifest = manifest_of(w, SecretScheme::kFeldman, split);
  const Signed<SecretManifest> made = c.add(w.origin, "origin", manifest);
  const SecretShare share = share_of(w, made, split);
  c.add(w.origin, "origin", share);
  SecretShare other = share;
  other.generation = 2;
  other.delivery = RefreshShare{split.commitments, split.shares[0]};
  c.add(w.origin, "origin", other);
  other.delivery = ReshareShare{to_bytes(view("the old manifest")), {{1, split.commitments, split.shares[0]}, {3, split.commitments, split.shares[1]}}};
  c.add(w.origin, "origin", other);
  const SecretRelease release = release_of(w, split);
  c.add(w.origin_node, "origin node", release);
  c.add(w.origin, "origin", reshare_of(w, split));
  SecretVerdict verdict;
  verdict.zone = w.zone;
  verdict.origin = w.origin.public_key();
  verdict.secret = split.secret;
  verdict.generation = 1;
  verdict.holder = w.machine.public_key();
  verdict.asker = release.asker;
  verdict.purpose = release.purpose;
  verdict.scope = release.scope;
  verdict.nonce = release.nonce;
  verdict.error = uint8_t(Errc::kUnauthorized);
  verdict.at = kNow + 1;
  c.add(w.machine, "machine", verdict);
  add_bad_secrets(c, manifest, share, split);
}

}  // namespace selvedge::object::vectors
