#include "node/offers.h"

#include <algorithm>

namespace selvedge::node {

namespace {

// Only holders that answer now are worth a hint.
std::vector<object::Holder> hints_of(const Core& core, const std::vector<NodeKey>& holders, const NodeKey& executor) {
  std::vector<object::Holder> out;
  for (const NodeKey& holder : holders) {
    const mesh::Peer* known = core.sessions.find(holder);
    if (known == nullptr || known->links.empty()) continue;
    out.push_back({holder, {}});
    if (holder != executor && !known->addresses.empty()) out.back().addresses.push_back(known->addresses.back());
  }
  return out;
}

}  // namespace

Result<Bytes> make_offer(Turn& turn, Core& core, const Library& library, OfferOf of) {
  const mesh::Peer* peer = core.sessions.find(of.executor);
  const object::Signed<object::Grant>* grant = core.authority.granted_by(turn.now, of.executor, object::kCompute);
  if (peer == nullptr || !peer->record || grant == nullptr) return fail(Errc::kUnavailable, "the executor went away");
  object::TaskOffer offer;
  offer.task = of.task;
  offer.zone = of.zone;
  offer.spec = std::move(of.spec);
  offer.issuer = core.self();
  offer.executor = of.executor;
  offer.grant = grant->id;
  offer.manifest = std::move(of.manifest);
  offer.blobs = std::move(of.blobs);
  std::vector<object::ObjectKey> keys;
  std::vector<NodeKey> holders;
  object::Capability leave;
  for (const object::BlobRef& blob : offer.blobs) {
    for (const object::BlockGroup& group : blob.groups) {
      const object::ObjectId object = object::unsigned_id(group);
      if (std::find(leave.objects.begin(), leave.objects.end(), object) != leave.objects.end()) continue;
      keys.push_back(TRY(library.key_of(group)));
      leave.objects.push_back(object);
      for (const NodeKey& holder : library.holders_of(object)) {
        if (std::find(holders.begin(), holders.end(), holder) == holders.end()) holders.push_back(holder);
      }
    }
  }
  std::sort(leave.objects.begin(), leave.objects.end());
  offer.holders = hints_of(core, holders, of.executor);
  if (of.leave) offer.sealed_keys = TRY(object::seal_key_leave(TRY(of.leave(keys)), of.task, peer->record->body.seal_key, core.drbg));
  else offer.sealed_keys = TRY(object::seal_object_keys(keys, of.task, peer->record->body.seal_key, core.drbg));
  offer.issued = turn.now.unix_seconds();
  offer.expires = offer.issued + kOfferTtlSeconds;
  if (!leave.objects.empty()) {
    leave.zone = of.zone;
    leave.origin = core.owner();
    leave.issuer = core.self();
    leave.audience = of.executor;
    leave.operations = {"storage.read"};
    leave.issued = offer.issued;
    leave.expires = offer.expires;
    leave.nonce = core.drbg.draw<object::Unique>();
    offer.capability = TRY(object::sign_object(*core.config.node, leave)).bytes;
  }
  return TRY(object::sign_object(*core.config.node, offer)).bytes;
}

}  // namespace selvedge::node
