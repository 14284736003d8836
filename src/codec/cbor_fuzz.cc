// Whatever the reader accepts is written back as the same bytes; nothing crashes it.
#include "codec/dag.h"
#include "codec/value.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace selvedge;
  const ByteView input(data, size);
  const Result<codec::Value> value = codec::decode_value(input);
  if (value.ok()) {
    CHECK(codec::encode_value(*value) == to_bytes(input));
    CHECK(!codec::diagnostic(*value).empty());
  }
  const Result<codec::Node> node = codec::decode_node(input);
  if (node.ok()) {
    CHECK_MSG(value.ok(), "a node is canonical CBOR");
    if (const auto* file = std::get_if<codec::FileNode>(&*node)) CHECK(codec::encode_node(*file) == to_bytes(input));
    if (const auto* directory = std::get_if<codec::DirectoryNode>(&*node)) {
      CHECK(codec::encode_node(*directory).value() == to_bytes(input));
    }
  }
  return 0;
}
