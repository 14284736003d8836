// What a PlanCache holds, and how plans are made with or without one.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <vector>

#include "executor.h"
#include "fountain.h"
#include "plan.h"

namespace selvedge::fountain {

// The plan that encodes blocks of K' symbols. Rows and ordering stay with it for decoders to patch.
struct EncodePlan {
  RowSet rows;  // LDPC rows, then ISI 0..K'-1
  Ordering ordering;
  Plan plan;

  size_t bytes() const;
};

// The plan that restores the missing source symbols of one exact set of received ones. Input i is LT row
// i of the system; what that is, is the decoder's own order (see decoder.cc).
struct DecodePlan {
  Plan plan;
  Outputs outputs;
  bool patched = false;  // built on an EncodePlan, whose input order it uses

  size_t bytes() const;
};

struct PlanCache::Impl {
  using Key = std::vector<uint32_t>;  // K, then the missing source ESIs, then the repair ESIs

  explicit Impl(size_t limit) : bytes_max(limit) {}

  // Makes the plan when it is not there. Making happens outside the lock: two threads may make the same.
  std::shared_ptr<const EncodePlan> encode_plan(const CodeParams& params, const Kernels& kernels);
  std::shared_ptr<const DecodePlan> find_decode_plan(const Key& key);
  void keep_decode_plan(Key key, std::shared_ptr<const DecodePlan> plan);
  void keep_encode_plan(std::shared_ptr<const EncodePlan> plan);
  std::vector<std::shared_ptr<const EncodePlan>> encode_plans();
  size_t bytes_held();

  ScratchPool scratch;

 private:
  struct Entry {
    Key key;
    std::shared_ptr<const EncodePlan> encode;  // exactly one of the two is set
    std::shared_ptr<const DecodePlan> decode;
    size_t bytes;
  };
  using Entries = std::list<Entry>;  // most recently used first

  Entry* find(const Key& key);
  void keep(Entry entry);

  const size_t bytes_max;
  Mutex mutex;
  Entries entries;
  std::map<Key, Entries::iterator> index;
  size_t bytes_used = 0;
};

std::shared_ptr<const EncodePlan> make_encode_plan(const CodeParams& params, const Kernels& kernels);

// The bytes of PlanCache::save and load (plan_file.cc).
std::vector<uint8_t> save_plans(std::span<const std::shared_ptr<const EncodePlan>> plans);
// Calls `take` with each plan in turn. False where the bytes are wrong.
bool load_plans(std::span<const uint8_t> bytes, const std::function<void(std::shared_ptr<const EncodePlan>)>& take);

}  // namespace selvedge::fountain
