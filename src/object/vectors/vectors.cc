#include "object/vectors/vectors.h"

namespace selvedge::object::vectors {

std::vector<VectorFile> make_vectors() {
  return {
      {"bridging.json", bridging_file()},
      {"capabilities.json", capabilities_file()},
      {"cbor.json", cbor_file()},
      {"decisions.json", decisions_file()},
      {"diversity.json", diversity_file()},
      {"epochs.json", epochs_file()},
      {"names.json", names_file()},
      {"objects.json", objects_file()},
      {"patterns.json", patterns_file()},
      {"policies.json", policies_file()},
      {"quorums.json", quorums_file()},
      {"revocations.json", revocations_file()},
      {"sealed.json", sealed_file()},
      {"signatures.json", signatures_file()},
      {"symbols.json", symbols_file()},
  };
}

}  // namespace selvedge::object::vectors
