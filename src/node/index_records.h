// The records of the index (index.h): what an owner stored, where its symbols lie, where nodes were last seen.
//
// Each begins with its stamp, so that two versions are compared without reading the rest.
#pragma once

#include <string>
#include <vector>

#include "mesh/placement.h"
#include "node/index_messages.h"
#include "object/kinds.h"

namespace selvedge::node {

struct BlobIdTag;
/// Content in a zone: the same bytes in two zones are two blobs.
using BlobId = FixedBytes<BlobIdTag, 32>;
/// SHA-256 of "selvedge blob v1", zone id and the content's digest.
BlobId blob_id(const object::ZoneId& zone, const codec::Cid& cid);

/// What the owner knows of one blob.
struct Blob {
  Stamp stamp;
  object::ZoneId zone;
  std::string name;
  object::BlobRef ref;
  uint64_t stored = 0;   // Unix seconds
  Bytes provenance;      // a signed Provenance when it came from another zone, else empty
  template <class V> void visit(V& v) {
    v("stamp", stamp); v("zone", zone); v("name", name); v("ref", ref); v("stored", stored); v("provenance", provenance);
  }
};

/// Where the symbols of one object lie.
struct Placed {
  Stamp stamp;
  mesh::Placement placement;
  template <class V> void visit(V& v) { v("stamp", stamp); v("placement", placement); }
};

/// A node that the owner added, or one of the owner's own devices: dialled for ever.
struct PeerRecord {
  Stamp stamp;
  std::vector<std::string> addresses;
  crypto::PublicKey owner;   // as its ticket said; zero when it said nothing
  std::string label;         // of an own device
  bool holds_root = false;   // an own device: whether it holds the owner's key, by its own word
  template <class V> void visit(V& v) { v("stamp", stamp); v("addresses", addresses); v("owner", owner); v("label", label); v("holds_root", holds_root); }
  Status validate() const;
};

}  // namespace selvedge::node
