// The middle of the demonstration: a verified job while one host lies and another dies.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "cli/demo_script.h"
#include "cli/native_stats.h"
#include "cli/shared.h"
#include "cli/units.h"
#include "work/executor.h"

namespace selvedge::cli {

namespace {

constexpr size_t kSmallJobTasksMin = 16;
constexpr size_t kSmallJobTasksMax = 24;
constexpr int kRoundsMax = 12;
constexpr uint64_t kReportBytesMax = work::kTaskOutputBytesMax;

// One native counter, and what it says of the texts it was fed.
class Counter {
 public:
  Counter() : stats_(native_stats_new()) {}
  ~Counter() { native_stats_free(stats_); }
  Counter(const Counter&) = delete;
  Counter& operator=(const Counter&) = delete;

  Status feed(const std::string& path) {
    return read_pieces(path, [this](ByteView piece) -> Status {
      if (stats_ != nullptr && native_stats_feed(stats_, piece.data(), piece.size()) != 0) return ok();
      return fail(Errc::kLimit, "not enough memory to count natively");
    });
  }
  Result<std::string> report() {
    std::string out;
    const auto emit = [](void* context, const char* text, size_t length) { static_cast<std::string*>(context)->append(text, length); };
    if (stats_ == nullptr || native_stats_report(stats_, emit, &out) == 0) return fail(Errc::kLimit, "not enough memory to count natively");
    return out;
  }

