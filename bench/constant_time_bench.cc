// Does the time of an operation depend on the secret it handles? The method of dudect (Reparaz, Balasch, Verbauwhede, 2017).
//
// Each operation runs on two classes of inputs, in an order drawn by chance: one fixed secret, and random ones. Welch's t over the two
// sets of times says how sure one can be that their means differ; beyond 4.5 in either direction they do. Times above the 90th
// percentile of both classes together are left out, because they are interrupts and neighbours on the machine. An operation beyond the limit is
// measured afresh, up to three times, and the smallest |t| stands: a leak is there each time, a neighbour's noise is not. The last
// rows are the controls, comparisons that stop at the first difference: if they are not detected, the measurement cannot see anything, and
// the program fails. It shows leaks of this build on this CPU and proves nothing about others.
//
// constant_time_bench [--quick]
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/rng.h"
#include "crypto/aead.h"
#include "crypto/shamir.h"
#include "crypto/vss.h"

using namespace selvedge;
using namespace selvedge::crypto;

namespace {

constexpr double kLimit = 4.5;
constexpr int kAttempts = 3;

uint64_t ticks() {
#if defined(__x86_64__)
  __builtin_ia32_lfence();
  const uint64_t now = __builtin_ia32_rdtsc();
  __builtin_ia32_lfence();
  return now;
#else
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return uint64_t(t.tv_sec) * 1'000'000'000 + uint64_t(t.tv_nsec);
#endif
}

/// Keeps the compiler from dropping work whose result nobody reads.
void keep(const void* result) { asm volatile("" : : "r"(result) : "memory"); }

struct Moments {
  double count = 0, mean = 0, squares = 0;
  void add(double x) {
    count += 1;
    const double delta = x - mean;
    mean += delta / count;
    squares += delta * (x - mean);
  }
  double variance() const { return squares / (count - 1); }
};

double welch(const Moments& a, const Moments& b) {
  const double spread = std::sqrt(a.variance() / a.count + b.variance() / b.count);
  return spread > 0 ? (a.mean - b.mean) / spread : 0;
}

/// One operation: how many samples, how to make the input of a class, and what is timed. Inputs lie in memory of their own, all made
/// before the first is timed, so that neither class finds its input in a warmer cache.
struct Target {
  const char* name;
  size_t samples;
  std::function<void(size_t count)> reserve;
  std::function<void(size_t sample, bool fixed)> prepare;
  std::function<void(size_t sample)> run;
};

double measure(const Target& target, size_t samples, Rng& rng) {
  std::vector<uint8_t> fixed(samples);
  target.reserve(samples);
  for (size_t i = 0; i < samples; ++i) {
    fixed[i] = uint8_t(rng.below(2));
    target.prepare(i, fixed[i] == 1);
  }
  std::vector<uint64_t> times(samples);
  for (size_t i = 0; i < samples; ++i) {
    const uint64_t start = ticks();
    target.run(i);
    times[i] = ticks() - start;
  }
  std::vector<uint64_t> sorted = times;
  std::nth_element(sorted.begin(), sorted.begin() + long(samples * 9 / 10), sorted.end());
  const uint64_t crop = sorted[samples * 9 / 10];
  Moments classes[2];
  for (size_t i = samples / 20; i < samples; ++i) {  // the first ones warm up caches and predictors
    if (times[i] <= crop) classes[fixed[i]].add(double(times[i]));
  }
  return welch(classes[0], classes[1]);
}

/// Two buffers of `size` bytes a sample: equal, or different from the first byte on.
struct Pairs {
  size_t size;
  std::vector<Bytes> left, right;

  void reserve(size_t count) {
    left.assign(count, Bytes(size));
    right.assign(count, Bytes(size));
  }
  void prepare(size_t i, bool equal, Rng& rng) {
    for (uint8_t& byte : left[i]) byte = uint8_t(rng.next());
    right[i] = left[i];
    if (!equal) right[i][0] ^= 1;
  }
};

bool leaky_equal(ByteView a, ByteView b) {
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i]) return false;
    asm volatile("");  // so that it stays the loop it is
  }
  return true;
}

Target comparison(const char* name, Pairs& pairs, Rng& rng, bool (*equal)(ByteView, ByteView)) {
  return {name, 60'000, [&](size_t count) { pairs.reserve(count); }, [&](size_t i, bool fixed) { pairs.prepare(i, fixed, rng); },
          [&pairs, equal](size_t i) {
            const bool same = equal(pairs.left[i], pairs.right[i]);
            keep(&same);
          }};
}

/// Field elements: zero and random ones, multiplied by random factors.
struct FieldInputs {
  std::vector<std::array<uint8_t, 64>> secrets, factors;
};

Target field_multiply(FieldInputs& in, Rng& rng) {
  return {"gf256 multiply", 60'000,
          [&](size_t count) {
            in.secrets.assign(count, {});
            in.factors.assign(count, {});
          },
          [&](size_t i, bool fixed) {
            for (uint8_t& byte : in.secrets[i]) byte = fixed ? 0 : uint8_t(rng.next());
            for (uint8_t& byte : in.factors[i]) byte = uint8_t(rng.next());
          },
          [&](size_t i) {
            uint8_t sum = 0;
            for (size_t j = 0; j < 64; ++j) sum ^= gf256_multiply(in.secrets[i][j], in.factors[i][j]);
            keep(&sum);
          }};
}

