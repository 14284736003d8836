#include "plan.h"

#include <algorithm>
#include <bit>

#include "check.h"
#include "dense_solver.h"
#include "gf256.h"

namespace selvedge::fountain {
namespace {

static_assert(std::endian::native == std::endian::little, "bits_widen and the kernels assume it");

constexpr uint32_t kScratchRowsMax = 0xFFFF;  // scratch rows are named by 16 bits

class PlanBuilder {
 public:
  PlanBuilder(const CodeParams& params, const RowSet& rows, const Ordering& ordering, const Kernels& kernels)
      : rows_(rows), ordering_(ordering), kernels_(kernels) {
    plan_.params = params;
  }
  PlanResult build();

 private:
  void place_columns();
  void emit_op(uint32_t row, uint32_t destination, uint64_t* bits);
  void emit_pivots();
  void emit_slots(BinaryEliminator& eliminator);
  uint32_t solve_free_columns(const std::vector<uint32_t>& free);
  void list_hdpc_columns();
  std::vector<uint8_t> hdpc_coefficients(const std::vector<uint8_t>& pairs) const;
  std::vector<uint8_t> times_solution(const std::vector<uint8_t>& coefficients) const;
  void emit_octets(const std::vector<uint8_t>& reduced, const std::vector<uint8_t>& inverse, uint32_t free_count);

