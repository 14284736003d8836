#include "object/ids.h"

#include "crypto/hash.h"

namespace selvedge::object {
namespace {

/// SHA-256 over a domain tag and fields, each after its length as u64, so that no two lists of fields run together.
class FieldHash {
 public:
  explicit FieldHash(std::string_view domain) { add(view(domain)); }
  FieldHash& add(ByteView field) {
    uint8_t size[8];
    store_u64(size, field.size());
    hash_.update(size).update(field);
    return *this;
  }
  template <class Id>
  Id finish() {
    Id id;
    id.bytes = hash_.finish().bytes;
    return id;
  }

 private:
  crypto::Sha256 hash_;
};

}  // namespace

ObjectId object_id(const ZoneId& zone, const SchemaId& schema, ByteView content) {
  return FieldHash("selvedge object v1").add(zone).add(schema).add(content).finish<ObjectId>();
}

SchemaId schema_id(std::string_view name, uint16_t version, std::string_view fields) {
  uint8_t number[2];
  store_u16(number, version);
  return FieldHash("selvedge schema v1").add(view(name)).add(number).add(view(fields)).finish<SchemaId>();
}

ZoneId zone_id(const PublicKey& owner, std::string_view name) {
  return FieldHash("selvedge zone v1").add(owner).add(view(name)).finish<ZoneId>();
}

}  // namespace selvedge::object
