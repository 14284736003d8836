// Verbs about content: put, get, blob list.
#include <fmt/format.h>
#include <sys/stat.h>

#include "cli/shared.h"
#include "cli/units.h"

namespace selvedge::cli {

void show_transfer(ProgressBar& bar, const Json& progress) {
  const uint64_t done = progress.at("bytes_done").number(), total = progress.at("bytes_total").number();
  std::string remark = total == 0 ? format_bytes(done) : format_bytes(done) + " of " + format_bytes(total);
  const uint64_t files = progress.at("files_total").number();
  if (files > 1) remark += fmt::format(", {} of {} files", progress.at("files_done").number(), files);
  bar.show(done, total, remark);
}

void tell_skipped(Terminal& terminal, const Walked& walked) {
  constexpr size_t kNamedMax = 20;
  for (size_t i = 0; i < walked.skipped.size() && i < kNamedMax; ++i) terminal.remark("selvedge: skipped " + printable(walked.skipped[i]));
  if (!walked.skipped.empty()) terminal.remark(fmt::format("selvedge: {} could not be read and were left out", walked.skipped.size()));
}

CommandResult run_put(World& world, const PutOptions& options) {
  Walked walked = TRY(walk_paths(options.paths));
  tell_skipped(world.terminal, walked);
  if (walked.files.empty()) return fail(Errc::kNotFound, "there is no file to put in what was named");
  const auto client = TRY(Client::connect(world.home, nullptr));
  ProgressBar bar(world.terminal, "put");
  const Result<Json> answer = client->ask_json(node::PutRequest{std::move(walked.files), options.zone}, [&](const Json& progress) { show_transfer(bar, progress); });
  bar.clear();
  if (!answer.ok()) return answer.error();
  const auto put = TRY(read_answer<node::PutAnswer>(*answer));
  const Json files = answer->at("files");
  for (size_t i = 0; i < files.size(); ++i) world.terminal.record(files.item(i).dump());
  world.terminal.record(Record()
                            .number("files", put.files.size())
                            .number("skipped", walked.skipped.size())
                            .number("bytes", put.bytes)
                            .number("bytes_sealed", put.bytes_sealed)
                            .number("milliseconds", put.milliseconds)
                            .decimal("megabytes_per_second", megabytes_per_second(put.bytes, put.milliseconds))
                            .raw("holders", answer->at("holders").dump())
                            .json());
  for (const node::BlobInfo& file : put.files) world.terminal.line(file.cid.text() + "  " + printable(file.name));
  world.terminal.remark(fmt::format("{} files, {}, on {} hosts in {} ({:.1f} MB/s)", put.files.size(), format_bytes(put.bytes), put.holders.size(),
                                    format_us(put.milliseconds * 1000), megabytes_per_second(put.bytes, put.milliseconds)));
  return kExitOk;
}

namespace {

// A directory means: inside it, under the content's name.
Result<std::string> target_of(const GetOptions& options) {
  struct stat info {};
  const bool is_dir = stat(options.out.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
  return absolute_path(is_dir ? options.out + "/" + options.cid : options.out);
}

}  // namespace

Status copy_to_output(Terminal& terminal, const std::string& path) {
  return read_pieces(path, [&](ByteView piece) { return terminal.write_raw({reinterpret_cast<const char*>(piece.data()), piece.size()}); });
}

Result<ScratchDir> scratch_in_home(const std::string& home, const std::string& prefix) {
  const std::string parent = TRY(absolute_path(home)) + "/tmp";
  mkdir(parent.c_str(), 0700);
  return ScratchDir::make(parent, prefix);
}

CommandResult run_get(World& world, const GetOptions& options) {
  const Interrupt interrupt;
  const bool to_output = options.out == "-";
  if (to_output && world.terminal.json()) return fail(Errc::kInvalid, "the content and --json cannot both go to standard output; name a file with -o");
  const auto client = TRY(Client::connect(world.home, &interrupt));
  std::optional<ScratchDir> scratch;
  if (to_output) scratch.emplace(TRY(scratch_in_home(world.home, "get-")));
  const std::string target = to_output ? scratch->path() + "/content" : TRY(target_of(options));
  ProgressBar bar(world.terminal, "get");
  const Result<Json> answer = client->ask_json(node::GetRequest{options.cid, target, options.zone}, [&](const Json& progress) { show_transfer(bar, progress); });
  bar.clear();
  if (!answer.ok()) return answer.error();
  const auto got = TRY(read_answer<node::GetAnswer>(*answer));
  if (to_output) {
    TRY(copy_to_output(world.terminal, target));
    return kExitOk;
  }
  world.terminal.record(answer->dump());
  world.terminal.line(fmt::format("{}  {} in {} ({:.1f} MB/s), checked against its name", target, format_bytes(got.size), format_us(got.milliseconds * 1000),
                                  megabytes_per_second(got.size, got.milliseconds)));
  return kExitOk;
}

CommandResult run_blob_list(World& world) {
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(node::BlobListRequest{}));
  const Json blobs = answer.at("blobs");
  for (size_t i = 0; i < blobs.size(); ++i) world.terminal.record(blobs.item(i).dump());
  const auto list = TRY(read_answer<node::BlobListAnswer>(answer));
  Table table({"cid", ">size", ">holders", "zone", "name"});
  for (const node::BlobInfo& blob : list.blobs) {
    table.row({blob.cid.text(), format_bytes(blob.size), std::to_string(blob.holders), printable(blob.zone), printable(blob.name)});
  }
  if (table.empty()) world.terminal.line("Nothing stored yet: selvedge put PATH...");
  else table.print(world.terminal);
  return kExitOk;
}

}  // namespace selvedge::cli
