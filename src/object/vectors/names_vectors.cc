// docs/spec/vectors/names.json: how kinds, zones, objects, content, keys and nodes are named.
#include "codec/multibase.h"
#include "codec/ticket.h"
#include "object/vectors/json.h"
#include "object/vectors/kinds_list.h"
#include "object/vectors/vectors.h"

namespace selvedge::object::vectors {
namespace {

using codec::Codec;
using testing::kNow;
using testing::seed_of;

PublicKey public_key(std::string_view name) { return crypto::Ed25519Signer(seed_of(name)).public_key(); }

Json schema_case(std::string_view name, uint16_t version, const std::string& fields) {
  return record({{"name", name}, {"version", version}, {"fields", fields}, {"id", schema_id(name, version, fields)}});
}

std::vector<Json> schema_cases() {
  std::vector<Json> out;
  for_each_kind([&out]<class T>(std::type_identity<T>) { out.push_back(schema_case(T::kName, T::kVersion, codec::describe<T>())); });
  out.push_back(schema_case("ab", 1, "c"));
  out.push_back(schema_case("a", 1, "bc"));
  out.push_back(schema_case("", 65535, ""));
  return out;
}

std::vector<Json> zone_cases() {
  std::vector<Json> out;
  const PublicKey owner = public_key("origin");
  for (const std::string& name : {std::string("work"), std::string("private"), std::string(), std::string(1, '\0'), std::string("Größe 水")}) {
    out.push_back(record({{"owner", owner}, {"name", name}, {"id", zone_id(owner, name)}}));
  }
  out.push_back(record({{"owner", PublicKey{}}, {"name", "work"}, {"id", zone_id(PublicKey{}, "work")}}));
  return out;
}

std::vector<Json> object_id_cases() {
  std::vector<Json> out;
  const ZoneId zone = zone_id(public_key("origin"), "work");
  const ZoneId other = zone_id(public_key("origin"), "private");
  const SchemaId schema = schema_id("Kind", 1, "{}");
  const auto add = [&out](const ZoneId& z, const SchemaId& s, std::string_view content) {
    out.push_back(record({{"zone", z}, {"schema", s}, {"content", view(content)}, {"id", object_id(z, s, view(content))}}));
  };
  add(zone, schema, "content");
  add(other, schema, "content");
  add(ZoneId{}, schema, "content");
  add(zone, schema_id("Kind", 2, "{}"), "content");
  add(zone, schema, "contenu");
  add(zone, schema, "");
  return out;
}

std::vector<Json> cid_cases() {
  std::vector<Json> out;
  for (const Codec codec : {Codec::kRaw, Codec::kDagCbor}) {
    for (const Bytes& content : {Bytes{}, to_bytes(view("hello world")), Bytes{0xa0}, Bytes(300, 0x5a)}) {
      const Cid cid = Cid::of(codec, content);
      out.push_back(record({{"codec", codec == Codec::kRaw ? "raw" : "dag-cbor"}, {"content", content}, {"bytes", cid.bytes()}, {"text", cid.text()}}));
    }
  }
  return out;
}

std::vector<Json> refused_cids() {
  std::vector<Json> out;
  const std::string good = Cid::of(Codec::kRaw, view("x")).text();
  const auto add = [&out](const std::string& text, const char* why) {
    const Result<Cid> parsed = Cid::parse(text);
    CHECK(!parsed.ok());
    out.push_back(record({{"text", text}, {"expect", expectation(parsed)}, {"why", why}}));
  };
  add("", "nothing");
  add("QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPbdG", "version 0");
  add("z" + good.substr(1), "another multibase");
  add(good.substr(0, good.size() - 1), "a character is missing");
  add(good + "a", "a character too many");
  add("B" + good.substr(1), "the upper-case multibase");
  add("b" + codec::base32_encode(from_hex("01701220" + std::string(64, '0')).value()), "another codec (dag-pb)");
  add("b" + codec::base32_encode(from_hex("01551320" + std::string(64, '0')).value()), "another hash");
  add("b" + codec::base32_encode(from_hex("0155121f" + std::string(62, '0')).value()), "a shorter hash");
  add("b" + codec::base32_encode(from_hex("02551220" + std::string(64, '0')).value()), "version 2");
  add("b" + codec::base32_encode(from_hex("81005512" + ("20" + std::string(64, '0'))).value()), "a version in a longer varint");
  return out;
}

std::vector<Json> key_cases() {
  std::vector<Json> out;
  for (const char* name : {"origin", "machine", "stranger"}) {
    const PublicKey key = public_key(name);
    out.push_back(record({{"seed", seed_of(name).view()}, {"key", key}, {"text", codec::key_text(key)}}));
  }
  out.push_back(record({{"seed", nullptr}, {"key", PublicKey{}}, {"text", codec::key_text(PublicKey{})}}));
  return out;
}

std::vector<Json> refused_keys() {
  std::vector<Json> out;
  const std::string good = codec::key_text(public_key("origin"));
  const auto add = [&out](const std::string& text, const char* why) {
    CHECK(!codec::parse_key(text).ok());
    out.push_back(record({{"text", text}, {"why", why}}));
  };
  add("", "nothing");
  add(good.substr(1), "a character is missing");
  add(good + "y", "a character too many");
  add("l" + good.substr(1), "a character that is not in the alphabet");
  add(std::string(51, 'y') + "b", "bits that belong to nothing");
  add("0x" + public_key("origin").hex().substr(0, 50), "hexadecimal");
  return out;
}

std::vector<Json> text_cases() {
  std::vector<Json> out;
  for (const Bytes& bytes : {Bytes{}, Bytes{0}, Bytes{0xff}, to_bytes(view("fo")), to_bytes(view("foo")), to_bytes(view("foob")), to_bytes(view("fooba")),
                             to_bytes(view("foobar")), Bytes(32, 0xff)}) {
    out.push_back(record({{"bytes", bytes}, {"base32", codec::base32_encode(bytes)}, {"zbase32", codec::zbase32_encode(bytes)}}));
  }
  return out;
}

std::vector<Json> refused_texts() {
  std::vector<Json> out;
  const auto add = [&out](const char* base, const char* text, const char* why) {
    const bool plain = std::string_view(base) == "base32";
    const Result<Bytes> decoded = plain ? codec::base32_decode(text) : codec::zbase32_decode(text);
    CHECK(!decoded.ok());
    out.push_back(record({{"base", base}, {"text", text}, {"expect", expectation(decoded)}, {"why", why}}));
  };
  add("base32", "MZXW6", "upper case");
  add("base32", "mzxw6===", "padding");
  add("base32", "m", "a length that no data gives");
  add("base32", "mzx", "a length that no data gives");
  add("base32", "mz1w6", "a foreign character");
  add("base32", "ab", "bits that belong to nothing");
  add("zbase32", "y", "a length that no data gives");
  add("zbase32", "yb", "bits that belong to nothing");
  add("zbase32", "y2", "a foreign character");
  return out;
}

std::vector<Json> ticket_cases() {
  std::vector<Json> out;
  codec::Ticket ticket{public_key("machine"), public_key("host owner"), {"192.0.2.1:7443", "[2001:db8::1]:7443", "host.example:7443"}, kNow};
  const auto add = [&out](const codec::Ticket& what) {
    out.push_back(record({{"fields", fields_of(what)}, {"cbor", codec::encode(what)}, {"text", codec::ticket_text(what).value()}}));
  };
  add(ticket);
  ticket.expires.reset();
  add(ticket);
  ticket.addresses.clear();
  add(ticket);
  return out;
}

std::vector<Json> typed_tickets() {
  const std::string good = codec::ticket_text({public_key("machine"), public_key("host owner"), {"192.0.2.1:7443"}, std::nullopt}).value();
  const auto sealed = [](const codec::Ticket& ticket) {
    Bytes bytes = codec::encode(ticket);
    const Digest sum = crypto::sha256(bytes);
    append(bytes, sum.view().first(4));
    return "selvedge1" + codec::base32_encode(bytes);
  };
  std::string upper = good;
  for (char& c : upper) c = c >= 'a' && c <= 'z' ? char(c - 'a' + 'A') : c;
  std::string mistyped = good;
  mistyped[40] = mistyped[40] == 'a' ? 'b' : 'a';
  std::vector<Json> out;
  const auto add = [&out](const std::string& text, const char* why) {
    out.push_back(record({{"text", text}, {"expect", expectation(codec::parse_ticket(text))}, {"why", why}}));
  };
  add(good, "as it is written");
  add(upper, "in upper case, as a QR code has it");
  add("  \t" + good + "\r\n", "with space around it");
  add(mistyped, "a character is wrong");
  add(good.substr(0, good.size() - 1), "the last character is missing");
  add(good.substr(0, 30), "most of it is missing");
  add("selvedge1", "nothing behind the word");
  add("selvedge2" + good.substr(9), "a later version");
  add("ticket1" + good.substr(9), "another word");
  add(sealed({PublicKey{}, public_key("host owner"), {}, std::nullopt}), "no node");
  add(sealed({public_key("machine"), public_key("host owner"), {"with space:1"}, std::nullopt}), "an address with a space in it");
  add(sealed({public_key("machine"), public_key("host owner"), {""}, std::nullopt}), "an empty address");
  add(sealed({public_key("machine"), public_key("host owner"), std::vector<std::string>(17, "a:1"), std::nullopt}), "seventeen addresses");
  return out;
}

}  // namespace

std::string names_file() {
  return document("Names: schema ids of every kind, zone ids, object ids, CIDs, keys as text, base32, z-base-32 and tickets.",
                  {{"schemas", list(schema_cases())},
                   {"zones", list(zone_cases())},
                   {"object_ids", list(object_id_cases())},
                   {"cids", list(cid_cases())},
                   {"refused_cids", list(refused_cids())},
                   {"keys", list(key_cases())},
                   {"refused_keys", list(refused_keys())},
                   {"texts", list(text_cases())},
                   {"refused_texts", list(refused_texts())},
                   {"tickets", list(ticket_cases())},
                   {"typed_tickets", list(typed_tickets())}});
}

}  // namespace selvedge::object::vectors
