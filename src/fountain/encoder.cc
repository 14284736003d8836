#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "check.h"
#include "executor.h"
#include "fountain.h"
#include "plan_cache.h"

namespace selvedge::fountain {
namespace {

void xor_into(uint8_t* into, const uint8_t* from, size_t bytes) {
  size_t at = 0;
  for (; at + sizeof(uint64_t) <= bytes; at += sizeof(uint64_t)) {
    uint64_t a = 0;
    uint64_t b = 0;
    std::memcpy(&a, into + at, sizeof a);
    std::memcpy(&b, from + at, sizeof b);
    a ^= b;
    std::memcpy(into + at, &a, sizeof a);
  }
  for (; at < bytes; ++at) into[at] ^= from[at];
}

}  // namespace

struct BlockEncoder::Impl {
  CodeParams params{};
  uint32_t k = 0;
  uint32_t symbol_bytes = 0;
  std::span<const uint8_t> source;
  std::vector<uint8_t> last_symbol;     // zero padded copy when the source ends inside a symbol
  std::vector<const uint8_t*> symbols;  // K pointers, then null padding symbols up to K'
  CodecOptions options;
  const Kernels* kernels = nullptr;
  std::shared_ptr<const EncodePlan> plan;
  Mutex intermediate_mutex;
  bool intermediate_made = false;     // guarded by the mutex; never goes back
  std::vector<uint8_t> intermediate;  // all C[i], made by the first single repair symbol

  Machine machine() const {
    return Machine{*kernels, options.cache == nullptr ? nullptr : &options.cache->impl().scratch, &options.parallel};
  }
  // RFC 6330 5.3.1: padding symbols sit between the source and the repair symbols.
  uint32_t isi_of(uint32_t esi) const { return esi + (params.k_prime - k); }
  void make_intermediate();
  void repair_from_intermediate(uint32_t esi, uint8_t* out) const;
};

void BlockEncoder::Impl::make_intermediate() {
  const Lock lock(intermediate_mutex);
  if (intermediate_made) return;
  intermediate.resize(size_t{params.l} * symbol_bytes);
  std::vector<uint8_t*> out(params.l);
  for (uint32_t c = 0; c < params.l; ++c) out[c] = intermediate.data() + size_t{c} * symbol_bytes;
  execute(plan->plan, make_all_intermediate(plan->plan), symbols, out, symbol_bytes, machine());
  intermediate_made = true;
}

void BlockEncoder::Impl::repair_from_intermediate(uint32_t esi, uint8_t* out) const {
  LtRow row;
  lt_row(params, isi_of(esi), row);
  std::memset(out, 0, symbol_bytes);
  for (uint32_t i = 0; i < row.total_count; ++i) {
    xor_into(out, intermediate.data() + size_t{row.columns[i]} * symbol_bytes, symbol_bytes);
  }
}

std::optional<BlockEncoder> BlockEncoder::create(std::span<const uint8_t> source, uint32_t symbol_bytes,
                                                 CodecOptions options) {
  if (source.empty() || symbol_bytes == 0 || symbol_bytes > kSymbolBytesMax) return std::nullopt;
  const uint64_t k = (uint64_t{source.size()} + symbol_bytes - 1) / symbol_bytes;
  const Kernels* kernels = kernels_for(options.kernel);
  if (k > kBlockSymbolsMax || kernels == nullptr) return std::nullopt;
  auto impl = std::make_unique<Impl>();
  impl->params = *CodeParams::for_source_symbols(static_cast<uint32_t>(k));
  impl->k = static_cast<uint32_t>(k);
  impl->symbol_bytes = symbol_bytes;
  impl->source = source;
  impl->symbols.assign(impl->params.k_prime, nullptr);
  for (size_t i = 0; i < k; ++i) impl->symbols[i] = source.data() + i * symbol_bytes;
  const size_t tail = source.size() % symbol_bytes;
  if (tail != 0) {
    impl->last_symbol.assign(symbol_bytes, 0);
    std::copy(source.end() - static_cast<ptrdiff_t>(tail), source.end(), impl->last_symbol.begin());
    impl->symbols[k - 1] = impl->last_symbol.data();
  }
  impl->kernels = kernels;
  impl->plan = options.cache == nullptr ? make_encode_plan(impl->params, *kernels)
                                        : options.cache->impl().encode_plan(impl->params, *kernels);
  impl->options = std::move(options);
  return BlockEncoder(std::move(impl));
}

BlockEncoder::BlockEncoder(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
BlockEncoder::BlockEncoder(BlockEncoder&&) noexcept = default;
BlockEncoder& BlockEncoder::operator=(BlockEncoder&&) noexcept = default;
BlockEncoder::~BlockEncoder() = default;

uint32_t BlockEncoder::k() const { return impl_->k; }
uint32_t BlockEncoder::symbol_bytes() const { return impl_->symbol_bytes; }

bool BlockEncoder::symbol(uint32_t esi, std::span<uint8_t> out) const {
  if (esi > kEsiMax || out.size() < impl_->symbol_bytes) return false;
  if (esi < impl_->k) {
    std::memcpy(out.data(), impl_->symbols[esi], impl_->symbol_bytes);
    return true;
  }
  impl_->make_intermediate();
  impl_->repair_from_intermediate(esi, out.data());
  return true;
}

bool BlockEncoder::symbols(std::span<const uint32_t> esis, uint8_t* out, size_t stride) const {
  const Impl& impl = *impl_;
  if (stride < impl.symbol_bytes) return false;
  if (std::any_of(esis.begin(), esis.end(), [](uint32_t esi) { return esi > kEsiMax; })) return false;
  std::vector<uint32_t> isis;
  std::vector<uint8_t*> places;
  for (size_t i = 0; i < esis.size(); ++i) {
    uint8_t* place = out + i * stride;
    if (esis[i] < impl.k) {
      std::memcpy(place, impl.symbols[esis[i]], impl.symbol_bytes);
    } else {
      isis.push_back(impl.isi_of(esis[i]));
      places.push_back(place);
    }
  }
  if (isis.empty()) return true;
  const Outputs outputs = make_outputs(impl.plan->plan, isis);
  execute(impl.plan->plan, outputs, impl.symbols, places, impl.symbol_bytes, impl.machine());
  return true;
}

}  // namespace selvedge::fountain
