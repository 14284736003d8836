// A share file as anybody may have written it.
#include "object/share_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace selvedge;
  auto file = object::parse_share_file({reinterpret_cast<const char*>(data), size});
  if (!file.ok()) return 0;
  CHECK(crypto::shamir_check(file->terms, file->share).ok());
  std::vector<object::ShareFile> alone;
  alone.push_back(std::move(file).value());
  CHECK(!object::combine_share_files(alone).ok());
  return 0;
}
