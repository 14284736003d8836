// IndexHead on hosts: where the copy of an owner's index lies, found by who holds the owner's root and by nobody else.
//
//   name  = HKDF(zone root; owner's key, "selvedge index slot v1" || slot)          32 bytes, the object id of a slot
//   key   = HKDF(zone root; salt, "selvedge index head v1")                         salt: 32 random bytes, in front of what it seals
//   frame = a whole-object frame: salt, ChaCha20-Poly1305(key, zero nonce, aad = name) of the CBOR of CopyState
//
// The names need no memory: whoever has nothing but the root asks any host for them. Names stay while contents change, so the key may not follow
// from the name (R12): each writing has a salt of its own, and with it a key of its own. There are two slots, written in turn, so that a crash
// in the middle of one leaves the other. A host may keep showing an old one: of several hosts the highest generation counts.
#pragma once

#include "crypto/drbg.h"
#include "mesh/frame.h"
#include "mesh/placement.h"
#include "node/index_messages.h"
#include "object/kinds.h"

namespace selvedge::node {

constexpr uint32_t kIndexSlots = 2;
constexpr size_t kCopyBatchesMax = 24;
constexpr size_t kCopyPiecesMax = 64;     // of one batch
constexpr size_t kCopyHostsMax = 6;       // that keep the copy
constexpr size_t kCopyStateBytesMax = mesh::kFrameBytesMax - 1024;

/// Up to 8 MiB of CBOR, kept like any other content of the owner's zone.
struct CopyPiece {
  object::BlockGroup group;
  mesh::Placement placement;
  template <class V> void visit(V& v) { v("group", group); v("placement", placement); }
};

/// The entries written after `from` and up to `upto`, as a list of IndexEntry in each piece.
struct CopyBatch {
  std::vector<WriterSeen> from;
  std::vector<WriterSeen> upto;
  uint64_t entries = 0;
  std::vector<CopyPiece> pieces;
  template <class V> void visit(V& v) { v("from", from); v("upto", upto); v("entries", entries); v("pieces", pieces); }
};

struct CopyState {
  uint64_t generation = 0;
  uint64_t writer = 0;                 // of the index entries of the store that wrote it
  uint64_t saved = 0;                  // Unix seconds
  std::vector<CopyBatch> batches;      // oldest first
  std::vector<CopyPiece> records;      // the owner's signed objects: a list of bytes in each
  crypto::Digest records_digest;
  std::vector<object::Holder> hosts;   // where the pieces' holders were
  template <class V> void visit(V& v) {
    v("generation", generation); v("writer", writer); v("saved", saved); v("batches", batches); v("records", records);
    v("records_digest", records_digest); v("hosts", hosts);
  }
  Status validate() const;
};

object::ObjectId index_slot(const crypto::Seed& zone_root, const crypto::PublicKey& owner, uint32_t slot);
/// A kStore frame for the slot. Errors: kLimit (the state does not fit a frame).
Result<Bytes> seal_index_head(const CopyState& state, const crypto::Seed& zone_root, const object::ObjectId& slot, const object::ZoneId& zone, uint64_t expires,
                              crypto::Drbg& drbg);
/// Errors: kInvalid, kIntegrity (not sealed under this root for this slot), or what decoding said.
Result<CopyState> open_index_head(const mesh::FrameView& frame, const crypto::Seed& zone_root);

}  // namespace selvedge::node
