// checkpoint_bench [--quick]: what it costs to keep the state of a run, and to go on from it, by how much memory the program has.
//
// Beside both stands the time of one plain copy of the state, measured in the same run: nothing that keeps it can take less.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>

#include "host/domain/domain_pool.h"
#include "host/loop/loop.h"

namespace {

using namespace selvedge;

struct Run {
  double wall_ms = 0, cpu_ms = 0;
  int kept = 0;
  Bytes state;
  uint64_t fuel = 0, state_fuel = 0;
  crypto::Digest trace;
};

std::shared_ptr<const wasm::Rewritten> ballast() {
  std::ifstream in(std::string(SELVEDGE_BIN_DIR) + "/../guests/ballast-resumable.wasm", std::ios::binary);
  const Bytes bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  auto out = wasm::rewrite(bytes);
  if (!out.ok() || !out->resumable) {
    std::fprintf(stderr, "checkpoint_bench: the guest is not there or not resumable\n");
    std::exit(1);
  }
  return std::make_shared<const wasm::Rewritten>(std::move(out).value());
}

Run run(const std::shared_ptr<const wasm::Rewritten>& module, int mib, int turns, bool keep, Bytes resume) {
  host::Loop loop(1);
  host::DomainPool pool(loop, std::string(SELVEDGE_BIN_DIR) + "/selvedge-domain", host::DomainClass::kOrdinary);
  host::DomainTask task;
  task.module = module;
  task.args = {"program", std::to_string(mib), std::to_string(turns)};
  task.fuel_limit = INT64_MAX;
  task.memory_bytes = 128u << 20;
  task.resume = std::move(resume);
  Run out;
  task.checkpoint_every = milliseconds(1);
  if (keep) {
    task.on_checkpoint = [&out](uint64_t fuel, Bytes state) {
      ++out.kept;
      out.state_fuel = fuel;
      out.state = std::move(state);
    };
  }
  pool.run(1, std::move(task), [&](host::DomainOutcome done) {
    if (done.end != host::DomainEnd::kExited) {
      std::fprintf(stderr, "checkpoint_bench: a run %s: %s\n", host::domain_end_name(done.end), done.message.c_str());
      std::exit(1);
    }
    out.wall_ms = double(done.wall_ns) / 1e6;
    out.cpu_ms = double(done.cpu_ns) / 1e6;
    out.fuel = done.fuel;
    out.trace = done.trace;
    loop.stop();
  });
  loop.run();
  return out;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double copy_ms(const Bytes& state) {
  Bytes to(state.size());
  const auto start = std::chrono::steady_clock::now();
  std::memcpy(to.data(), state.data(), state.size());
  const double ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  return to[state.size() / 2] == state[state.size() / 2] ? ms : 0;
}

}  // namespace

int main(int argc, char** argv) {
  const bool quick = argc > 1 && std::strcmp(argv[1], "--quick") == 0;
  const int rounds = quick ? 1 : 7, turns = quick ? 3 : 12;
  const auto module = ballast();
  std::printf("%8s %12s %10s %10s %10s %10s\n", "memory", "state", "keep ms", "restore ms", "copy ms", "keep/copy");
  for (const int mib : quick ? std::vector<int>{1} : std::vector<int>{1, 8, 32}) {
    std::vector<double> keep, restore, copy;
    size_t bytes = 0;
    for (int i = 0; i < rounds; ++i) {
      const Run plain = run(module, mib, turns, false, {});
      const Run kept = run(module, mib, turns, true, {});
      if (kept.kept == 0 || kept.trace != plain.trace) return 1;
      const Run resumed = run(module, mib, turns, false, kept.state);
      if (resumed.trace != plain.trace) return 1;
      bytes = kept.state.size();
      keep.push_back((kept.cpu_ms - plain.cpu_ms) / kept.kept);
      // Without what was still to be done.
      restore.push_back(resumed.cpu_ms - plain.cpu_ms * double(plain.fuel - kept.state_fuel) / double(plain.fuel));
      copy.push_back(copy_ms(kept.state));
    }
    std::printf("%5d MB %9.1f MB %10.2f %10.2f %10.2f %10.1f\n", mib, double(bytes) / 1e6, median(keep), median(restore), median(copy), median(keep) / median(copy));
  }
  return 0;
}