 private:
  native_stats* stats_;
};

std::string output_path(const std::string& dir, std::string name) {
  std::replace(name.begin(), name.end(), '/', '_');
  return dir + "/" + name;
}

bool contains(const std::vector<crypto::PublicKey>& keys, const crypto::PublicKey& key) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

}  // namespace

Result<node::RunRequest> DemoScript::small_job(const char* guest, std::vector<std::string> args, const std::string& out) {
  node::RunRequest request;
  request.module = TRY(module_file(TRY(find_guest(guest))));
  request.args = std::move(args);
  request.seed = ++jobs_;
  request.out_dir = fabric_.dir() + "/" + out;
  std::vector<const node::FileName*> small;
  for (const node::FileName& file : files_) {
    if (file.size <= work::kTaskInputBytesMax && small.size() < kSmallJobTasksMax) small.push_back(&file);
  }
  if (small.empty()) return fail(Errc::kLimit, "all the files are too large for a task; name smaller ones");
  // A few files are named again, so that there is enough to do to see where it is done.
  while (request.inputs.size() < std::max(small.size(), kSmallJobTasksMin)) request.inputs.push_back(*small[request.inputs.size() % small.size()]);
  make_output_names_unique(request.inputs);
  TRY(make_dirs(request.out_dir));
  const std::string arguments = request.args.empty() ? "" : fmt::format(" -- {}", fmt::join(request.args, " "));
  report_.command(origin().home, fmt::format("map {} {} ... -o {}{}      ({} tasks)", request.module.path, small.front()->name, request.out_dir, arguments,
                                             request.inputs.size()));
  return request;
}

Status DemoScript::map_with_crash() {
  report_.step(3, "A WebAssembly program counts words over all of them; each result needs machines of two owners to agree");
  node::RunRequest request;
  request.module = TRY(module_file(TRY(find_guest("textstats"))));
  request.merge = true;
  request.seed = ++jobs_;
  request.out_dir = fabric_.dir() + "/reports";
  for (const node::FileName& file : files_) {
    if (file.size <= work::kTaskInputBytesMax) request.inputs.push_back(file);
  }
  if (request.inputs.size() < files_.size()) report_.say(fmt::format("{} files are too large for one task and are left out", files_.size() - request.inputs.size()));
  make_output_names_unique(request.inputs);
  TRY(make_dirs(request.out_dir));
  report_.command(origin().home, fmt::format("map {} {} -o {} --merge", request.module.path, inputs_text_, request.out_dir));
  DemoNode& boris = fabric_.at("boris");
  const pid_t victim = boris.pid;
  std::string killed_at;
  double rate_before = 0;
  const uint64_t started = wall_ms();
  const auto run = TRY(run_job(request, "   map", [&](const Json& progress) {
    const uint64_t total = progress.at("tasks_total").number(), done = progress.at("tasks_done").number();
    constexpr uint64_t kFewTasks = 30;
    if (!killed_at.empty() || done < (total <= kFewTasks ? 1 : total / 3) || done >= total) return;
    rate_before = double(done) * 1000 / double(wall_ms() - started + 1);
    fabric_.kill_hard(boris);
    killed_at = fmt::format("when {} of {} tasks were done", done, total);
  }));
  const double rate = double(run.outputs.size()) * 1000 / double(run.milliseconds + 1);
  report_.say(fmt::format("{} tasks by {} executions in {}: {:.0f} verified tasks/s, with a liar and a crash in it; {:.0f} tasks/s before the crash",
                          run.outputs.size(), run.executions, format_us(run.milliseconds * 1000), rate, rate_before));
  module_ = run.module;
  report_.figure("tasks", run.outputs.size());
  report_.figure("executions", run.executions);
  report_.figure("retries", run.retries);
  report_.figure("map_milliseconds", run.milliseconds);
  report_.figure("tasks_per_second", rate);
  report_.figure("tasks_per_second_before_crash", rate_before);
  const bool agreed = std::all_of(run.outputs.begin(), run.outputs.end(), [](const node::RunOutput& output) {
    return std::set<crypto::PublicKey>(output.agreed.begin(), output.agreed.end()).size() >= 2;
  });
  report_.check("machines of two owners agreed on each result", agreed && run.outputs.size() == request.inputs.size() + 1);
  TRY(check_results(run));
  TRY(judge_liar(run));
  report_.step(5, "boris was killed while the job ran, and comes back");
  report_.shell(fmt::format("kill -9 {}      (boris, {})", victim, killed_at.empty() ? "not reached" : killed_at));
  report_.check("boris was killed in the middle, and the job ended all the same", !killed_at.empty(), fmt::format("{} executions were repeated", run.retries));
  return read_back("while boris is dead", Measure::kNo);
}

// The core of the program, compiled natively, over the same files: for each report, and for the merged one.
Status DemoScript::check_results(const node::RunAnswer& run) {
  std::map<std::string, std::string> paths;
  std::vector<node::FileName> inputs;
  for (const node::FileName& file : files_) {
    if (file.size <= work::kTaskInputBytesMax) inputs.push_back(file);
  }
  make_output_names_unique(inputs);
  Counter all;
  size_t same = 0;
  const std::string dir = fabric_.dir() + "/reports";
  for (const node::FileName& file : inputs) {
    Counter one;
    TRY(one.feed(file.path));
    TRY(all.feed(file.path));
    const Result<Bytes> got = read_whole(output_path(dir, file.name), kReportBytesMax);
    same += got.ok() && to_string(*got) == TRY(one.report()) ? 1 : 0;
  }
  report_.check("every report equals the one computed natively", same == inputs.size(), fmt::format("{} of {}", same, inputs.size()));
  const std::string expected = TRY(all.report());
  const Result<Bytes> merged = read_whole(run.merged, kReportBytesMax);
  const bool equal = merged.ok() && to_string(*merged) == expected;
  const size_t words_at = expected.find("\nwords ");
  const std::string words = expected.substr(words_at + 7, expected.find('\n', words_at + 1) - words_at - 7);
  report_.check("the merged report equals the one computed natively over all the files", equal, words + " words");
  return ok();
}

Status DemoScript::judge_liar(const node::RunAnswer& first) {
  report_.step(4, "dora lies: her results are rejected, settled by a third execution, and she gets no more work");
  DemoNode& dora = fabric_.at("dora");
  std::vector<node::Rejection> rejected = first.rejected;
  bool trusted = std::any_of(first.outputs.begin(), first.outputs.end(), [&](const node::RunOutput& o) { return contains(o.agreed, dora.owner_key()); });
  // With few files she may not have been asked yet: chance draws the executors.
  for (int round = 0; rejected.empty() && round < kRoundsMax; ++round) {
    const auto again = TRY(run_job(TRY(small_job("textstats", {}, fmt::format("again{}", round))), "   map", nullptr));
    rejected = again.rejected;
    trusted = trusted || std::any_of(again.outputs.begin(), again.outputs.end(), [&](const node::RunOutput& o) { return contains(o.agreed, dora.owner_key()); });
  }
  for (const node::Rejection& each : rejected) report_.say(fmt::format("{}'s result for task {} was rejected: {}", name_of(each.owner), each.task, printable(each.why)));
  const bool only_dora = std::all_of(rejected.begin(), rejected.end(), [&](const node::Rejection& r) { return r.owner == dora.owner_key(); });
  report_.check("wrong results were found, all of them dora's", !rejected.empty() && only_dora, fmt::format("{} rejected", rejected.size()));
  report_.check("no accepted result rests on her word", !trusted);
  report_.figure("rejected", rejected.size());
  report_.command(origin().home, "peer list");
  const auto peers = TRY(origin().client->ask(node::PeerListRequest{}));
  std::set<std::string> banned;
  for (const node::PeerInfo& peer : peers.peers) {
    if (peer.banned) banned.insert(name_of(peer.node));
  }
  report_.check("the origin has banned dora and nobody else", banned == std::set<std::string>{"dora"});
  tasks_done_of_dora_ = TRY(tasks_of(dora));
  return ok();
}

Status DemoScript::restart_boris() {
  DemoNode& boris = fabric_.at("boris");
  report_.command(boris.home, "up --listen " + boris.address + " &");
  TRY(fabric_.start(boris));
  constexpr int kReconnectSecondsMax = 60;
  TRY(until("the connection to boris", kReconnectSecondsMax, [&]() -> Result<bool> {
    const auto peers = TRY(origin().client->ask(node::PeerListRequest{}));
    return std::any_of(peers.peers.begin(), peers.peers.end(), [&](const node::PeerInfo& p) { return p.node == boris.node_key() && p.connected; });
  }));
  const auto status = TRY(boris.client->ask(node::StatusRequest{}));
  report_.check("boris still holds what he had acknowledged", status.objects_held > 0, fmt::format("{} objects, {}", status.objects_held, format_bytes(status.bytes_held)));
  size_t his = 0;
  for (int round = 0; his == 0 && round < kRoundsMax; ++round) {
    const auto run = TRY(run_job(TRY(small_job("textstats", {}, fmt::format("back{}", round))), "   map", nullptr));
    for (const node::RunOutput& output : run.outputs) his += contains(output.agreed, boris.owner_key()) ? 1 : 0;
  }
  report_.check("boris is useful again", his > 0, fmt::format("{} results of his were accepted", his));
  report_.check("dora got no work since she was caught", TRY(tasks_of(fabric_.at("dora"))) == tasks_done_of_dora_);
  return ok();
}

}  // namespace selvedge::cli
