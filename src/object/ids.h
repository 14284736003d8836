// How mesh objects, schemas and zones are named.
//
// Each name is SHA-256 over a domain tag and the named fields, every one of them length-prefixed, so that no two different
// inputs run together and no name of one sort can be passed off as another. This is the only derivation of an ObjectId (ruling R9):
// plain content has a Cid.
#pragma once

#include <string_view>

#include "codec/schema.h"
#include "crypto/types.h"

namespace selvedge::object {

struct ObjectIdTag;
struct SchemaIdTag;
struct ZoneIdTag;

/// The name of a mesh object: zone, schema and content in one hash.
using ObjectId = FixedBytes<ObjectIdTag, 32>;
/// The name of a kind of object: its name, version and fields.
using SchemaId = FixedBytes<SchemaIdTag, 32>;
/// The name of a zone. It commits to the owner's key, so that who rules a zone needs no registry.
using ZoneId = FixedBytes<ZoneIdTag, 32>;

using crypto::Digest;
using crypto::PublicKey;
using crypto::SealPublicKey;
using codec::Cid;

/// spec: FM 4.1 (with R9). SHA-256 of "selvedge object v1", zone, schema, content, each after its length as u64.
ObjectId object_id(const ZoneId& zone, const SchemaId& schema, ByteView content);
/// spec: FM 4.3. SHA-256 of "selvedge schema v1", name, version (u16), field description, each after its length.
SchemaId schema_id(std::string_view name, uint16_t version, std::string_view fields);
/// The zone that `owner` calls `name`. SHA-256 of "selvedge zone v1", owner, name, each after its length.
ZoneId zone_id(const PublicKey& owner, std::string_view name);

/// The schema id of a kind with kName, kVersion and visit(). Computed once per kind.
template <class T>
const SchemaId& schema_id_of() {
  static const SchemaId id = schema_id(T::kName, T::kVersion, codec::describe<T>());
  return id;
}

/// The zone an object belongs to: its `zone` field, or the zero zone for kinds outside any zone.
template <class T>
ZoneId zone_of(const T& body) {
  if constexpr (requires { ZoneId(body.zone); }) return body.zone;
  else return ZoneId{};
}

}  // namespace selvedge::object
