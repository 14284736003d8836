// Verbs that have programs run: run and map.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "cli/bundle_file.h"
#include "cli/program_files.h"
#include "cli/shared.h"
#include "cli/units.h"
#include "wasm/rewrite.h"
#include "work/executor.h"

namespace selvedge::cli {

void show_run(Terminal& terminal, ProgressBar& bar, const Json& progress) {
  const Json rejected = progress.at("rejected");
  for (size_t i = 0; i < rejected.size(); ++i) {
    bar.clear();
    const Json each = rejected.item(i);
    terminal.remark("A wrong result by " + each.at("owner").text().substr(0, 10) + " was rejected: " + printable(each.at("why").text()) +
                    ". That node gets no more work.");
  }
  std::string remark = fmt::format("{} of {} tasks, {} executions", progress.at("tasks_done").number(), progress.at("tasks_total").number(),
                                   progress.at("executions").number());
  if (progress.at("retries").number() > 0) remark += fmt::format(", {} repeated", progress.at("retries").number());
  bar.show(progress.at("tasks_done").number(), progress.at("tasks_total").number(), remark);
}

Result<node::FileName> module_file(const std::string& path, bool serves) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return fail(Errc::kNotFound, "there is no program " + path);
  if (!S_ISREG(info.st_mode)) return fail(Errc::kInvalid, path + " is not a file; a program is a WebAssembly module (.wasm)");
  // The hosts refuse such a module too; here it is refused before it travels, with the reason.
  const wasm::RewriteLimits limits;
  const Bytes bytes = TRY(read_whole(path, limits.module_bytes_max));
  const Result<wasm::Rewritten> checked = wasm::rewrite(bytes, limits);
  if (!checked.ok()) return fail(checked.error().code, path + " cannot run in the fabric: " + checked.error().message);
  if (!checked->has_entry && !(serves && checked->serves)) return fail(Errc::kInvalid, path + " has no _start to begin at; compile it as a command, for wasm32-wasi");
  return node::FileName{TRY(absolute_path(path)), std::filesystem::path(path).filename().string(), uint64_t(info.st_size)};
}

Status make_dirs(const std::string& path) {
  std::error_code code;
  std::filesystem::create_directories(path, code);
  if (code) return fail(Errc::kIo, "cannot make the folder " + path + ": " + code.message());
  return ok();
}

namespace {

/// Takes the module of the named entry out of a bundle, into a private file; the manifest goes along with the request.
Status add_bundle(const RunOptions& options, const std::string& scratch, node::RunRequest& request) {
  const Bytes archive = TRY(read_whole(options.module, kBundleFileSizeMax));
  Result<Bundle> opened = open_bundle(archive);
  if (!opened.ok()) return fail(opened.code(), options.module + ": " + opened.error().message);
  const object::Manifest& manifest = opened->manifest.body;
  request.entry = options.entry;
  if (request.entry.empty() && manifest.entries.size() == 1) request.entry = manifest.entries.front().operation.name;
  const object::BundleEntry* entry = manifest.find_entry(request.entry);
  if (entry == nullptr) return fail(Errc::kInvalid, "say which entry of the bundle to run: --entry NAME (selvedge bundle inspect " + options.module + " shows them)");
  const std::string path = scratch + "/module.wasm";
  TRY(write_private(path, TRY(opened->file(*manifest.find_module(entry->module)))));
  request.module = TRY(module_file(path));
  request.module.name = manifest.name + "." + request.entry;
  request.manifest = to_hex(opened->manifest.bytes);
  request.confirmed = options.yes_dangerous;
  return ok();
}

/// What is no file at all is module_file()'s to complain about.
Result<bool> is_bundle_file(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return false;
  Bytes head;
  TRY(read_pieces(path, [&](ByteView piece) -> Status {
    if (head.size() < 4096) append(head, piece.first(std::min<size_t>(piece.size(), 4096)));
    return ok();
  }));
  return is_bundle(head);
}

}  // namespace

namespace {

Status add_keys(const RunOptions& options, node::RunRequest& request) {
  request.keys_tier = options.keys_tier;
  request.keys_endorsers = options.endorsers;
  request.keys_believe_unendorsed = options.believe_unendorsed;
  if (options.keys.empty()) return ok();
  const bool read = std::sscanf(options.keys.c_str(), "%u/%u", &request.keys_threshold, &request.keys_of) == 2;
  if (!read || request.keys_threshold < 2 || request.keys_threshold > request.keys_of || request.keys_of > object::kSecretHoldersMax) {
    return fail(Errc::kInvalid, "--keys is K/N, such as 2/3: K of N machines, K at least 2, N at most " + std::to_string(object::kSecretHoldersMax));
  }
  return ok();
}

}  // namespace

Result<node::RunRequest> program_request(const RunOptions& options, const std::string& scratch, bool serves) {
  node::RunRequest request;
  if (TRY(is_bundle_file(options.module))) TRY(add_bundle(options, scratch, request));
  else if (!options.entry.empty()) return fail(Errc::kInvalid, options.module + " is no bundle, so it has no entries");
  else request.module = TRY(module_file(options.module, serves));
  request.args = options.args;
  request.verify = options.verify;
  request.zone = options.zone;
  request.merge = options.merge;
  request.seed = options.seed;
  request.isolation = options.isolation;
  TRY(add_keys(options, request));
  request.fuel_limit = options.fuel;
  if (!options.memory.empty()) request.memory_bytes = TRY(parse_bytes(options.memory));
  request.environment = options.environment;
  request.oracles = options.oracles;
  TRY(add_program_files(options.files, scratch, request));
  return request;
}

