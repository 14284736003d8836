#include "plan_cache.h"

#include <utility>

#include "check.h"

namespace selvedge::fountain {

size_t EncodePlan::bytes() const {
  return plan.bytes() + rows.offsets.size() * 4 + rows.columns.size() * 2 + rows.lt_counts.size() * 2 +
         ordering.pivot_rows.size() * 6 + ordering.inactive_columns.size() * 6;
}

size_t DecodePlan::bytes() const {
  size_t total = plan.bytes() + outputs.x_bits.indices.size();
  for (const OutputBatch& batch : outputs.batches) {
    total += batch.ops.size() * sizeof(GatherOp) + batch.sources.size() * 2 + batch.bits.indices.size();
  }
  return total;
}

std::shared_ptr<const EncodePlan> make_encode_plan(const CodeParams& params, const Kernels& kernels) {
  auto out = std::make_shared<EncodePlan>();
  out->rows.append_encode_rows(params);
  out->ordering = order_by_peeling(params, out->rows);
  PlanResult result = make_plan(params, out->rows, out->ordering, kernels);
  // RFC 6330 5.6 chose J(K') so that the K' source symbols always determine the intermediate symbols.
  FOUNTAIN_CHECK(result.plan.has_value());
  out->plan = std::move(*result.plan);
  return out;
}

PlanCache::Impl::Entry* PlanCache::Impl::find(const Key& key) {
  const auto found = index.find(key);
  if (found == index.end()) return nullptr;
  entries.splice(entries.begin(), entries, found->second);
  return &entries.front();
}

void PlanCache::Impl::keep(Entry entry) {
  if (entry.bytes > bytes_max || find(entry.key) != nullptr) return;
  bytes_used += entry.bytes;
  entries.push_front(std::move(entry));
  index.emplace(entries.front().key, entries.begin());
  while (bytes_used > bytes_max) {
    bytes_used -= entries.back().bytes;
    index.erase(entries.back().key);
    entries.pop_back();
  }
}

std::shared_ptr<const EncodePlan> PlanCache::Impl::encode_plan(const CodeParams& params,
                                                                      const Kernels& kernels) {
  const Key key{params.k_prime};
  {
    const Lock lock(mutex);
    if (const Entry* entry = find(key)) return entry->encode;
  }
  std::shared_ptr<const EncodePlan> made = make_encode_plan(params, kernels);
  const Lock lock(mutex);
  keep(Entry{key, made, nullptr, made->bytes()});
  return made;
}

std::shared_ptr<const DecodePlan> PlanCache::Impl::find_decode_plan(const Key& key) {
  const Lock lock(mutex);
  const Entry* entry = find(key);
  return entry == nullptr ? nullptr : entry->decode;
}

void PlanCache::Impl::keep_decode_plan(Key key, std::shared_ptr<const DecodePlan> plan) {
  const size_t bytes = plan->bytes() + 2 * key.size() * sizeof(uint32_t);
  const Lock lock(mutex);
  keep(Entry{std::move(key), nullptr, std::move(plan), bytes});
}

void PlanCache::Impl::keep_encode_plan(std::shared_ptr<const EncodePlan> plan) {
  const size_t bytes = plan->bytes();
  const Lock lock(mutex);
  keep(Entry{Key{plan->plan.params.k_prime}, std::move(plan), nullptr, bytes});
}

std::vector<std::shared_ptr<const EncodePlan>> PlanCache::Impl::encode_plans() {
  std::vector<std::shared_ptr<const EncodePlan>> out;
  const Lock lock(mutex);
  for (const Entry& entry : entries) {
    if (entry.encode != nullptr) out.push_back(entry.encode);
  }
  return out;
}

size_t PlanCache::Impl::bytes_held() {
  const Lock lock(mutex);
  return bytes_used;
}

PlanCache::PlanCache(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PlanCache::~PlanCache() = default;

std::shared_ptr<PlanCache> PlanCache::create(size_t bytes_max) {
  return std::shared_ptr<PlanCache>(new PlanCache(std::make_unique<Impl>(bytes_max)));
}

size_t PlanCache::bytes() const { return impl_->bytes_held(); }

std::vector<uint8_t> PlanCache::save() const { return save_plans(impl_->encode_plans()); }

bool PlanCache::load(std::span<const uint8_t> bytes) {
  return load_plans(bytes, [this](std::shared_ptr<const EncodePlan> plan) { impl_->keep_encode_plan(std::move(plan)); });
}

}  // namespace selvedge::fountain
