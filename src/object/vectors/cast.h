// Who signs the examples of objects.json, and the lists that the examples go into.
#pragma once

#include "object/vectors/json.h"
#include "object/vectors/kinds_list.h"

namespace selvedge::object::vectors {

/// The world of the tests, and the names of its seeds: a seed is the SHA-256 of its name.
struct Cast {
  testing::World w;
  crypto::Drbg drbg{testing::seed_of("vectors: objects")};
  std::vector<Json> signed_cases, unsigned_cases, refused, commitments;

  template <class T>
  Signed<T> add(const crypto::Signer& signer, const char* signer_name, const T& body) {
    Signed<T> made = sign_object(signer, body).value();
    const OpenedEnvelope opened = open_envelope(made.bytes, w.verifier).value();
    CHECK(open_object<T>(made.bytes, w.verifier).value().id == made.id);
    signed_cases.push_back(record({{"kind", T::kName},
                                   {"version", T::kVersion},
                                   {"signer", signer_name},
                                   {"signer_seed", testing::seed_of(signer_name).view()},
                                   {"fields", fields_of(body)},
                                   {"body", codec::encode(body)},
                                   {"signed_bytes", opened.signed_bytes},
                                   {"object", made.bytes},
                                   {"id", made.id}}));
    return made;
  }
  template <class T>
  void add_unsigned(const T& body) {
    CHECK(open_unsigned<T>(unsigned_bytes(body)).ok());
    unsigned_cases.push_back(record({{"kind", T::kName},
                                     {"version", T::kVersion},
                                     {"fields", fields_of(body)},
                                     {"body", codec::encode(body)},
                                     {"payload", unsigned_bytes(body)},
                                     {"id", unsigned_id(body)}}));
  }
  template <class T>
  void refuse_bytes(const Bytes& object, const char* why) {
    const auto opened = open_object<T>(object, w.verifier);
    CHECK(!opened.ok());
    refused.push_back(record({{"kind", T::kName}, {"object", object}, {"expect", expectation(opened)}, {"why", why}}));
  }
  /// Signed past sign_object, which would have refused it.
  template <class T>
  void refuse(const crypto::Signer& signer, T body, const char* why, void (*bend)(T&)) {
    CHECK(sign_object(signer, body).ok());
    bend(body);
    refuse_bytes<T>(make_envelope(signer, make_payload(schema_id_of<T>(), codec::encode(body))).bytes, why);
  }
};

/// The kinds of shared secrets (secret.h), good and bad.
void add_secrets(Cast& c);
/// Those of identity tokens (identity.h).
void add_identities(Cast& c);
/// Those of audit logs (audit_entry.h, audit_head.h).
void add_audit(Cast& c);
/// Those of oracles (oracle.h).
void add_oracles(Cast& c);
/// That of services (ingress.h).
void add_ingress(Cast& c);

}  // namespace selvedge::object::vectors