struct KeyInputs {
  std::vector<Secret<32>> keys;
  Drbg drbg = Drbg::from_os();
};

void prepare_key(KeyInputs& in, size_t i, bool fixed, Rng& rng) {
  for (uint8_t& byte : in.keys[i].mutable_view()) byte = fixed ? 0 : uint8_t(rng.next());
}

Target split(KeyInputs& in, Rng& rng) {
  return {"shamir split 3 of 5", 20'000, [&](size_t count) { in.keys = std::vector<Secret<32>>(count); },
          [&](size_t i, bool fixed) { prepare_key(in, i, fixed, rng); },
          [&](size_t i) { CHECK(shamir_split(in.keys[i], 3, 5, Digest{}, in.drbg).ok()); }};
}

struct DealingInputs {
  std::vector<ShamirDealing> dealings;
  Drbg drbg = Drbg::from_os();
};

/// The fixed class combines the same shares each time, the other one shares of other keys.
Target combine(DealingInputs& in) {
  const auto deal = [](Drbg drbg) {
    const Secret<32> key = drbg.seed();
    ShamirDealing out = shamir_split(key, 3, 3, Digest{}, drbg).value();
    return out;
  };
  return {"shamir combine 3", 20'000, [&](size_t count) { in.dealings = std::vector<ShamirDealing>(count); },
          [&in, deal](size_t i, bool fixed) { in.dealings[i] = deal(fixed ? Drbg(Seed()) : in.drbg.fork()); },
          [&](size_t i) { CHECK(shamir_combine(in.dealings[i].terms, in.dealings[i].shares).ok()); }};
}

/// The scalar arithmetic and the commitments of verifiable sharing: the secret one, and random secrets.
Target verifiable_deal(KeyInputs& in) {
  return {"feldman deal 2 of 3", 4'000, [&](size_t count) { in.keys = std::vector<Secret<32>>(count); },
          [&](size_t i, bool fixed) {
            in.keys[i] = vss_random_scalar(in.drbg);
            if (!fixed) return;
            wipe(in.keys[i].mutable_view());
            in.keys[i].mutable_view()[0] = 1;
          },
          [&](size_t i) { CHECK(vss_deal(VssScheme::kFeldman, in.keys[i], 2, 3, in.drbg).ok()); }};
}

struct TagInputs {
  AeadKey key = AeadKey::from(Bytes(32, 7)).value();
  std::vector<Bytes> data;
  std::vector<AeadTag> tags;
};

/// Wrong tags both: in their first byte, and in their last. The time must not say how much of a forged tag was right.
Target tag_check(TagInputs& in, Rng& rng) {
  return {"aead tag check", 60'000,
          [&](size_t count) {
            in.data.assign(count, Bytes(64));
            in.tags.assign(count, {});
          },
          [&](size_t i, bool fixed) {
            for (uint8_t& byte : in.data[i]) byte = uint8_t(rng.next());
            in.tags[i] = aead_seal(in.key, Nonce{}, {}, in.data[i]);
            in.tags[i].bytes[fixed ? 0 : 15] ^= 1;
          },
          [&](size_t i) { CHECK(!aead_open(in.key, Nonce{}, {}, in.data[i], in.tags[i]).ok()); }};
}

struct Report {
  bool quick = false;
  bool sound = true;

  void row(const Target& target, Rng& rng, bool control) {
    const size_t samples = quick ? target.samples / 20 : target.samples;
    double t = measure(target, samples, rng);
    // A quick run says only that everything still works: with so few samples a busy machine can say anything about small differences.
    const double limit = quick && !control ? 10 * kLimit : kLimit;
    for (int attempt = 1; attempt < kAttempts && (std::fabs(t) > limit) != control; ++attempt) {
      const double again = measure(target, samples, rng);
      if ((std::fabs(again) > limit) == control || std::fabs(again) < std::fabs(t)) t = again;
    }
    const bool detected = std::fabs(t) > limit;
    sound = sound && detected == control;
    std::printf("%-28s %8zu samples  t %9.2f  limit %4.1f  %s\n", target.name, samples, t, limit,
                detected ? (control ? "detected, as it must be" : "LEAKS") : (control ? "NOT DETECTED" : "no leak seen"));
  }
};

}  // namespace

int main(int argc, char** argv) {
  Report report;
  report.quick = argc > 1 && std::strcmp(argv[1], "--quick") == 0;
  Drbg entropy = Drbg::from_os();
  Rng rng(load_u64(entropy.seed().view().data()));
  Pairs pairs{256, {}, {}};
  FieldInputs field;
  KeyInputs keys;
  DealingInputs dealings;
  TagInputs tags;
  report.row(comparison("constant_time_equal", pairs, rng, constant_time_equal), rng, false);
  report.row(field_multiply(field, rng), rng, false);
  report.row(split(keys, rng), rng, false);
  report.row(combine(dealings), rng, false);
  report.row(verifiable_deal(keys), rng, false);
  report.row(tag_check(tags, rng), rng, false);
  report.row(comparison("control: loop that stops", pairs, rng, leaky_equal), rng, true);
  report.row(comparison("control: memcmp", pairs, rng, [](ByteView a, ByteView b) { return std::memcmp(a.data(), b.data(), a.size()) == 0; }),
             rng, true);
  if (!report.sound) std::printf("something above is not as it must be\n");
  return report.sound ? 0 : 1;
}
