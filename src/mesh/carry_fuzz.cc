// What a stick or a radio brings: any bytes as a parcel, and any bytes on the line. First byte 0: the line; 1: a parcel; 2: a parcel from a known peer whose
// signed payload, an acknowledgement or cargo by the second byte, is the rest.
#include <cstddef>
#include <cstdint>

#include "mesh/carry.h"
#include "mesh/kiss.h"

static selvedge::crypto::Seed carry_seed(uint8_t fill) { return selvedge::crypto::Seed::from(selvedge::Bytes(32, fill)).value(); }

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace selvedge;
  using namespace selvedge::mesh;
  if (size < 2) return 0;
  const ByteView rest(data + 1, size - 1);
  const Instant now = Instant::from_unix_seconds(1'790'000'000);
  const crypto::Ed25519Signer self(carry_seed(1)), peer(carry_seed(2));
  const crypto::SealKeyPair keys(carry_seed(3)), peer_keys(carry_seed(4));
  const crypto::Ed25519Verifier verifier;
  crypto::Drbg drbg(carry_seed(5));
  Carry carry(self, keys, verifier, drbg.fork(), 1);
  Carry::Out out;
  (void)carry.add_peer({peer.public_key(), peer_keys.public_key()});
  (void)carry.send(now, peer.public_key(), ParcelPriority::kNormal, seconds(60), {}, out);
  std::vector<Bytes> parcels;
  if (data[0] == 0) {
    KissReader reader;
    reader.on_bytes(rest, parcels);
    CHECK(reader.bytes_held() <= kKissBytesMax && reader.incomplete() <= kKissParcelsMax);
  } else if (data[0] == 1) {
    parcels.push_back(to_bytes(rest));
  } else {
    const Parcel parcel{peer.public_key(), self.public_key(), now.unix_seconds(), 60, ParcelPriority::kBulk, ParcelKind(rest[0] & 1), to_bytes(rest.subspan(1))};
    parcels.push_back(seal_parcel(peer, keys.public_key(), parcel, drbg).value());
  }
  for (Bytes& parcel : parcels) {
    (void)is_parcel_for(keys, parcel);
    (void)carry.on_parcel(now, std::move(parcel), out);
  }
  size_t delivered = 0;
  for (const CarryEffect& effect : out.take()) {
    if (const auto* one = std::get_if<CarryDeliver>(&effect)) ++delivered, carry.on_accepted(now, one->id);
  }
  CHECK(delivered <= 1);
  carry.load(now, {}, UINT64_MAX, out);
  carry.on_deadline(now + seconds(3'600), out);
  CHECK(carry.in_custody() == 0 && carry.bytes_in_custody() == 0);
  return 0;
}
