// Whole or coded? (R27) For small objects: what each way costs in bytes on four hosts and in CPU to seal and to open.
//
// Printed per size: bytes on the hosts over bytes of content, and microseconds of CPU for encode and decode, whole (two
// copies) and coded (any one host may vanish). mesh::kWholeBytesMax is set where coding begins to save bytes.
// --quick: few rounds, so that the benchmark runs as a test and never rots.
#include <time.h>

#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "base/rng.h"
#include "crypto/drbg.h"
#include "mesh/coding.h"
#include "object/envelope.h"

using namespace selvedge;

namespace {

double cpu_us() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return double(t.tv_sec) * 1e6 + double(t.tv_nsec) / 1e3;
}

struct Cost {
  double expansion, encode_us, decode_us;
};

Cost measure(size_t size, bool whole, int rounds) {
  Rng rng(size);
  crypto::Drbg drbg(crypto::Seed{});
  Bytes content(size);
  for (uint8_t& byte : content) byte = uint8_t(rng.next());
  object::BlockGroup group;
  group.epoch = 1;
  group.object_bytes = size;
  group.whole = whole;
  group.symbol_bytes = whole ? 0 : mesh::kSymbolBytes;
  group.source_blocks = whole ? 0 : 1;
  group.content_tag = drbg.draw<crypto::Digest>();
  const object::ObjectId object = object::unsigned_id(group);
  const object::ObjectKey key(object, group.object_bytes, group.symbol_bytes, drbg.seed());
  std::vector<mesh::NodeKey> hosts;
  for (int i = 0; i < 4; ++i) hosts.push_back(drbg.draw<mesh::NodeKey>());
  mesh::Placement placement;
  placement.object = object;
  const auto shares = mesh::plan_shares(placement, mesh::block_sizes(group), whole, hosts, 0);
  const auto plans = fountain::PlanCache::create();
  const mesh::EncodeJob encode{std::make_shared<const Bytes>(content), group, object, key.clone(), shares, 0, plans};
  Cost cost{};
  mesh::EncodeResult encoded = mesh::encode(encode);  // the plan is in the cache after this
  double before = cpu_us();
  for (int i = 0; i < rounds; ++i) encoded = mesh::encode(encode);
  cost.encode_us = (cpu_us() - before) / rounds;
  double bytes = 0;
  mesh::DecodeJob decode{group, object, key.clone(), {}, plans};
  for (const mesh::EncodedShare& share : encoded.shares) {
    for (const Bytes& frame : share.frames) bytes += double(frame.size());
    // The first host is the one that vanished; of a whole object one copy is enough.
    if (&share == &encoded.shares.front() || (whole && !decode.frames.empty())) continue;
    for (const Bytes& frame : share.frames) decode.frames.push_back({share.holder, frame});
  }
  cost.expansion = bytes / double(size);
  before = cpu_us();
  for (int i = 0; i < rounds; ++i) {
    const mesh::DecodeResult decoded = mesh::decode(decode);
    if (!decoded.plaintext || *decoded.plaintext != content) {
      std::fprintf(stderr, "coding_bench: %zu bytes did not come back\n", size);
      std::exit(1);
    }
  }
  cost.decode_us = (cpu_us() - before) / rounds;
  return cost;
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 && std::strcmp(argv[1], "--quick") == 0 ? 3 : 2000;
  std::printf("%8s  %28s  %28s\n", "", "whole, two copies", "coded over four hosts");
  std::printf("%8s  %8s %9s %9s  %8s %9s %9s\n", "bytes", "stored", "encode us", "decode us", "stored", "encode us", "decode us");
  for (size_t size : {512, 1024, 2048, 4096, 6144, 8192, 9216, 12288, 16384, 32768, 65536}) {
    const Cost whole = measure(size, true, rounds), coded = measure(size, false, rounds);
    std::printf("%8zu  %7.2fx %9.1f %9.1f  %7.2fx %9.1f %9.1f%s\n", size, whole.expansion, whole.encode_us, whole.decode_us, coded.expansion,
                coded.encode_us, coded.decode_us, size == mesh::kWholeBytesMax ? "   <- the largest that travels whole" : "");
  }
  return 0;
}
