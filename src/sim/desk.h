// Desk: a person at a machine that works for the fabric, in virtual time and by seed: frames, heat, battery, and the scheduler between.
//
// The person comes and goes and draws sixty frames a second while there; most of the time the kernel bridge sees it coming. The machine gets
// warmer by what its processors do and loses charge on battery. Guests take whatever they may. Processors are shared evenly among all
// that is runnable: the worst case, in which the host's background class does nothing. The same seed runs with and without the scheduler.
#pragma once

#include <cstdint>

#include "base/time.h"

namespace selvedge::sim {

struct DeskOptions {
  uint64_t seed = 1;
  uint32_t processors = 2;
  uint32_t leases = 4;
  Duration time = seconds(600);
  bool scheduled = true;   // false: guests run as fast as their grants say, whatever happens
};

struct DeskResult {
  uint64_t frames = 0;
  uint64_t missed_alone = 0;        // would be missed without any guest
  uint64_t missed = 0;
  uint64_t missed_announced = 0;    // of those beyond missed_alone: the interaction had been announced
  double hottest = 0;               // degrees
  double battery_low = 100;         // percent
  double guests_cpu_s = 0;
  double guests_cpu_present_s = 0;  // while the person was there
  double guests_cpu_forbidden_s = 0;  // of a lease whose conditions did not hold
};

DeskResult run_desk(const DeskOptions& options);

}  // namespace selvedge::sim
