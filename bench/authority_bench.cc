// What authority costs: verifying, deciding, and admitting symbols with and without a cached decision.
//
// A cached admission is what a holder may do for the next symbol of the same object from the same session: Authorization::holds() compares the clock with
// the first expiry and the revocation generation with the one it was decided under, so that any revocation, of whatever, ends it at once.
#include <algorithm>
#include <cstdio>
#include <cstring>

#include "object/test_world.h"

using namespace selvedge;
using namespace selvedge::object;

namespace {

struct Timed {
  double per_second;
  double microseconds;
};

/// Median of five rounds of processor time.
template <class What>
Timed measure(size_t rounds, What what) {
  double best[5];
  for (double& each : best) {
    timespec begin{}, end{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
    for (size_t i = 0; i < rounds; ++i) what();
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    each = double(end.tv_sec - begin.tv_sec) * 1e6 + double(end.tv_nsec - begin.tv_nsec) / 1e3;
  }
  std::sort(std::begin(best), std::end(best));
  const double us = best[2] / double(rounds);
  return {1e6 / us, us};
}

void row(const char* what, Timed timed, double bar) {
  if (bar > 0) std::printf("%-58s %10.3f us %12.0f /s   bar %8.0f   ratio %.2f\n", what, timed.microseconds, timed.per_second, bar, timed.per_second / bar);
  else std::printf("%-58s %10.3f us %12.0f /s\n", what, timed.microseconds, timed.per_second);
}

}  // namespace

int main(int argc, char** argv) {
  const bool quick = argc > 1 && std::strcmp(argv[1], "--quick") == 0;
  const size_t scale = quick ? 1 : 200;
  const object::testing::World world;
  const Instant now = object::testing::now();
  const auto machine_record = sign_object(world.host_owner, world.node_record(world.host_owner, world.machine)).value();
  const auto origin_record = sign_object(world.origin, world.node_record(world.origin, world.origin_node)).value();
  const auto grant = sign_object(world.host_owner, world.grant()).value();
  const auto policy = sign_object(world.origin, world.policy()).value();
  const auto capability = sign_object(world.origin_node, world.capability()).value();
  const Signed<Capability>* const chain[] = {&capability};
  RevocationSet revocations(world.host_owner.public_key());
  Use use;
  use.machine_owner = world.host_owner.public_key();
  use.machine = world.machine.public_key();
  use.classes = kStorage;
  use.verbs = kStore;
  use.origin = world.origin.public_key();
  use.actor = world.origin_node.public_key();
  use.zone = world.zone;
  use.objects = {world.stored};
  Evidence evidence;
  evidence.machine_record = &machine_record;
  evidence.origin_record = &origin_record;
  evidence.grant = &grant;
  evidence.policy = &policy;
  evidence.revocations = &revocations;

  row("sign a grant", measure(20 * scale, [&] { (void)sign_object(world.host_owner, grant.body).ok(); }), 0);
  row("open and verify a grant", measure(20 * scale, [&] { (void)open_object<Grant>(grant.bytes, world.verifier).ok(); }), 0);
  row("authorize: the origin's node stores", measure(500 * scale, [&] { CHECK(authorize(use, evidence, now).ok()); }), 0);
  Use read = use;
  read.verbs = kRead;
  read.actor = world.reader.public_key();
  Evidence by_leave = evidence;
  by_leave.capabilities = chain;
  row("authorize: a reader with a capability", measure(500 * scale, [&] { CHECK(authorize(read, by_leave, now).ok()); }), 0);
  row("admission, everything opened and verified anew", measure(4 * scale, [&] {
        const auto g = open_object<Grant>(grant.bytes, world.verifier).value();
        const auto p = open_object<ZonePolicy>(policy.bytes, world.verifier).value();
        const auto o = open_object<NodeRecord>(origin_record.bytes, world.verifier).value();
        Evidence anew = evidence;
        anew.grant = &g, anew.policy = &p, anew.origin_record = &o;
        CHECK(authorize(use, anew, now).ok());
      }), 5000);
  row("admission, objects verified before, decided anew", measure(500 * scale, [&] { CHECK(authorize(use, evidence, now).ok()); }), 5000);
  for (uint32_t i = 0; i < 4000; ++i) {
    RevokedId target;
    store_u32(target.bytes.data() + 4, i + 1);
    (void)revocations.add(sign_object(world.host_owner, world.revocation(world.host_owner, RevocationTarget::kCapability, target)).value()).ok();
  }
  row("  the same with 4000 revocations known", measure(500 * scale, [&] { CHECK(authorize(use, evidence, now).ok()); }), 5000);
  const Authorization decided = authorize(use, evidence, now).value();
  row("admission, cached: holds() and the object compared", measure(5000 * scale, [&] {
        CHECK(decided.holds(now, revocations));
        CHECK(use.objects[0] == world.stored);
      }), 500'000);
  // What caching may not assume: that nothing was revoked since.
  (void)revocations.add(sign_object(world.origin, world.revocation(world.origin, RevocationTarget::kDevice, use.actor)).value()).ok();
  CHECK(!decided.holds(now, revocations));
  CHECK(authorize(use, evidence, now).code() == Errc::kRevoked);
  std::puts("one revocation later: the cached decision does not hold, and the new one is a refusal");
  return 0;
}
