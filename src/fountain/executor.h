// Runs a plan over symbols, strip by strip.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "fountain.h"
#include "kernels.h"
#include "lock.h"
#include "plan.h"

namespace selvedge::fountain {

// 64-byte aligned scratch memory, huge pages where the system offers them.
class Scratch {
 public:
  explicit Scratch(size_t bytes);
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  uint8_t* data() { return data_; }
  size_t size() const { return bytes_; }

 private:
  uint8_t* data_;
  size_t bytes_;
};

// Keeps a few scratch blocks between runs, so that a run does not pay for fresh pages. Thread safe.
class ScratchPool {
 public:
  std::unique_ptr<Scratch> take(size_t bytes);
  void give(std::unique_ptr<Scratch> scratch);

 private:
  static constexpr size_t kKeptMax = 8;
  static constexpr size_t kKeptBytesMax = size_t{16} << 20;  // a bigger block is freed, not kept
  Mutex mutex_;
  std::vector<std::unique_ptr<Scratch>> kept_;
};

// The set of kernels for `wanted`, or the fastest; null where the wanted one is not available.
const Kernels* kernels_of(Kernel kernel);
const Kernels* kernels_for(std::optional<Kernel> wanted);

// What symbols are worked on with.
struct Machine {
  const Kernels& kernels;
  ScratchPool* pool = nullptr;            // null: scratch memory is allocated for the run
  const ParallelFor* parallel = nullptr;  // null or without run: on the calling thread
};

// `inputs` and `outputs` point at whole symbols of symbol_bytes; a null input is a zero symbol. Outputs
// must not overlap inputs. outputs.size() is the number of wanted symbols.
void execute(const Plan& plan, const Outputs& program, std::span<const uint8_t* const> inputs,
             std::span<uint8_t* const> outputs, uint32_t symbol_bytes, const Machine& machine);

}  // namespace selvedge::fountain
