#include "node/index_records.h"

#include "crypto/hash.h"
#include "mesh/session.h"
#include "node/enrolment.h"

namespace selvedge::node {

BlobId blob_id(const object::ZoneId& zone, const codec::Cid& cid) {
  Bytes name = to_bytes(view("selvedge blob v1"));
  append(name, zone);
  append(name, cid.digest);
  return BlobId::from(crypto::sha256(name)).value();
}

Status PeerRecord::validate() const {
  if (addresses.size() > mesh::kAddressesPerPeerMax) return fail(Errc::kLimit, "too many addresses of one node");
  for (const std::string& address : addresses) {
    if (address.empty() || address.size() > object::kAddressSizeMax) return fail(Errc::kInvalid, "an address is empty or too long");
  }
  return check_label(label);
}

}  // namespace selvedge::node
