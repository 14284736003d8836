// The kinds of oracles, for docs/spec/vectors/objects.json.
#include "object/oracle.h"
#include "object/vectors/cast.h"

namespace selvedge::object::vectors {

void add_oracles(Cast& c) {
  OracleAnswer time;
  time.node = c.w.stranger.public_key();
  time.origin = c.w.origin.public_key();
  time.name = kOracleTime;
  time.nonce.bytes.fill(7);
  time.issued = testing::kNow;
  time.value = std::to_string(testing::kNow);
  c.add(c.w.stranger, "stranger", time);
  OracleAnswer beacon = time;
  beacon.name = kOracleBeacon;
  CHECK(prove_beacon(crypto::VrfKeyPair(testing::seed_of("vectors: beacon")), beacon).ok());
  c.add(c.w.stranger, "stranger", beacon);
  const auto bad = [&](const char* why, void (*bend)(OracleAnswer&)) { c.refuse<OracleAnswer>(c.w.stranger, time, why, bend); };
  bad("a time that is not when it was asked", [](OracleAnswer& a) { ++a.issued; });
  bad("a name that is a path", [](OracleAnswer& a) { a.name = "../time"; });
  bad("two lines", [](OracleAnswer& a) { a.name = "height"; a.value = "1\n2"; });
  bad("a proof where there is nothing to prove", [](OracleAnswer& a) { a.proof = {1}; });
}

}  // namespace selvedge::object::vectors
