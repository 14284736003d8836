// For the tests of this room: keys by name, a zone, and an object cut into frames for some holders.
#pragma once

#include <gtest/gtest.h>

#include "base/rng.h"
#include "crypto/hash.h"
#include "mesh/coding.h"
#include "object/envelope.h"

namespace selvedge::mesh::testing {

inline NodeKey key_named(std::string_view name) { return NodeKey::from(crypto::sha256(view(name))).value(); }

inline std::vector<NodeKey> holders(size_t count) {
  std::vector<NodeKey> out;
  for (size_t i = 0; i < count; ++i) out.push_back(key_named("holder " + std::to_string(i)));
  return out;
}

inline Bytes random_bytes(uint64_t seed, size_t size) {
  Rng rng(seed);
  Bytes out(size);
  for (uint8_t& byte : out) byte = uint8_t(rng.next());
  return out;
}

inline object::ZoneKeys test_zone() {
  object::ZoneKeys zone(object::zone_id(key_named("owner"), "test"));
  EXPECT_TRUE(zone.add_epoch(1, crypto::Seed::from(crypto::sha256(view("zone secret"))).value()).ok());
  return zone;
}

/// An object with its shares, encoded.
struct Placed {
  Bytes content;
  object::BlockGroup group;
  object::ObjectId object;
  object::ObjectKey key;
  Placement placement;
  EncodeResult encoded;

  std::vector<DecodeJob::From> frames_of(const std::vector<NodeKey>& from) const {
    std::vector<DecodeJob::From> out;
    for (const EncodedShare& share : encoded.shares) {
      for (const Bytes& frame : share.frames) {
        for (const NodeKey& holder : from) {
          if (holder == share.holder) out.push_back({holder, frame});
        }
      }
    }
    return out;
  }
  DecodeJob decode_job(std::vector<DecodeJob::From> frames) const { return {group, object, key.clone(), std::move(frames), nullptr}; }
};

inline Placed place(const object::ZoneKeys& zone, Bytes content, const std::vector<NodeKey>& on, uint64_t turn = 0) {
  const object::BlockGroup group = describe_group(zone, 1, content.size(), crypto::sha256(content)).value();
  const object::ObjectId object = object::unsigned_id(group);
  Placed placed{std::move(content), group, object, zone.object_key(1, object, group.object_bytes, group.symbol_bytes).value(), {}, {}};
  placed.placement.object = object;
  std::vector<Share> shares = plan_shares(placed.placement, block_sizes(group), group.whole, on, turn);
  placed.encoded = encode({std::make_shared<const Bytes>(placed.content), group, object, placed.key.clone(), std::move(shares), 4'000'000'000, nullptr});
  return placed;
}

}  // namespace selvedge::mesh::testing
