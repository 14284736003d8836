// Keeper: the part of a node that holds symbols for others, under its owner's grants.
//
// A frame is stored only for an origin that has a storage grant here, and acknowledged only after the disk has synced
// it. Symbols are given to the origin's own nodes and to whoever the origin signed a Capability for, while the grant is
// in force. Taking one's own data away needs no grant: it uses nothing.
#pragma once

#include "node/core.h"

namespace selvedge::node {

/// After a revocation the origin has this long to move its data before it is deleted here.
constexpr Duration kRevokedDataKept = seconds(600);

class Keeper {
 public:
  explicit Keeper(Core& core) : core_(core) {}

  void on_store_frame(Turn& turn, const NodeKey& from, const mesh::FrameView& frame, Bytes bytes);
  void on_symbol_request(Turn& turn, const NodeKey& from, const mesh::SymbolRequest& request);
  void on_drop(Turn& turn, const NodeKey& from, const mesh::Drop& drop);
  /// The owner took the grant back: delete what the origin has here when its time to move is over.
  void on_origin_revoked(Turn& turn, const crypto::PublicKey& origin);
  /// An object was revoked: its bytes go, and authorize() keeps them from coming back. The revocation stays as its tombstone.
  void on_object_revoked(Turn& turn, const crypto::PublicKey& issuer, const object::ObjectId& object);
  void on_deadline(Turn& turn);
  Instant next_deadline() const;

 private:
  /// The record of a session peer, this node itself included. nullptr without a session.
  const object::Signed<object::NodeRecord>* record_of(const NodeKey& peer) const;
  /// Errors: kLimit, or what opening one of them says.
  Result<std::vector<object::Signed<object::Capability>>> open_chain(const std::vector<Bytes>& capabilities) const;
  Status admit(Turn& turn, const object::Signed<object::NodeRecord>& actor, const mesh::FrameView& frame);
  void serve(Turn& turn, const NodeKey& to, const mesh::SymbolRequest& request, store::Loaded loaded);
  void end(Turn& turn, const NodeKey& to, uint64_t request, uint32_t symbols, const Status& status);

  Core& core_;
  std::map<crypto::PublicKey, Instant> delete_at_;
};

}  // namespace selvedge::node
