// docs/spec/vectors/symbols.json: from the root of a zone's keys to the bytes of one sealed symbol.
#include "object/vectors/json.h"
#include "object/vectors/kinds_list.h"
#include "object/vectors/vectors.h"

namespace selvedge::object::vectors {
namespace {

using testing::seed_of;

/// One zone with three epochs.
struct KeyedZone {
  ZoneId zone = testing::World().zone;
  ZoneKeys keys{zone};
  KeyedZone() {
    for (uint64_t epoch = 1; epoch <= 3; ++epoch) CHECK(keys.add_epoch(epoch, zone_epoch_secret(seed_of("zone root"), zone, epoch)).ok());
  }
};

std::vector<Json> epoch_cases(const KeyedZone& z) {
  std::vector<Json> out;
  for (const uint64_t epoch : {uint64_t(1), uint64_t(2), uint64_t(3), uint64_t(1) << 40, UINT64_MAX}) {
    out.push_back(record({{"root", seed_of("zone root").view()}, {"zone", z.zone}, {"epoch", epoch}, {"secret", zone_epoch_secret(seed_of("zone root"), z.zone, epoch).view()}}));
  }
  return out;
}

std::vector<Json> tag_cases(const KeyedZone& z) {
  std::vector<Json> out;
  for (const std::string_view content : {"", "hello", "hello, world"}) {
    for (uint64_t epoch = 1; epoch <= 2; ++epoch) {
      const Digest hash = crypto::sha256(view(content));
      out.push_back(record({{"zone", z.zone}, {"epoch_secret", zone_epoch_secret(seed_of("zone root"), z.zone, epoch).view()}, {"content", view(content)},
                            {"content_sha256", hash}, {"tag", z.keys.content_tag(epoch, hash, content.size()).value()}}));
    }
  }
  return out;
}

struct SymbolCase {
  uint64_t epoch;
  uint64_t object_bytes;
  uint32_t symbol_bytes;
  uint8_t sbn;
  uint32_t esi;
  Bytes plaintext;
};

/// The associated data and nonce as docs/spec/objects.md has them; that they are right shows in the last CHECK.
Json symbol_case(const KeyedZone& z, const ObjectId& object, const SymbolCase& c) {
  const ObjectKey key = z.keys.object_key(c.epoch, object, c.object_bytes, c.symbol_bytes).value();
  Bytes sealed = c.plaintext;
  const crypto::AeadTag tag = seal_symbol(key, key.place(c.sbn, c.esi), sealed);
  const uint32_t place = uint32_t(c.sbn) << 24 | c.esi;
  crypto::Nonce nonce;
  store_u32(nonce.bytes.data() + 8, place);
  Bytes aad = to_bytes(object);
  append_u32(aad, place);
  append_u64(aad, c.object_bytes);
  append_u32(aad, c.symbol_bytes);
  Bytes opened = sealed;
  CHECK(crypto::aead_open(key.key(), nonce, aad, opened, tag).ok() && opened == c.plaintext);
  return record({{"zone", z.zone},
                 {"epoch_secret", zone_epoch_secret(seed_of("zone root"), z.zone, c.epoch).view()},
                 {"object", object},
                 {"object_bytes", c.object_bytes},
                 {"symbol_bytes", c.symbol_bytes},
                 {"sbn", c.sbn},
                 {"esi", c.esi},
                 {"key", key.key().view()},
                 {"nonce", nonce},
                 {"aad", aad},
                 {"plaintext", c.plaintext},
                 {"ciphertext", sealed},
                 {"tag", tag}});
}

std::vector<Json> symbol_cases(const KeyedZone& z) {
  const ObjectId one = object_id(z.zone, SchemaId{}, view("one"));
  const ObjectId two = object_id(z.zone, SchemaId{}, view("two"));
  const Bytes plain(32, 0x5a);
  std::vector<Json> out;
  out.push_back(symbol_case(z, one, {1, 5000, 32, 0, 0, plain}));
  out.push_back(symbol_case(z, one, {1, 5000, 32, 0, 1, plain}));
  out.push_back(symbol_case(z, one, {1, 5000, 32, 1, 0, plain}));
  out.push_back(symbol_case(z, one, {1, 5000, 32, 255, kEsiMax, plain}));
  out.push_back(symbol_case(z, one, {2, 5000, 32, 0, 0, plain}));
  out.push_back(symbol_case(z, two, {1, 5000, 32, 0, 0, plain}));
  out.push_back(symbol_case(z, one, {1, 5001, 32, 0, 0, plain}));
  out.push_back(symbol_case(z, one, {1, 5, 0, 0, 0, to_bytes(view("whole"))}));
  out.push_back(symbol_case(z, one, {1, uint64_t(1) << 40, 1024, 3, 77, Bytes(1024, 1)}));
  return out;
}

/// The key of the first case above, and everything about its place changed in turn.
std::vector<Json> refused_symbols(const KeyedZone& z) {
  const ObjectId one = object_id(z.zone, SchemaId{}, view("one"));
  const ObjectKey key = z.keys.object_key(1, one, 5000, 32).value();
  Bytes sealed(32, 0x5a);
  const crypto::AeadTag tag = seal_symbol(key, key.place(0, 0), sealed);
  std::vector<Json> out;
  const auto add = [&](SymbolPlace place, const Bytes& ciphertext, const crypto::AeadTag& with, const char* why) {
    Bytes copy = ciphertext;
    const Status status = open_symbol(key, place, copy, with);
    CHECK(!status.ok());
    out.push_back(record({{"key", key.key().view()}, {"object", one}, {"key_object_bytes", key.object_bytes()}, {"key_symbol_bytes", key.symbol_bytes()},
                          {"object_bytes", place.object_bytes}, {"symbol_bytes", place.symbol_bytes}, {"sbn", place.sbn}, {"esi", place.esi},
                          {"ciphertext", ciphertext}, {"tag", with}, {"expect", expectation(status)}, {"why", why}}));
  };
  add(key.place(0, 1), sealed, tag, "another symbol");
  add(key.place(1, 0), sealed, tag, "another block");
  add(key.place(0, kEsiMax + 1), sealed, tag, "a symbol number above 24 bits");
  add({0, 0, 5001, 32}, sealed, tag, "another object size than the key's");
  add({0, 0, 5000, 16}, sealed, tag, "another symbol size than the key's");
  Bytes changed = sealed;
  changed[0] ^= 1;
  add(key.place(0, 0), changed, tag, "the ciphertext was changed");
  crypto::AeadTag other = tag;
  other.bytes[15] ^= 1;
  add(key.place(0, 0), sealed, other, "the tag was changed");
  return out;
}

Json sealed_epoch(const KeyedZone& z) {
  crypto::Drbg drbg(seed_of("vectors: epoch"));
  const Bytes sealed = z.keys.seal_epoch(2, crypto::SealKeyPair(seed_of("machine seal")).public_key(), drbg).value();
  Bytes context = to_bytes(view("selvedge zone epoch v1"));
  append(context, z.zone);
  append_u64(context, 2);
  return record({{"device_seed", seed_of("machine seal").view()}, {"zone", z.zone}, {"epoch", uint64_t(2)}, {"context", context}, {"sealed", sealed},
                 {"secret", zone_epoch_secret(seed_of("zone root"), z.zone, 2).view()}});
}

Json task_keys(const KeyedZone& z) {
  crypto::Drbg drbg(seed_of("vectors: task keys"));
  const testing::World w;
  std::vector<ObjectKey> keys;
  std::vector<Json> entries;
  for (const char* name : {"one", "two"}) {
    const ObjectId object = object_id(z.zone, SchemaId{}, view(name));
    keys.push_back(z.keys.object_key(1, object, 5000, 32).value());
    entries.push_back(record({{"object", object}, {"object_bytes", keys.back().object_bytes()}, {"symbol_bytes", keys.back().symbol_bytes()}, {"key", keys.back().key().view()}}));
  }
  Bytes context = to_bytes(view("selvedge task keys v1"));
  append(context, w.task);
  return record({{"executor_seed", seed_of("machine seal").view()}, {"task", w.task}, {"context", context},
                 {"sealed", seal_object_keys(keys, w.task, w.machine_seal.public_key(), drbg).value()}, {"keys", row(entries)}});
}

}  // namespace

std::string symbols_file() {
  const KeyedZone z;
  return document("Keys of a zone, from its root to one symbol: epoch secrets, content tags, object keys, nonces, sealed symbols; and keys as they travel.",
                  {{"epochs", list(epoch_cases(z))},
                   {"content_tags", list(tag_cases(z))},
                   {"symbols", list(symbol_cases(z))},
                   {"refused", list(refused_symbols(z))},
                   {"sealed_epochs", list({sealed_epoch(z)})},
                   {"task_keys", list({task_keys(z)})}});
}

}  // namespace selvedge::object::vectors
