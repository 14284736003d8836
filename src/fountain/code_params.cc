#include "code_params.h"

#include <algorithm>

#include "tables.h"

namespace selvedge::fountain {
namespace {

bool is_prime(uint32_t n) {
  if (n < 2) return false;
  for (uint32_t d = 2; d * d <= n; ++d) {
    if (n % d == 0) return false;
  }
  return true;
}

}  // namespace

std::optional<CodeParams> CodeParams::for_source_symbols(uint32_t k) {
  if (k == 0 || k > kSourceSymbolsMax) return std::nullopt;
  const auto row = std::lower_bound(kSystematicRows.begin(), kSystematicRows.end(), k,
                                    [](const SystematicRow& r, uint32_t want) { return r.k_prime < want; });
  CodeParams params{};
  params.k_prime = row->k_prime;
  params.j = row->j;
  params.s = row->s;
  params.h = row->h;
  params.w = row->w;
  params.l = params.k_prime + params.s + params.h;
  params.p = params.l - params.w;
  params.p1 = params.p;
  while (!is_prime(params.p1)) ++params.p1;
  params.b = params.w - params.s;
  return params;
}

uint32_t rfc_random(uint32_t y, uint32_t i, uint32_t m) {
  const uint32_t x0 = (y + i) & 0xFF;
  const uint32_t x1 = ((y >> 8) + i) & 0xFF;
  const uint32_t x2 = ((y >> 16) + i) & 0xFF;
  const uint32_t x3 = ((y >> 24) + i) & 0xFF;
  return (kV0[x0] ^ kV1[x1] ^ kV2[x2] ^ kV3[x3]) % m;
}

uint32_t rfc_degree(uint32_t v, uint32_t w) {
  const auto limit = std::upper_bound(kDegreeLimits.begin(), kDegreeLimits.end(), v);
  const uint32_t d = static_cast<uint32_t>(limit - kDegreeLimits.begin());
  return std::min(d, w - 2);
}

void lt_row(const CodeParams& params, uint32_t isi, LtRow& row) {
  // RFC 6330 5.3.5.4: the tuple (d, a, b, d1, a1, b1). The arithmetic is modulo 2^32 by definition.
  const uint32_t a_seed = (53591 + params.j * 997) | 1;
  const uint32_t b_seed = 10267 * (params.j + 1);
  const uint32_t y = b_seed + isi * a_seed;
  const uint32_t d = rfc_degree(rfc_random(y, 0, 1u << 20), params.w);
  const uint32_t a = 1 + rfc_random(y, 1, params.w - 1);
  uint32_t b = rfc_random(y, 2, params.w);
  const uint32_t d1 = d < 4 ? 2 + rfc_random(isi, 3, 2) : 2;
  const uint32_t a1 = 1 + rfc_random(isi, 4, params.p1 - 1);
  uint32_t b1 = rfc_random(isi, 5, params.p1);

  // RFC 6330 5.3.5.3: walk the LT columns with stride a, then the PI columns with stride a1. W and P1
  // are primes, so no column repeats.
  uint32_t count = 0;
  row.columns[count++] = static_cast<uint16_t>(b);
  while (count < d) {
    b += a;
    if (b >= params.w) b -= params.w;
    row.columns[count++] = static_cast<uint16_t>(b);
  }
  row.lt_count = d;
  for (uint32_t i = 0; i < d1; ++i) {
    if (i != 0) b1 = (b1 + a1) % params.p1;
    while (b1 >= params.p) b1 = (b1 + a1) % params.p1;
    row.columns[count++] = static_cast<uint16_t>(params.w + b1);
  }
  row.total_count = count;
}

}  // namespace selvedge::fountain
