// Every kind of object: first those of the table in docs/spec/objects.md, in its order, then those of other pages. A new kind is added
// here, gets an example in objects_vectors.cc or beside it, and then the files are written anew.
#pragma once

#include <type_traits>

#include "object/audit_entry.h"
#include "object/audit_head.h"
#include "object/bridge.h"
#include "object/identity.h"
#include "object/ingress.h"
#include "object/oracle.h"
#include "object/permission.h"
#include "object/revocation.h"
#include "object/secret.h"
#include "object/sequence.h"
#include "object/test_world.h"
#include "object/zone_keys.h"

namespace selvedge::object::vectors {

/// Calls `each` with std::type_identity<T> of each kind T.
template <class Each>
void for_each_kind(Each each) {
  const auto all = [&each]<class... T>(std::type_identity<T>... kinds) { (each(kinds), ...); };
  all(std::type_identity<NodeRecord>{}, std::type_identity<Grant>{}, std::type_identity<Lease>{}, std::type_identity<ZonePolicy>{},
      std::type_identity<IssuerSet>{}, std::type_identity<Capability>{}, std::type_identity<Endorsement>{}, std::type_identity<ZoneKeyEpoch>{},
      std::type_identity<Revocation>{}, std::type_identity<RevocationHead>{}, std::type_identity<PermissionRequest>{},
      std::type_identity<PermissionDecision>{}, std::type_identity<Alert>{}, std::type_identity<Manifest>{}, std::type_identity<Provenance>{},
      std::type_identity<SequenceLink>{}, std::type_identity<TaskSpec>{}, std::type_identity<TaskOffer>{}, std::type_identity<Commitment>{},
      std::type_identity<Reveal>{}, std::type_identity<Receipt>{}, std::type_identity<BlockGroup>{}, std::type_identity<BlobRef>{},
      std::type_identity<SecretManifest>{}, std::type_identity<SecretShare>{}, std::type_identity<SecretRelease>{},
      std::type_identity<SecretReshare>{}, std::type_identity<SecretVerdict>{}, std::type_identity<IdentityToken>{}, std::type_identity<KeyEndorsement>{},
      std::type_identity<AuditEntry>{}, std::type_identity<AuditHead>{}, std::type_identity<OracleAnswer>{}, std::type_identity<IngressSet>{});
}

}  // namespace selvedge::object::vectors
