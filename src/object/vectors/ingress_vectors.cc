// The kind of services, for docs/spec/vectors/objects.json.
#include "object/ingress.h"
#include "object/vectors/cast.h"

namespace selvedge::object::vectors {

void add_ingress(Cast& c) {
  IngressSet set;
  set.service = c.w.stranger.public_key();
  set.origin = c.w.origin.public_key();
  set.name = "shop";
  for (uint8_t n : {1, 2}) {
    IngressEndpoint endpoint;
    endpoint.handle.bytes.fill(n);
    endpoint.relay = c.w.origin.public_key();
    endpoint.key = c.w.stranger.public_key();
    endpoint.protocols = kProtocolHttp | kProtocolDatagram;
    set.endpoints.push_back(endpoint);
  }
  set.policy = {IngressAuth::kToken, 100, 50, 600};
  set.epoch = 7;
  set.issued = testing::kNow;
  set.expires = testing::kNow + kIngressEpochSecondsMax;
  c.add(c.w.stranger, "stranger", set);
  IngressSet nowhere = set;
  nowhere.endpoints.clear();
  c.add(c.w.stranger, "stranger", nowhere);
  const auto bad = [&](const char* why, void (*bend)(IngressSet&)) { c.refuse<IngressSet>(c.w.stranger, set, why, bend); };
  bad("an epoch of more than an hour", [](IngressSet& s) { ++s.expires; });
  bad("no epoch", [](IngressSet& s) { s.epoch = 0; });
  bad("a name that is a path", [](IngressSet& s) { s.name = "../shop"; });
  bad("endpoints that are not ascending", [](IngressSet& s) { std::swap(s.endpoints[0], s.endpoints[1]); });
  bad("an endpoint twice", [](IngressSet& s) { s.endpoints[1] = s.endpoints[0]; });
  bad("a protocol that is not known", [](IngressSet& s) { s.endpoints[0].protocols = 16; });
  bad("an endpoint without a relay", [](IngressSet& s) { s.endpoints[0].relay = PublicKey{}; });
}

}  // namespace selvedge::object::vectors
