// Kernel: what Linux says about memory, heat, power and whether somebody is there, in four levels.
//
// Nothing of it leaves the node: guests and peers see only how fast they go. The levels are coarse, fall only after kKernelHold, and are
// read at most every kKernelPeriod, so that a pace tells nobody more than "busy" (spec: WF 4.6.2). What a machine has no source for
// counts as calm, and sources() says so. Reads files below a root directory, so that tests can make up a machine. Loop thread.
#pragma once

#include <string>
#include <vector>

#include "base/time.h"
#include "work/dtaps.h"

namespace selvedge::host {

constexpr Duration kKernelPeriod = seconds(1);
constexpr Duration kKernelHold = seconds(5);

/// One kind of signal, for `selvedge doctor`.
struct KernelSource {
  std::string what;      // "memory"
  bool there = false;
  std::string detail;    // what is read, or what is lost without it and what to do
};

class Kernel {
 public:
  explicit Kernel(std::string root = "/");
  ~Kernel();
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;

  /// What is known now. Call it every kKernelPeriod; sooner gives the same answer.
  const work::Signals& read(Instant now);
  std::vector<KernelSource> sources() const;

 private:
  work::Level memory() const;
  work::Level heat(Instant now);
  work::Level frames();
  work::Level interaction(Instant now);
  void power(work::Signals& signals) const;
  void hold(Instant now, work::Level& kept, work::Level seen, Instant& since) const;

  std::string root_;
  work::Signals signals_;
  Instant read_at_;
  Instant held_[4];             // when each level was last seen as high as it is
  std::vector<int> inputs_;     // event devices that may be read
  Instant input_at_;            // when one of them last had something
  int64_t hottest_ = 0;         // thousandths of a degree, at hottest_at_
  Instant hottest_at_;
  bool rising_ = false;
  uint64_t waited_ns_ = 0, turns_ = 0;  // of this process's first thread, for the processor
};

}  // namespace selvedge::host
