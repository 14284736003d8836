// Encode plans as bytes, for PlanCache::save and load.
//
// A plan follows from K' and the order of its rows. The order is what takes a search, so it is all that is
// stored; reading checks that it is an order at all, and the plan is computed from it as always. A damaged
// or hostile file is therefore either refused or just another right way to the same symbols.
//
// File: magic (8 bytes), then for each plan K' (4), pivots (4), inactive columns (4), a row and a column for
// each pivot (2 + 2) and the inactive columns (2 each); last an FNV-1a sum of it all (8). Little endian.
#include <algorithm>
#include <cstring>

#include "plan_cache.h"

namespace selvedge::fountain {
namespace {

constexpr char kMagic[] = "SVFPLAN1";
constexpr size_t kMagicBytes = 8;
constexpr size_t kSumBytes = 8;
constexpr size_t kPlanHeaderBytes = 12;
// The search leaves at most this many columns inactive beside the PI columns, for every K' of the RFC (a
// test looks at each). More would be slow to compute with, so a file may not ask for more.
constexpr uint32_t kInactiveBeyondPiMax = 512;

uint64_t fnv1a(std::span<const uint8_t> bytes) {
  uint64_t sum = 0xCBF29CE484222325u;
  for (const uint8_t byte : bytes) sum = (sum ^ byte) * 0x100000001B3u;
  return sum;
}

template <typename Unsigned>
void put(std::vector<uint8_t>& out, Unsigned value) {
  for (size_t i = 0; i < sizeof value; ++i) out.push_back(static_cast<uint8_t>(value >> (8 * i)));
}

template <typename Unsigned>
Unsigned get(const uint8_t* bytes) {
  Unsigned value = 0;
  for (size_t i = 0; i < sizeof value; ++i) value = static_cast<Unsigned>(value | static_cast<Unsigned>(bytes[i]) << (8 * i));
  return value;
}

void put_plan(std::vector<uint8_t>& out, const EncodePlan& plan) {
  const Ordering& ordering = plan.ordering;
  put<uint32_t>(out, plan.plan.params.k_prime);
  put<uint32_t>(out, static_cast<uint32_t>(ordering.pivot_rows.size()));
  put<uint32_t>(out, static_cast<uint32_t>(ordering.inactive_columns.size()));
  for (size_t i = 0; i < ordering.pivot_rows.size(); ++i) {
    put<uint16_t>(out, static_cast<uint16_t>(ordering.pivot_rows[i]));  // S + K' rows are below 2^16
    put<uint16_t>(out, ordering.pivot_columns[i]);
  }
  for (const uint16_t column : ordering.inactive_columns) put<uint16_t>(out, column);
}

// Whether each row can be a pivot at its place: Ordering's promise, and the PI columns are inactive.
bool is_ordering(const CodeParams& params, const RowSet& rows, const Ordering& ordering) {
  std::vector<uint8_t> known(params.l, 0);
  std::vector<uint8_t> row_used(rows.count(), 0);
  for (const uint16_t column : ordering.inactive_columns) {
    if (column >= params.l || known[column] != 0) return false;
    known[column] = 1;
  }
  if (std::any_of(known.begin() + params.w, known.end(), [](uint8_t is) { return is == 0; })) return false;
  for (size_t i = 0; i < ordering.pivot_rows.size(); ++i) {
    const uint32_t row = ordering.pivot_rows[i];
    const uint16_t own = ordering.pivot_columns[i];
    if (row >= rows.count() || row_used[row] != 0 || own >= params.l || known[own] != 0) return false;
    bool has_own = false;
    for (const uint16_t column : rows.row(row)) {
      if (column == own) has_own = true;
      else if (known[column] == 0) return false;
    }
    if (!has_own) return false;
    row_used[row] = 1;
    known[own] = 1;
  }
  return true;  // pivots + inactive == L, and no column came twice: all are known
}

// Null where the bytes are no plan for more than `k_prime_before` symbols. Moves `at` behind it.
std::shared_ptr<const EncodePlan> get_plan(std::span<const uint8_t> bytes, uint32_t k_prime_before, size_t& at) {
  if (bytes.size() - at < kPlanHeaderBytes) return nullptr;
  const uint8_t* header = bytes.data() + at;
  const auto params = CodeParams::for_source_symbols(get<uint32_t>(header));
  const uint64_t pivots = get<uint32_t>(header + 4);
  const uint64_t inactive = get<uint32_t>(header + 8);
  if (!params || params->k_prime != get<uint32_t>(header) || pivots + inactive != params->l) return nullptr;
  if (params->k_prime <= k_prime_before || inactive > params->p + kInactiveBeyondPiMax) return nullptr;
  at += kPlanHeaderBytes;
  if (bytes.size() - at < pivots * 4 + inactive * 2) return nullptr;
  auto out = std::make_shared<EncodePlan>();
  Ordering& ordering = out->ordering;
  for (uint64_t i = 0; i < pivots; ++i, at += 4) {
    ordering.pivot_rows.push_back(get<uint16_t>(bytes.data() + at));
    ordering.pivot_columns.push_back(get<uint16_t>(bytes.data() + at + 2));
  }
  for (uint64_t i = 0; i < inactive; ++i, at += 2) ordering.inactive_columns.push_back(get<uint16_t>(bytes.data() + at));
  out->rows.append_encode_rows(*params);
  if (!is_ordering(*params, out->rows, ordering)) return nullptr;
  std::vector<uint8_t> is_pivot(out->rows.count(), 0);
  for (const uint32_t row : ordering.pivot_rows) is_pivot[row] = 1;
  for (uint32_t row = 0; row < out->rows.count(); ++row) {
    if (is_pivot[row] == 0) ordering.leftover_rows.push_back(row);
  }
  PlanResult result = make_plan(*params, out->rows, ordering, *kernels_for(std::nullopt));
  if (!result.plan) return nullptr;
  out->plan = std::move(*result.plan);
  return out;
}

}  // namespace

std::vector<uint8_t> save_plans(std::span<const std::shared_ptr<const EncodePlan>> plans) {
  std::vector<std::shared_ptr<const EncodePlan>> sorted(plans.begin(), plans.end());
  std::sort(sorted.begin(), sorted.end(),
            [](const auto& a, const auto& b) { return a->plan.params.k_prime < b->plan.params.k_prime; });
  std::vector<uint8_t> out(kMagic, kMagic + kMagicBytes);
  for (const auto& plan : sorted) put_plan(out, *plan);
  put<uint64_t>(out, fnv1a(out));
  return out;
}

bool load_plans(std::span<const uint8_t> bytes, const std::function<void(std::shared_ptr<const EncodePlan>)>& take) {
  if (bytes.size() < kMagicBytes + kSumBytes || std::memcmp(bytes.data(), kMagic, kMagicBytes) != 0) return false;
  const std::span<const uint8_t> body = bytes.first(bytes.size() - kSumBytes);
  if (get<uint64_t>(bytes.data() + body.size()) != fnv1a(body)) return false;
  size_t at = kMagicBytes;
  uint32_t k_prime_before = 0;
  while (at != body.size()) {
    // Each K' at most once, in order: that bounds the work by the table of the RFC, whatever the file says.
    std::shared_ptr<const EncodePlan> plan = get_plan(body, k_prime_before, at);
    if (plan == nullptr) return false;
    k_prime_before = plan->plan.params.k_prime;
    take(std::move(plan));
  }
  return true;
}

}  // namespace selvedge::fountain
