// selvedge trace: whoever has a program and what it was given can check what others said that it did, alone and without a node.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>

#include "cli/commands.h"
#include "cli/files.h"
#include "cli/program_files.h"
#include "cli/shared.h"
#include "cli/units.h"
#include "host/domain/domain_pool.h"
#include "host/loop/loop.h"
#include "node/contractor.h"
#include "wasm/checkpoint.h"
#include "work/executor.h"

namespace selvedge::cli {

namespace {

constexpr Duration kReplayMax = seconds(3600);
constexpr size_t kTracePrefixMin = 8;
constexpr Duration kKeepEvery = milliseconds(50);

/// What an executor makes of the same words (work/executor.cc).
Result<host::DomainTask> task_of(World& world, const TraceOptions& trace) {
  const RunOptions& options = trace.run;
  const wasm::RewriteLimits limits;
  const Result<wasm::Rewritten> rewritten = wasm::rewrite(TRY(read_whole(options.module, limits.module_bytes_max)), limits);
  if (!rewritten.ok()) return fail(rewritten.code(), options.module + " cannot run in the fabric: " + rewritten.error().message);
  host::DomainTask task;
  task.module = std::make_shared<const wasm::Rewritten>(*rewritten);
  task.args = {std::filesystem::path(options.module).filename().string()};
  task.args.insert(task.args.end(), options.args.begin(), options.args.end());
  task.environment = options.environment;
  std::sort(task.environment.begin(), task.environment.end());
  if (!options.input.empty()) task.input = TRY(read_whole(options.input, work::kTaskInputBytesMax));
  node::RunRequest files;
  // Folders are packed beside the node's home; without any there need be no home.
  std::optional<ScratchDir> scratch;
  if (!options.files.empty()) scratch.emplace(TRY(scratch_in_home(world.home, "trace-")));
  TRY(add_program_files(options.files, scratch ? scratch->path() : "", files));
  if (!files.file_cids.empty()) return fail(Errc::kInvalid, "a replay needs the files themselves: fetch them first (selvedge get CID -o FILE)");
  for (const node::FileName& file : files.files) task.files.push_back({file.name, TRY(read_whole(file.path, work::kTaskInputBytesMax))});
  task.seed = options.seed;
  task.fuel_limit = options.fuel == 0 ? node::kFuelDefault : options.fuel;
  task.memory_bytes = options.memory.empty() ? node::kTaskMemoryDefault : TRY(parse_bytes(options.memory));
  task.output_bytes_max = work::kTaskOutputBytesMax;
  task.wall_max = kReplayMax;
  if (trace.from.empty()) return task;
  if (!task.module->resumable) return fail(Errc::kInvalid, "only a resumable program has states to begin at (selvedge bundle build --resumable)");
  task.resume = TRY(read_whole(trace.from, host::kDomainCheckpointMax));
  return task;
}

/// One link of a chain, as somebody claims it.
struct SegmentClaim {
  uint64_t fuel = 0;
  std::string digest;   // or its beginning
};
Result<SegmentClaim> parse_claim(const std::string& text) {
  const auto wrong = [&] { return fail(Errc::kInvalid, "\"" + text + "\" is no segment: FUEL:DIGEST, as selvedge trace segments shows them"); };
  const size_t colon = text.find(':');
  SegmentClaim claim;
  const char* end = text.data() + std::min(colon, text.size());
  const auto read = std::from_chars(text.data(), end, claim.fuel);
  if (colon == std::string::npos || read.ec != std::errc() || read.ptr != end || text.size() - colon - 1 < kTracePrefixMin) return wrong();
  claim.digest = text.substr(colon + 1);
  return claim;
}

/// Runs the task to its end. With `keep_dir` each state that it reaches goes into a file FUEL.state there.
Result<host::DomainOutcome> replay(const std::string& runner, host::DomainTask task, const std::string& keep_dir) {
  host::Loop loop(1);
  host::DomainPool pool(loop, runner, host::DomainClass::kOrdinary);
  host::DomainOutcome out;
  Status kept;
  if (!keep_dir.empty()) {
    std::error_code failed;
    std::filesystem::create_directories(keep_dir, failed);
    task.checkpoint_every = kKeepEvery;
    task.on_checkpoint = [&](uint64_t fuel, Bytes state) {
      if (kept.ok()) kept = write_whole(keep_dir + "/" + std::to_string(fuel) + ".state", state);
    };
  }
  pool.run(1, std::move(task), [&](host::DomainOutcome done) {
    out = std::move(done);
    loop.stop();
  });
  loop.run();
  TRY(kept);
  return out;
}

/// Runs to the boundary that the claim is about, and no further than it must.
CommandResult verify_segment(World& world, const TraceOptions& options) {
  const SegmentClaim claim = TRY(parse_claim(options.trace));
  host::DomainTask task = TRY(task_of(world, options));
  const uint64_t begins = wasm::checkpoint_fuel(task.resume);
  if (begins >= claim.fuel && begins > 0) return fail(Errc::kInvalid, "the state is behind the segment: it was reached after " + std::to_string(begins) + " of fuel");
  task.fuel_limit = std::min(task.fuel_limit, claim.fuel + wasm::kFuelMark);
  const host::DomainOutcome out = TRY(replay(TRY(find_runner()), std::move(task), options.keep_dir));
  if (out.trace.is_zero()) return fail(Errc::kInconclusive, std::string("the replay ") + host::domain_end_name(out.end) + ": " + out.message + "; it says nothing about the segment");
  const auto here = std::find_if(out.segments.begin(), out.segments.end(), [&](const wasm::Segment& each) { return each.fuel >= claim.fuel; });
  const bool ends_there = here != out.segments.end() && here->fuel == claim.fuel;
  const bool same = ends_there && here->digest.hex().starts_with(claim.digest);
  const std::string digest = ends_there ? here->digest.hex() : "";
  Record record;
  record.flag("same", same).number("fuel", claim.fuel).text("digest", digest).number("segment", uint64_t(here - out.segments.begin()) + 1).number("replayed_fuel", out.fuel - std::min(out.fuel, begins));
  world.terminal.record(record.json());
  if (!ends_there) world.terminal.line(fmt::format("No segment of this run ends at {} of fuel{}.", claim.fuel, here == out.segments.end() ? "" : fmt::format("; the next one ends at {}", here->fuel)));
  else world.terminal.line(fmt::format("Segment {} ends at {} of fuel with {}.", here - out.segments.begin() + 1, claim.fuel, digest));
  world.terminal.line(same ? "That is the segment you named: up to there, whoever claims it ran this program on this input."
                           : "That is NOT the segment you named: it is of another program, input, argument or seed, or whoever claims it lied at or before it.");
  if (begins > 0) world.terminal.remark(fmt::format("Only what came after {} of fuel was run here; what came before is taken from the state that you gave.", begins));
  return same ? kExitOk : kExitCheckFailed;
}

}  // namespace

CommandResult run_trace_verify(World& world, const TraceOptions& options) {
  if (options.trace.find(':') != std::string::npos) return verify_segment(world, options);
  if (options.trace.size() < kTracePrefixMin) return fail(Errc::kInvalid, "a trace is named by its first eight hexadecimal digits or more (selvedge receipts --all --json)");
  host::DomainTask task = TRY(task_of(world, options));
  const host::DomainOutcome out = TRY(replay(TRY(find_runner()), std::move(task), options.keep_dir));
  if (out.trace.is_zero()) return fail(Errc::kInconclusive, std::string("the replay ") + host::domain_end_name(out.end) + ": " + out.message + "; it says nothing about the trace");
  const bool same = out.trace.hex().starts_with(options.trace);
  Record record;
  record.flag("same", same).text("trace", out.trace.hex()).text("end", host::domain_end_name(out.end)).number("fuel", out.fuel)
      .number("segments", out.segments.size()).text("output", work::output_cid(out.output).text());
  world.terminal.record(record.json());
  world.terminal.line(fmt::format("{}: {}, fuel {}, {} segments, output {}", out.trace.hex(), host::domain_end_name(out.end), out.fuel, out.segments.size(),
                                  work::output_cid(out.output).text()));
  world.terminal.line(same ? "That is the trace you named: whoever signed it ran this program on this input, and said what came out."
                           : "That is NOT the trace you named: it is of another program, input, argument, seed or limit, or whoever signed it lied.");
  return same ? kExitOk : kExitCheckFailed;
}

CommandResult run_trace_segments(World& world, const TraceOptions& options) {
  host::DomainTask task = TRY(task_of(world, options));
  const host::DomainOutcome out = TRY(replay(TRY(find_runner()), std::move(task), options.keep_dir));
  if (out.trace.is_zero()) return fail(Errc::kInconclusive, std::string("the run ") + host::domain_end_name(out.end) + ": " + out.message + "; it says nothing about a trace");
  std::string segments;
  for (const wasm::Segment& each : out.segments) {
    segments += (segments.empty() ? "" : ",") + Record().number("fuel", each.fuel).text("digest", each.digest.hex()).json();
    world.terminal.line(std::to_string(each.fuel) + ":" + each.digest.hex());
  }
  Record record;
  world.terminal.record(record.text("trace", out.trace.hex()).text("end", host::domain_end_name(out.end)).number("fuel", out.fuel).raw("segments", "[" + segments + "]").json());
  world.terminal.remark(fmt::format("{} segments; the trace of the whole is {}.", out.segments.size(), out.trace.hex()));
  return kExitOk;
}

}  // namespace selvedge::cli
