// Offers: what an origin signs so that a machine may run a program of its: the program and its inputs by name, the keys of just those objects sealed to that
// machine, and a capability to read just those. Used for tasks (contractor.h) and for services (deployer.h).
#pragma once

#include <functional>

#include "node/library.h"

namespace selvedge::node {

constexpr uint64_t kOfferTtlSeconds = 900;

struct OfferOf {
  object::TaskId task;
  NodeKey executor;
  object::ZoneId zone;
  object::TaskSpec spec;
  Bytes manifest{};                      // the signed Manifest of spec.bundle, or empty
  std::vector<object::BlobRef> blobs;    // the module and each input
  /// Where the executor does not get the keys but leave to ask for them (run_keys.h).
  std::function<Result<object::KeyLeave>(const std::vector<object::ObjectKey>&)> leave{};
};

/// A signed TaskOffer. Errors: kUnavailable (the machine is not connected, or granted nothing), or why an object's key is not to be had.
Result<Bytes> make_offer(Turn& turn, Core& core, const Library& library, OfferOf of);

}  // namespace selvedge::node
