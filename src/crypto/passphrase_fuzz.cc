// The header of a file sealed under a passphrase, as a stranger may write it. Only the header: what follows is behind argon2id and a tag.
#include "base/check.h"
#include "crypto/passphrase.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace selvedge::crypto;
  const auto cost = passphrase_cost({data, size});
  if (cost.ok()) {
    CHECK(size >= kPassphraseOverhead);
    CHECK(cost->passes >= 1 && cost->passes <= kPassphrasePassesMax);
    CHECK(cost->memory_kib >= kPassphraseMemoryMinKib && cost->memory_kib <= kPassphraseMemoryMaxKib);
  }
  return 0;
}
