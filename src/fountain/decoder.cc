#include <algorithm>
#include <cstring>
#include <new>
#include <numeric>
#include <utility>
#include <vector>

#include "check.h"
#include "esi_set.h"
#include "executor.h"
#include "fountain.h"
#include "plan_cache.h"

namespace selvedge::fountain {
namespace {

using Bytes = std::unique_ptr<uint8_t[]>;

Bytes allocate(size_t bytes) { return Bytes(new (std::nothrow) uint8_t[bytes]); }

// Nanoseconds for planning and for the symbol work that depends on n, the number of inactive columns,
// when `missing` symbols are wanted. Fitted to measurements from K = 100 to 50000; only the ratio of two
// such estimates matters.
double decode_cost_ns(double n, double missing, double rows, double ns_per_row, double symbol_bytes) {
  const double elimination = n * n * (2.5 + 0.003 * n);
  const double substitution = rows * (ns_per_row + 0.1 * n);
  const double outputs = missing * n * (1.0 + 0.001 * n);
  const double symbols = missing * n * symbol_bytes * 0.0016;
  return elimination + substitution + outputs + symbols;
}

// Whether to patch the encode plan or to order the received symbols afresh. Patching searches nothing but
// makes every lost symbol one more inactive column.
bool patching_is_cheaper(const EncodePlan& base, size_t missing, uint32_t symbol_bytes) {
  constexpr double kPatchNsPerRow = 60;
  constexpr double kFreshNsPerRow = 230;
  const double lost = static_cast<double>(missing);
  const double inactive = base.plan.layout.inactive;
  if (inactive + lost > kInactiveColumnsMax) return false;
  return decode_cost_ns(inactive + lost, lost, base.plan.params.l, kPatchNsPerRow, symbol_bytes) <
         decode_cost_ns(inactive, lost, base.plan.params.l, kFreshNsPerRow, symbol_bytes);
}

}  // namespace

struct BlockDecoder::Impl {
  CodeParams params{};
  uint32_t k = 0;
  uint32_t symbol_bytes = 0;
  CodecOptions options;
  const Kernels* kernels = nullptr;

  Bytes own_block;  // unless decoding in place
  std::span<uint8_t> block;
  std::vector<uint8_t> last_symbol;  // T bytes, zero padded, when the block ends inside a symbol
  std::vector<uint8_t> have;         // by source ESI
  uint32_t source_count = 0;

  std::vector<uint32_t> repair_esis;
  std::vector<Bytes> repair_symbols;
  EsiSet repair_seen;
  uint32_t attempt_at = 0;  // symbols to hold before the next decode attempt

  uint32_t held() const { return source_count + static_cast<uint32_t>(repair_esis.size()); }
  size_t source_bytes(uint32_t esi) const {
    return std::min<size_t>(symbol_bytes, block.size() - size_t{esi} * symbol_bytes);
  }
  uint8_t* source_place(uint32_t esi) {
    return esi + 1 == k && !last_symbol.empty() ? last_symbol.data() : block.data() + size_t{esi} * symbol_bytes;
  }
  uint32_t isi_of(uint32_t esi) const { return esi + (params.k_prime - k); }