namespace {

Result<Json> ask_run(World& world, Client& client, const node::RunRequest& request, const char* label) {
  ProgressBar bar(world.terminal, label);
  Result<Json> answer = client.ask_json(request, [&](const Json& progress) { show_run(world.terminal, bar, progress); });
  bar.clear();
  return answer;
}

std::string owners_text(const std::vector<crypto::PublicKey>& owners) {
  std::string out;
  for (const crypto::PublicKey& owner : owners) out += (out.empty() ? "" : ", ") + short_key(owner);
  return out;
}

// Adds the one input of `run`: a file, a stored blob, or standard input by way of a private file.
Status add_input(const RunOptions& options, const std::string& scratch, node::RunRequest& request) {
  if (options.input.empty() || options.input == "-") {
    const std::string path = scratch + "/stdin";
    const uint64_t size = TRY(copy_input(path, work::kTaskInputBytesMax));
    request.inputs.push_back({path, "stdin", size});
    return ok();
  }
  struct stat info {};
  if (stat(options.input.c_str(), &info) == 0) {
    if (!S_ISREG(info.st_mode)) return fail(Errc::kInvalid, options.input + " is not a file; selvedge map runs a program over a folder");
    request.inputs.push_back({TRY(absolute_path(options.input)), options.input, uint64_t(info.st_size)});
    return ok();
  }
  if (!codec::Cid::parse(options.input).ok()) return fail(Errc::kNotFound, options.input + " is neither a file nor a content id");
  request.input_cids.push_back(options.input);
  return ok();
}

}  // namespace

CommandResult run_run(World& world, const RunOptions& options) {
  const Interrupt interrupt;
  const auto client = TRY(Client::connect(world.home, &interrupt));
  const ScratchDir scratch = TRY(scratch_in_home(world.home, "run-"));
  node::RunRequest request = TRY(program_request(options, scratch.path()));
  TRY(add_input(options, scratch.path(), request));
  // The output may be any bytes, which JSON cannot carry: it comes back as a file.
  request.out_dir = scratch.path() + "/out";
  TRY(make_dirs(request.out_dir));
  const Json answer = TRY(ask_run(world, *client, request, "run"));
  const auto run = TRY(read_answer<node::RunAnswer>(answer));
  if (run.outputs.empty()) return fail(Errc::kInternal, "the node answered without an output");
  std::error_code code;
  const std::filesystem::directory_iterator files(request.out_dir, code);
  if (code || files == std::filesystem::end(files)) return fail(Errc::kInternal, "the node wrote no output");
  std::string output = files->path().string();
  // Nobody wants an archive on his screen.
  const bool on_screen = !world.terminal.json() && options.out_dir.empty() && isatty(STDOUT_FILENO) == 1;
  if (!options.out_dir.empty() || on_screen) {
    const std::string shown = TRY(unpack_output(output, on_screen ? scratch.path() + "/left" : options.out_dir, scratch.path()));
    if (on_screen && shown != output) world.terminal.remark("selvedge: it left files in /out; --out DIR writes them to a folder");
    output = shown;
  }
  if (world.terminal.json()) {
    const Bytes content = TRY(read_whole(output, work::kTaskOutputBytesMax));
    Record record;
    record.raw("run", answer.dump()).text("output", to_string(content));
    world.terminal.record(record.json());
    return kExitOk;
  }
  TRY(copy_to_output(world.terminal, output));
  const node::RunOutput& result = run.outputs.front();
  world.terminal.remark(fmt::format("selvedge: {} owners agree ({}); fuel {}, output {}, {}", result.agreed.size(), owners_text(result.agreed), result.fuel,
                                    result.output.text(), format_us(run.milliseconds * 1000)));
  return kExitOk;
}

CommandResult run_map(World& world, const RunOptions& options) {
  const ScratchDir scratch = TRY(scratch_in_home(world.home, "map-"));
  node::RunRequest request = TRY(program_request(options, scratch.path()));
  Walked walked = TRY(walk_paths(options.paths));
  tell_skipped(world.terminal, walked);
  if (walked.files.empty()) return fail(Errc::kNotFound, "there is no file to run over in what was named");
  make_output_names_unique(walked.files);
  request.inputs = std::move(walked.files);
  request.out_dir = TRY(absolute_path(options.out_dir));
  const auto client = TRY(Client::connect(world.home, nullptr));
  TRY(make_dirs(request.out_dir));
  const Json answer = TRY(ask_run(world, *client, request, "map"));
  const auto run = TRY(read_answer<node::RunAnswer>(answer));
  const Json outputs = answer.at("outputs");
  for (size_t i = 0; i < outputs.size(); ++i) world.terminal.record(outputs.item(i).dump());
  const Json rejected = answer.at("rejected");
  world.terminal.record(Record()
                            .text("module", run.module.text())
                            .number("tasks", run.outputs.size())
                            .number("executions", run.executions)
                            .number("retries", run.retries)
                            .number("milliseconds", run.milliseconds)
                            .text("out_dir", request.out_dir)
                            .text("merged", run.merged)
                            .raw("rejected", rejected.is_null() ? "[]" : rejected.dump())
                            .json());
  uint64_t fuel = 0;
  for (const node::RunOutput& output : run.outputs) fuel += output.fuel;
  world.terminal.line(fmt::format("{} tasks by {} executions in {}, {:.0f} tasks/s, fuel {}", run.outputs.size(), run.executions,
                                  format_us(run.milliseconds * 1000), double(run.outputs.size()) * 1000 / double(run.milliseconds + 1), format_count(fuel)));
  if (!run.rejected.empty()) {
    world.terminal.line(fmt::format("{} wrong results were rejected; selvedge peer list shows by whom", run.rejected.size()));
  }
  world.terminal.line("Outputs are in " + request.out_dir + (run.merged.empty() ? "" : ", merged: " + run.merged));
  return kExitOk;
}

}  // namespace selvedge::cli