  const RowSet& rows_;
  const Ordering& ordering_;
  const Kernels& kernels_;
  Plan plan_;
};

void PlanBuilder::place_columns() {
  ScratchLayout& layout = plan_.layout;
  layout.pivots = static_cast<uint32_t>(ordering_.pivot_columns.size());
  layout.inactive = static_cast<uint32_t>(ordering_.inactive_columns.size());
  layout.l = plan_.params.l;
  layout.h = plan_.params.h;
  FOUNTAIN_CHECK(layout.pivots + layout.inactive == layout.l);
  plan_.position.resize(layout.l);
  for (uint32_t i = 0; i < layout.pivots; ++i) plan_.position[ordering_.pivot_columns[i]] = static_cast<uint16_t>(i);
  for (uint32_t k = 0; k < layout.inactive; ++k) {
    plan_.position[ordering_.inactive_columns[k]] = static_cast<uint16_t>(layout.x_row(k));
  }
}

// The op that substitutes one row, and its bits over the inactive columns. A pivot row skips its own
// column, which is the one placed at `destination`.
void PlanBuilder::emit_op(uint32_t row, uint32_t destination, uint64_t* bits) {
  const uint32_t pivots = plan_.layout.pivots;
  const size_t begin = plan_.sources.size();
  uint32_t extra = 0;
  for (const uint16_t column : rows_.row(row)) {
    const uint32_t at = plan_.position[column];
    if (at == destination) continue;
    if (at < pivots) {
      plan_.sources.push_back(static_cast<uint16_t>(at));
      bits_xor(bits, plan_.u.row(at), plan_.u.words());
    } else {
      ++extra;
      bits_flip(bits, at - pivots);
    }
  }
  const size_t count = plan_.sources.size() - begin;
  if (destination < pivots) {
    for (const uint16_t column : rows_.row(row)) {
      if (plan_.position[column] >= pivots) plan_.sources.push_back(plan_.position[column]);
    }
  } else {
    extra = 0;  // slots are never part of a full pass
  }
  FOUNTAIN_CHECK(count <= 0xFF && extra <= 0xFF);
  const bool has_input = row >= plan_.params.s;
  const uint16_t input = has_input ? static_cast<uint16_t>(row - plan_.params.s) : kNoInput;
  plan_.ops.push_back(GatherOp{destination, input, static_cast<uint8_t>(count), static_cast<uint8_t>(extra)});
}

void PlanBuilder::emit_pivots() {
  const ScratchLayout& layout = plan_.layout;
  plan_.u = BitRows(layout.pivots, layout.inactive);
  plan_.ops.reserve(layout.l);
  plan_.sources.reserve(rows_.columns.size());
  for (uint32_t i = 0; i < layout.pivots; ++i) emit_op(ordering_.pivot_rows[i], i, plan_.u.row(i));
}

void PlanBuilder::emit_slots(BinaryEliminator& eliminator) {
  std::vector<uint64_t> bits(plan_.u.words());
  for (const uint32_t row : ordering_.leftover_rows) {
    if (eliminator.complete()) break;
    std::fill(bits.begin(), bits.end(), uint64_t{0});
    const size_t sources = plan_.sources.size();
    emit_op(row, plan_.layout.slot_row() + plan_.slots, bits.data());
    if (eliminator.add(bits.data())) {
      ++plan_.slots;
    } else {
      plan_.sources.resize(sources);
      plan_.ops.pop_back();
    }
  }
}

// RFC 6330 5.3.3.3: MT, the two HDPC rows each column is added to. Rows of y that are inactive columns
// count as zero: their part is in the coefficients.
void PlanBuilder::list_hdpc_columns() {
  const CodeParams& p = plan_.params;
  const uint32_t count = p.k_prime + p.s;
  plan_.horner_columns.resize(count);
  plan_.horner_pairs.resize(size_t{2} * count);
  for (uint32_t j = 0; j < count; ++j) {
    const uint32_t at = plan_.position[j];
    plan_.horner_columns[j] = static_cast<uint16_t>(at < plan_.layout.pivots ? at : plan_.layout.zero_row());
    const uint32_t first = rfc_random(j + 1, 6, p.h);
    const uint32_t second = (first + rfc_random(j + 1, 7, p.h - 1) + 1) % p.h;
    plan_.horner_pairs[size_t{2} * j] = static_cast<uint8_t>(first);
    plan_.horner_pairs[size_t{2} * j + 1] = static_cast<uint8_t>(second);
  }
}

// H x inactive octets: the HDPC rows after substitution. The bits of U are widened to octets, 64 columns
// at a time, and run through the same Horner kernel as symbols are. Row-major, padded to 64 columns.
std::vector<uint8_t> PlanBuilder::hdpc_coefficients(const std::vector<uint8_t>& pairs) const {
  const ScratchLayout& layout = plan_.layout;
  const size_t groups = (layout.inactive + 63) / 64;
  std::vector<uint8_t> wide(size_t{layout.l} * kLaneBytes + kLaneBytes);
  std::vector<uint8_t> sums(size_t{kHdpcRowsMax} * kLaneBytes);
  std::vector<uint8_t> out(size_t{layout.h} * groups * kLaneBytes, 0);
  for (size_t g = 0; g < groups; ++g) {
    for (uint32_t at = 0; at < layout.pivots; ++at) bits_widen(plan_.u.row(at)[g], wide.data() + at * kLaneBytes);
    for (uint32_t k = 0; k < layout.inactive; ++k) {
      const uint64_t unit = k / 64 == g ? uint64_t{1} << (k % 64) : 0;
      bits_widen(unit, wide.data() + layout.x_row(k) * kLaneBytes);
    }
    HornerArgs args{};
    args.rows = wide.data();
    args.columns = plan_.position.data();
    args.pairs = pairs.data();
    args.column_count = size_t{plan_.params.k_prime} + plan_.params.s;
    args.destinations = sums.data();
    args.h = layout.h;
    kernels_.horner[0](args);
    for (uint32_t i = 0; i < layout.h; ++i) {
      std::copy_n(sums.data() + i * kLaneBytes, kLaneBytes, out.data() + (i * groups + g) * kLaneBytes);
    }
  }
  // The identity part: HDPC row i holds column K' + S + i, a PI column and therefore inactive.
  for (uint32_t i = 0; i < layout.h; ++i) {
    const uint32_t k = plan_.position[plan_.params.k_prime + plan_.params.s + i] - layout.pivots;
    out[i * groups * kLaneBytes + k] ^= 1;
  }
  return out;
}

// (H x inactive octets) * solution: the HDPC rows in terms of [slots; x_free], same layout.
std::vector<uint8_t> PlanBuilder::times_solution(const std::vector<uint8_t>& coefficients) const {
  const ScratchLayout& layout = plan_.layout;
  const size_t groups = (layout.inactive + 63) / 64;
  const size_t padded = (layout.h + kOctetTile - 1) / kOctetTile * kOctetTile;
  std::vector<uint8_t> transposed(padded * layout.inactive, 0);
  for (uint32_t i = 0; i < layout.h; ++i) {
    for (uint32_t k = 0; k < layout.inactive; ++k) {
      transposed[k * padded + i] = coefficients[i * groups * kLaneBytes + k];
    }
  }
  std::vector<uint8_t> wide(size_t{layout.inactive} * kLaneBytes);
  std::vector<uint8_t> sums(size_t{kHdpcRowsMax} * kLaneBytes);
  std::vector<uint8_t> out(coefficients.size(), 0);
  for (size_t g = 0; g < groups; ++g) {
    for (uint32_t k = 0; k < layout.inactive; ++k) bits_widen(plan_.solution.row(k)[g], wide.data() + k * kLaneBytes);
    OctetArgs args{};
    args.rows = wide.data();
    args.row_count = layout.inactive;
    args.coefficients = transposed.data();
    args.destinations = sums.data();
    args.output_count = layout.h;
    kernels_.octet[0](args);
    for (uint32_t i = 0; i < layout.h; ++i) {
      std::copy_n(sums.data() + i * kLaneBytes, kLaneBytes, out.data() + (i * groups + g) * kLaneBytes);
    }
  }
  return out;
}

// x_free = inverse * (w + reduced_slots * slots), written as one matrix over [w; slots].
void PlanBuilder::emit_octets(const std::vector<uint8_t>& reduced, const std::vector<uint8_t>& inverse,
                              uint32_t free_count) {
  const uint32_t h = plan_.layout.h;
  const size_t width = (plan_.layout.inactive + 63) / 64 * kLaneBytes;
  const size_t padded = (free_count + kOctetTile - 1) / kOctetTile * kOctetTile;
  plan_.octets.assign((size_t{h} + plan_.slots) * padded, 0);
  for (uint32_t f = 0; f < free_count; ++f) {
    for (uint32_t i = 0; i < h; ++i) {
      const uint8_t factor = inverse[f * h + i];
      plan_.octets[i * padded + f] = factor;
      if (factor == 0) continue;
      const uint8_t* row = reduced.data() + i * width;
      for (uint32_t s = 0; s < plan_.slots; ++s) {
        plan_.octets[(size_t{h} + s) * padded + f] ^= gf_mul(row[s], factor);
      }
    }
  }
}

// Returns the rank still missing, zero when all is solved.
uint32_t PlanBuilder::solve_free_columns(const std::vector<uint32_t>& free) {
  const uint32_t free_count = static_cast<uint32_t>(free.size());
  const uint32_t h = plan_.layout.h;
  if (free_count == 0) return 0;
  if (free_count > h) return free_count - h;
  list_hdpc_columns();
  const std::vector<uint8_t> reduced = times_solution(hdpc_coefficients(plan_.horner_pairs));
  const size_t width = (plan_.layout.inactive + 63) / 64 * kLaneBytes;
  OctetMatrix matrix(h, free_count);
  for (uint32_t i = 0; i < h; ++i) {
    std::copy_n(reduced.data() + i * width + plan_.slots, free_count, matrix.row(i));
  }
  OctetMatrix inverse;
  const uint32_t rank = left_inverse(matrix, inverse);
  if (rank != free_count) return free_count - rank;
  emit_octets(reduced, inverse.data, free_count);
  return 0;
}

PlanResult PlanBuilder::build() {
  place_columns();
  const ScratchLayout& layout = plan_.layout;
  if (layout.inactive > kInactiveColumnsMax || layout.rows() > kScratchRowsMax) return PlanResult{std::nullopt, 1};
  emit_pivots();
  BinaryEliminator eliminator(layout.inactive);
  emit_slots(eliminator);
  const std::vector<uint32_t> free = eliminator.free_columns();
  if (free.size() > layout.h) return PlanResult{std::nullopt, static_cast<uint32_t>(free.size()) - layout.h};
  plan_.solution = eliminator.solution();
  const uint32_t missing = solve_free_columns(free);
  if (missing != 0) return PlanResult{std::nullopt, missing};
  return PlanResult{std::move(plan_), 0};
}

}  // namespace

PlanResult make_plan(const CodeParams& params, const RowSet& rows, const Ordering& ordering, const Kernels& kernels) {
  return PlanBuilder(params, rows, ordering, kernels).build();
}

size_t Plan::bytes() const {
  return sizeof(Plan) + position.size() * 2 + ops.size() * sizeof(GatherOp) + sources.size() * 2 +
         horner_columns.size() * 2 + horner_pairs.size() + octets.size() + u.bytes() + solution.bytes();
}

}  // namespace selvedge::fountain
