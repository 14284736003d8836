// What an operation of src/crypto/ costs, in CPU time of one core: the median of several runs, each of many operations.
//
// crypto_bench [--quick]
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "base/check.h"
#include "crypto/passphrase.h"
#include "crypto/seal.h"
#include "crypto/shamir.h"
#include "crypto/sign.h"
#include "crypto/vrf.h"
#include "crypto/vss.h"

using namespace selvedge;
using namespace selvedge::crypto;

namespace {

double cpu_now() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return double(t.tv_sec) + double(t.tv_nsec) * 1e-9;
}

struct Bench {
  bool quick = false;

  void run(const char* name, int times, const std::function<void()>& operation) const {
    const int rounds = quick ? 1 : 7;
    times = quick ? 1 : times;
    std::vector<double> microseconds;
    for (int round = 0; round < rounds; ++round) {
      const double start = cpu_now();
      for (int i = 0; i < times; ++i) operation();
      microseconds.push_back((cpu_now() - start) * 1e6 / times);
    }
    std::sort(microseconds.begin(), microseconds.end());
    std::printf("%-44s %10.1f us\n", name, microseconds[microseconds.size() / 2]);
  }
};

void bench_keys(const Bench& bench, Drbg& drbg) {
  const Ed25519Signer signer(drbg.seed());
  const Ed25519Verifier verifier;
  const Bytes message(200, 7);
  const Signature signature = signer.sign(message);
  bench.run("ed25519 sign, 200 bytes", 500, [&] { (void)signer.sign(message); });
  bench.run("ed25519 verify", 300, [&] { CHECK(verifier.verify(signer.public_key(), message, signature)); });
  const VrfKeyPair vrf(drbg.seed());
  const VrfProof proof = vrf.prove(message).value();
  bench.run("vrf prove", 100, [&] { CHECK(vrf.prove(message).ok()); });
  bench.run("vrf verify", 100, [&] { CHECK(vrf_verify(vrf.public_key(), message, proof).ok()); });
  bench.run("vrf proof to hash", 300, [&] { CHECK(vrf_proof_to_hash(proof).ok()); });
  const SealKeyPair recipient(drbg.seed());
  const StartedSeal sealed = start_seal(recipient.public_key(), drbg).value();
  bench.run("seal to a device: keys", 300, [&] { CHECK(start_seal(recipient.public_key(), drbg).ok()); });
  bench.run("open what was sealed: keys", 300, [&] { CHECK(recipient.keys_for(sealed.ephemeral).ok()); });
}

void bench_shamir(const Bench& bench, Drbg& drbg, size_t k, size_t n) {
  const std::string size = std::to_string(k) + " of " + std::to_string(n);
  const Secret<32> key = drbg.seed();
  ShamirDealing dealing = shamir_split(key, k, n, Digest{}, drbg).value();
  bench.run(("shamir split " + size).c_str(), 300, [&] { CHECK(shamir_split(key, k, n, Digest{}, drbg).ok()); });
  dealing.shares.resize(k);
  bench.run(("shamir combine " + size).c_str(), 300, [&] { CHECK(shamir_combine(dealing.terms, dealing.shares).ok()); });
}

void bench_vss(const Bench& bench, Drbg& drbg, VssScheme scheme, size_t k, size_t n) {
  const std::string size = (scheme == VssScheme::kFeldman ? "feldman " : "pedersen ") + std::to_string(k) + " of " + std::to_string(n);
  const GroupScalar secret = vss_random_scalar(drbg);
  VssDealing dealing = vss_deal(scheme, secret, k, n, drbg).value();
  bench.run((size + " deal").c_str(), 50, [&] { CHECK(vss_deal(scheme, secret, k, n, drbg).ok()); });
  bench.run((size + " verify a share").c_str(), 50, [&] { CHECK(vss_verify(dealing.commitments, dealing.shares[0]).ok()); });
  const VssDealing zero = vss_deal_refresh(scheme, k, n, drbg).value();
  const std::vector<VssCommitments> refreshes = {zero.commitments};
  bench.run((size + " refresh a share").c_str(), 50, [&] {
    CHECK(vss_refreshed_share(dealing.shares[0], refreshes, std::span(zero.shares).first(1)).ok());
  });
  dealing.shares.resize(k);
  bench.run((size + " combine").c_str(), 50, [&] { CHECK(vss_combine(dealing.commitments, dealing.shares).ok()); });
}

void bench_passphrase(const Bench& bench, Drbg& drbg) {
  const PassphraseCost cost = bench.quick ? PassphraseCost{1, kPassphraseMemoryMinKib} : PassphraseCost{};
  bench.run("passphrase seal, default cost", 1, [&] { CHECK(passphrase_seal(view("passphrase"), view("key"), "bench", cost, drbg).ok()); });
}

}  // namespace

int main(int argc, char** argv) {
  Bench bench;
  bench.quick = argc > 1 && std::strcmp(argv[1], "--quick") == 0;
  Drbg drbg = Drbg::from_os();
  bench_keys(bench, drbg);
  bench_shamir(bench, drbg, 2, 3);
  bench_shamir(bench, drbg, 5, 9);
  bench_vss(bench, drbg, VssScheme::kFeldman, 2, 3);
  bench_vss(bench, drbg, VssScheme::kFeldman, 5, 9);
  bench_vss(bench, drbg, VssScheme::kPedersen, 2, 3);
  bench_passphrase(bench, drbg);
  return 0;
}
