// docs/spec/vectors/revocations.json: who took back what, from when on, and what a statement about that commits to.
#include "object/vectors/json.h"
#include "object/vectors/kinds_list.h"
#include "object/vectors/vectors.h"

namespace selvedge::object::vectors {
namespace {

using testing::kNow;
using testing::seed_of;
using testing::World;

/// A set as a checker would hold it, and the same as JSON.
class ShownSet {
 public:
  explicit ShownSet(const World& w) : set_(w.host_owner.public_key()) {}
  void add(const crypto::Signer& issuer, RevocationTarget kind, ByteView target, uint64_t cutoff, uint64_t issued) {
    const Signed<Revocation> made =
        sign_object(issuer, Revocation{issuer.public_key(), kind, RevokedId::from(target).value(), cutoff, RevocationReason::kUserRequest, issued}).value();
    CHECK(set_.add(made).ok());
    shown_.push_back(made.bytes);
  }
  const RevocationSet& set() const { return set_; }
  const std::vector<Json>& shown() const { return shown_; }

 private:
  RevocationSet set_;
  std::vector<Json> shown_;
};

ShownSet shown_set(const World& w) {
  ShownSet out(w);
  out.add(w.origin, RevocationTarget::kDevice, w.origin_node.public_key(), kNow, kNow - 10);
  out.add(w.origin, RevocationTarget::kKey, w.reader.public_key(), kNow + 100, kNow - 9);
  out.add(w.origin, RevocationTarget::kKey, w.reader.public_key(), kNow + 50, kNow - 8);
  out.add(w.origin, RevocationTarget::kKey, w.reader.public_key(), kNow + 200, kNow - 7);
  out.add(w.origin, RevocationTarget::kObject, w.stored, kNow - 6, kNow - 6);
  out.add(w.origin, RevocationTarget::kCapability, w.stored, kNow - 5, kNow - 5);
  out.add(w.stranger, RevocationTarget::kPrincipal, w.origin.public_key(), kNow - 100, kNow - 100);
  out.add(w.machine, RevocationTarget::kKey, w.machine.public_key(), 0, kNow);
  return out;
}

std::vector<Json> question_cases(const World& w, const RevocationSet& set) {
  std::vector<Json> out;
  const auto add = [&](const crypto::Signer& issuer, RevocationTarget kind, ByteView target, uint64_t at) {
    const bool revoked = set.revoked_by(issuer.public_key(), kind, target, Instant::from_unix_seconds(at));
    out.push_back(record({{"issuer", issuer.public_key()}, {"target_kind", uint64_t(kind)}, {"target", target}, {"now", at}, {"revoked", revoked}}));
  };
  add(w.origin, RevocationTarget::kDevice, w.origin_node.public_key(), kNow - 1);
  add(w.origin, RevocationTarget::kDevice, w.origin_node.public_key(), kNow);
  add(w.origin, RevocationTarget::kDevice, w.origin_node.public_key(), kNow + 1'000'000'000);
  add(w.origin, RevocationTarget::kKey, w.origin_node.public_key(), kNow);
  add(w.host_owner, RevocationTarget::kDevice, w.origin_node.public_key(), kNow);
  add(w.origin, RevocationTarget::kDevice, w.machine.public_key(), kNow);
  for (const uint64_t at : {kNow + 49, kNow + 50, kNow + 100, kNow + 200}) add(w.origin, RevocationTarget::kKey, w.reader.public_key(), at);
  add(w.origin, RevocationTarget::kObject, w.stored, kNow);
  add(w.origin, RevocationTarget::kCapability, w.stored, kNow);
  add(w.origin, RevocationTarget::kDevice, w.stored, kNow);
  add(w.stranger, RevocationTarget::kPrincipal, w.origin.public_key(), kNow);
  add(w.origin, RevocationTarget::kPrincipal, w.origin.public_key(), kNow);
  add(w.machine, RevocationTarget::kKey, w.machine.public_key(), 0);
  return out;
}

std::vector<Json> root_cases(const World& w) {
  std::vector<Json> out;
  const auto add = [&](const ShownSet& s, const crypto::Signer& owner, uint64_t as_of) {
    const RevocationSet::Root root = s.set().root_of(owner.public_key(), as_of);
    out.push_back(record({{"revocations", row(s.shown())}, {"owner", owner.public_key()}, {"as_of", as_of}, {"count", root.count}, {"root", root.root}}));
  };
  const ShownSet mixed = shown_set(w);
  for (const uint64_t as_of : {kNow - 10, kNow - 8, kNow - 5, kNow, kNow + 90 * kDay, kNow + 91 * kDay - 6, kNow + 91 * kDay - 5}) add(mixed, w.origin, as_of);
  add(mixed, w.stranger, kNow);
  add(mixed, w.host_owner, kNow);
  for (const size_t count : {size_t(1), size_t(2), size_t(3), size_t(4), size_t(5), size_t(7), size_t(8)}) {
    ShownSet many(w);
    for (size_t i = 0; i < count; ++i) {
      const Digest target = crypto::sha256(view("revoked " + std::to_string(i)));
      many.add(w.origin, i % 2 ? RevocationTarget::kKey : RevocationTarget::kObject, target, kNow + i, kNow);
    }
    add(many, w.origin, kNow);
  }
  return out;
}

}  // namespace

std::string revocations_file() {
  const World w;
  const ShownSet shown = shown_set(w);
  return document("Revocations (signed objects), questions to all of them together, and the Merkle root that a head of one owner commits to.",
                  {{"revocations", list(shown.shown())}, {"questions", list(question_cases(w, shown.set()))}, {"roots", list(root_cases(w))}});
}

}  // namespace selvedge::object::vectors