  Add add_source(uint32_t esi, std::span<const uint8_t> payload);
  Add add_repair(uint32_t esi, std::span<const uint8_t> payload);
  bool solve();
  std::shared_ptr<const DecodePlan> plan_for(std::span<const uint32_t> missing, std::span<const uint32_t> order);
  PlanResult plan_patched(const EncodePlan& base, std::span<const uint32_t> missing,
                          std::span<const uint32_t> order) const;
  PlanResult plan_fresh(std::span<const uint32_t> order) const;
  std::vector<const uint8_t*> input_symbols(bool patched, std::span<const uint32_t> order);
};

BlockDecoder::Add BlockDecoder::Impl::add_source(uint32_t esi, std::span<const uint8_t> payload) {
  const size_t bytes = source_bytes(esi);
  if (payload.size() != symbol_bytes && payload.size() != bytes) return Add::kRejected;
  if (have[esi]) return Add::kDuplicate;
  // Padding is zero by definition (RFC 6330 4.4.2): what a peer put there is not looked at.
  std::memcpy(source_place(esi), payload.data(), bytes);
  if (bytes != symbol_bytes) std::memcpy(block.data() + size_t{esi} * symbol_bytes, payload.data(), bytes);
  have[esi] = 1;
  ++source_count;
  return Add::kAccepted;
}

BlockDecoder::Add BlockDecoder::Impl::add_repair(uint32_t esi, std::span<const uint8_t> payload) {
  if (payload.size() != symbol_bytes) return Add::kRejected;
  if (repair_seen.contains(esi)) return Add::kDuplicate;
  if (held() >= k + kSpareSymbolsMax) return Add::kRejected;
  Bytes copy = allocate(symbol_bytes);
  if (copy == nullptr) return Add::kRejected;
  std::memcpy(copy.get(), payload.data(), symbol_bytes);
  repair_seen.insert(esi);
  repair_esis.push_back(esi);
  repair_symbols.push_back(std::move(copy));
  return Add::kAccepted;
}

// The encode system without the lost rows, the repair rows behind it: input i is source ISI i for i < K',
// then repair symbols in `order`.
PlanResult BlockDecoder::Impl::plan_patched(const EncodePlan& base, std::span<const uint32_t> missing,
                                            std::span<const uint32_t> order) const {
  RowSet rows = base.rows;
  const uint32_t base_count = rows.count();
  for (const uint32_t i : order) rows.append_lt(params, isi_of(repair_esis[i]));
  std::vector<uint32_t> removed;
  removed.reserve(missing.size());
  for (const uint32_t esi : missing) removed.push_back(params.s + esi);
  const Ordering ordering = order_by_patching(base.ordering, base_count, rows, removed);
  return make_plan(params, rows, ordering, *kernels);
}

// A system of its own: input i < K' is source ISI i, or, where that is lost, the next repair symbol in
// `order`; spare repair symbols follow.
PlanResult BlockDecoder::Impl::plan_fresh(std::span<const uint32_t> order) const {
  RowSet rows;
  rows.reserve(params, params.k_prime + static_cast<uint32_t>(order.size()));
  rows.append_ldpc(params);
  size_t next = 0;
  for (uint32_t isi = 0; isi < params.k_prime; ++isi) {
    const bool lost = isi < k && !have[isi];
    rows.append_lt(params, lost ? isi_of(repair_esis[order[next++]]) : isi);
  }
  for (; next < order.size(); ++next) rows.append_lt(params, isi_of(repair_esis[order[next]]));
  return make_plan(params, rows, order_by_peeling(params, rows), *kernels);
}

std::vector<const uint8_t*> BlockDecoder::Impl::input_symbols(bool patched, std::span<const uint32_t> order) {
  std::vector<const uint8_t*> inputs(params.k_prime, nullptr);
  size_t next = 0;
  for (uint32_t esi = 0; esi < k; ++esi) {
    if (have[esi]) {
      inputs[esi] = source_place(esi);
    } else if (!patched) {
      inputs[esi] = repair_symbols[order[next++]].get();
    }
  }
  for (; next < order.size(); ++next) inputs.push_back(repair_symbols[order[next]].get());
  return inputs;
}

// Null when the rank does not suffice; attempt_at is moved then.
std::shared_ptr<const DecodePlan> BlockDecoder::Impl::plan_for(std::span<const uint32_t> missing,
                                                               std::span<const uint32_t> order) {
  PlanCache::Impl::Key key;
  std::shared_ptr<const EncodePlan> base;
  PlanCache* const cache = options.cache.get();
  if (cache != nullptr) {
    key.reserve(1 + missing.size() + order.size());
    key.push_back(k);
    key.insert(key.end(), missing.begin(), missing.end());
    for (const uint32_t i : order) key.push_back(repair_esis[i]);
    if (auto found = cache->impl().find_decode_plan(key)) return found;
    base = cache->impl().encode_plan(params, *kernels);
  }
  auto made = std::make_shared<DecodePlan>();
  made->patched = base != nullptr && patching_is_cheaper(*base, missing.size(), symbol_bytes);
  PlanResult result = made->patched ? plan_patched(*base, missing, order) : plan_fresh(order);
  if (!result.plan) {
    attempt_at = held() + result.missing_rank;
    return nullptr;
  }
  made->plan = std::move(*result.plan);
  made->outputs = make_outputs(made->plan, missing);  // a source ESI is its own ISI
  if (cache != nullptr) cache->impl().keep_decode_plan(std::move(key), made);
  return made;
}

bool BlockDecoder::Impl::solve() {
  std::vector<uint32_t> missing;
  for (uint32_t esi = 0; esi < k; ++esi) {
    if (!have[esi]) missing.push_back(esi);
  }
  // One order for one set, whatever the order of arrival: the same set must find the same cached plan.
  std::vector<uint32_t> order(repair_esis.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [this](uint32_t a, uint32_t b) { return repair_esis[a] < repair_esis[b]; });
  const std::shared_ptr<const DecodePlan> plan = plan_for(missing, order);
  if (plan == nullptr) return false;
  std::vector<uint8_t*> places;
  places.reserve(missing.size());
  for (const uint32_t esi : missing) places.push_back(source_place(esi));
  const Machine machine{*kernels, options.cache == nullptr ? nullptr : &options.cache->impl().scratch,
                        &options.parallel};
  execute(plan->plan, plan->outputs, input_symbols(plan->patched, order), places, symbol_bytes, machine);
  if (!have[k - 1] && !last_symbol.empty()) {
    std::memcpy(block.data() + size_t{k - 1} * symbol_bytes, last_symbol.data(), source_bytes(k - 1));
  }
  std::fill(have.begin(), have.end(), uint8_t{1});
  source_count = k;
  return true;
}

std::optional<BlockDecoder> BlockDecoder::create_in_place(std::span<uint8_t> block, uint32_t symbol_bytes,
                                                          CodecOptions options) {
  if (block.empty() || symbol_bytes == 0 || symbol_bytes > kSymbolBytesMax) return std::nullopt;
  const uint64_t k = (uint64_t{block.size()} + symbol_bytes - 1) / symbol_bytes;
  const Kernels* kernels = kernels_for(options.kernel);
  if (k > kBlockSymbolsMax || kernels == nullptr) return std::nullopt;
  auto impl = std::make_unique<Impl>();
  impl->k = static_cast<uint32_t>(k);
  impl->params = *CodeParams::for_source_symbols(impl->k);
  impl->symbol_bytes = symbol_bytes;
  impl->kernels = kernels;
  impl->options = std::move(options);
  impl->block = block;
  if (block.size() % symbol_bytes != 0) impl->last_symbol.assign(symbol_bytes, 0);
  impl->have.assign(impl->k, 0);
  impl->attempt_at = impl->k;
  return BlockDecoder(std::move(impl));
}

std::optional<BlockDecoder> BlockDecoder::create(uint64_t block_bytes, uint32_t symbol_bytes,
                                                 CodecOptions options) {
  if (block_bytes > uint64_t{kBlockSymbolsMax} * kSymbolBytesMax) return std::nullopt;
  if (block_bytes > uint64_t{kBlockSymbolsMax} * symbol_bytes) return std::nullopt;
  Bytes own = allocate(static_cast<size_t>(block_bytes));
  if (own == nullptr) return std::nullopt;
  auto decoder = create_in_place({own.get(), static_cast<size_t>(block_bytes)}, symbol_bytes, std::move(options));
  if (decoder) decoder->impl_->own_block = std::move(own);
  return decoder;
}

BlockDecoder::BlockDecoder(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
BlockDecoder::BlockDecoder(BlockDecoder&&) noexcept = default;
BlockDecoder& BlockDecoder::operator=(BlockDecoder&&) noexcept = default;
BlockDecoder::~BlockDecoder() = default;

uint32_t BlockDecoder::k() const { return impl_->k; }
uint32_t BlockDecoder::symbol_bytes() const { return impl_->symbol_bytes; }

BlockDecoder::Add BlockDecoder::add(uint32_t esi, std::span<const uint8_t> payload) {
  if (esi > kEsiMax) return Add::kRejected;
  return esi < impl_->k ? impl_->add_source(esi, payload) : impl_->add_repair(esi, payload);
}

uint32_t BlockDecoder::needed() const {
  if (complete()) return 0;
  const uint32_t held = impl_->held();
  return held >= impl_->attempt_at ? 0 : impl_->attempt_at - held;
}

bool BlockDecoder::complete() const { return impl_->source_count == impl_->k; }

bool BlockDecoder::decode() {
  if (complete()) return true;
  return needed() == 0 && impl_->solve();
}

std::optional<std::span<const uint8_t>> BlockDecoder::source(uint32_t esi) const {
  if (esi >= impl_->k || !impl_->have[esi]) return std::nullopt;
  return std::span<const uint8_t>(impl_->block.data() + size_t{esi} * impl_->symbol_bytes, impl_->source_bytes(esi));
}

bool BlockDecoder::decode(std::span<uint8_t> out) {
  if (out.size() < impl_->block.size() || !decode()) return false;
  std::memcpy(out.data(), impl_->block.data(), impl_->block.size());
  return true;
}

}  // namespace selvedge::fountain
