// selvedge trace: whoever has a program and what it was given can check what others said that it did, alone and without a node.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "cli/commands.h"
#include "cli/files.h"
#include "cli/program_files.h"
#include "cli/shared.h"
#include "cli/units.h"
#include "host/domain/domain_pool.h"
#include "host/loop/loop.h"
#include "node/contractor.h"
#include "work/executor.h"

namespace selvedge::cli {

namespace {

constexpr Duration kReplayMax = seconds(3600);
constexpr size_t kTracePrefixMin = 8;

/// What an executor makes of the same words (work/executor.cc).
Result<host::DomainTask> task_of(const RunOptions& options, const std::string& scratch) {
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
  TRY(add_program_files(options.files, scratch, files));
  if (!files.file_cids.empty()) return fail(Errc::kInvalid, "a replay needs the files themselves: fetch them first (selvedge get CID -o FILE)");
  for (const node::FileName& file : files.files) task.files.push_back({file.name, TRY(read_whole(file.path, work::kTaskInputBytesMax))});
  task.seed = options.seed;
  task.fuel_limit = options.fuel == 0 ? node::kFuelDefault : options.fuel;
  task.memory_bytes = options.memory.empty() ? node::kTaskMemoryDefault : TRY(parse_bytes(options.memory));
  task.output_bytes_max = work::kTaskOutputBytesMax;
  task.wall_max = kReplayMax;
  return task;
}

host::DomainOutcome replay(const std::string& runner, host::DomainTask task) {
  host::Loop loop(1);
  host::DomainPool pool(loop, runner, host::DomainClass::kOrdinary);
  host::DomainOutcome out;
  pool.run(1, std::move(task), [&](host::DomainOutcome done) {
    out = std::move(done);
    loop.stop();
  });
  loop.run();
  return out;
}

}  // namespace

CommandResult run_trace_verify(World& world, const TraceOptions& options) {
  if (options.trace.size() < kTracePrefixMin) return fail(Errc::kInvalid, "a trace is named by its first eight hexadecimal digits or more (selvedge receipts --all --json)");
  const ScratchDir scratch = TRY(scratch_in_home(world.home, "trace-"));
  const host::DomainOutcome out = replay(TRY(find_runner()), TRY(task_of(options.run, scratch.path())));
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

}  // namespace selvedge::cli
