#include "cli/demo_script.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <set>

#include "cli/shared.h"
#include "cli/units.h"

namespace selvedge::cli {

namespace fs = std::filesystem;

namespace {

constexpr const char* kHostNames[] = {"anna", "boris", "chen", "dora"};
constexpr const char* kLiar = "dora";
constexpr const char* kLie = "wrong-results";
constexpr size_t kSampleFilesMax = 400;
constexpr uint64_t kSampleBytesMax = 12u << 20;
constexpr uint64_t kSampleFileBytesMax = 1u << 20;
constexpr size_t kGetsAtOnce = 16;
constexpr int kConnectSecondsMax = 60;

// Texts that every Debian has. Real input, and enough of it to be interesting.
std::vector<std::string> sample_paths() {
  std::vector<std::string> out;
  std::set<std::string> seen;
  std::set<codec::Cid> contents;
  uint64_t bytes = 0;
  const auto consider = [&](const fs::path& path) {
    std::error_code code;
    const fs::path real = fs::canonical(path, code);
    if (code || out.size() >= kSampleFilesMax || !fs::is_regular_file(real, code) || real.extension() == ".gz") return;
    const uint64_t size = fs::file_size(real, code);
    if (code || size == 0 || size > kSampleFileBytesMax || bytes + size > kSampleBytesMax || !seen.insert(real.string()).second) return;
    // Many packages share one text; storing it twice would show nothing.
    const Result<Bytes> content = read_whole(real.string(), kSampleFileBytesMax);
    if (!content.ok() || !contents.insert(codec::Cid::of(codec::Codec::kRaw, *content)).second) return;
    bytes += size;
    out.push_back(real.string());
  };
  const auto list = [](const char* dir) {
    std::vector<fs::path> entries;
    std::error_code code;
    for (fs::directory_iterator it(dir, code), end; !code && it != end; it.increment(code)) entries.push_back(it->path());
    std::sort(entries.begin(), entries.end());
    return entries;
  };
  for (const fs::path& path : list("/usr/share/common-licenses")) consider(path);
  for (const fs::path& path : list("/usr/share/doc")) consider(path / "copyright");
  for (const char* more : {"/usr/share/perl", "/usr/share/doc"}) {
    std::error_code code;
    std::vector<fs::path> entries;
    for (fs::recursive_directory_iterator it(more, fs::directory_options::skip_permission_denied, code), end; !code && it != end; it.increment(code)) {
      entries.push_back(it->path());
    }
    std::sort(entries.begin(), entries.end());
    for (const fs::path& path : entries) consider(path);
  }
  return out;
}

// "/usr/share/doc/acl/copyright" to "doc_acl_copyright".
std::string sample_name(const std::string& path) {
  std::string name = path.starts_with("/usr/share/") ? path.substr(11) : path;
  std::replace(name.begin(), name.end(), '/', '_');
  return name;
}

}  // namespace

uint64_t wall_ms() {
  return uint64_t(std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch()).count());
}

std::vector<DemoNode*> DemoScript::hosts() {
  std::vector<DemoNode*> out;
  for (const char* name : kHostNames) out.push_back(&fabric_.at(name));
  return out;
}

std::string DemoScript::name_of(const crypto::PublicKey& owner) {
  for (auto& node : fabric_.nodes()) {
    if (node->owner_key() == owner || node->node_key() == owner) return node->name;
  }
  return short_key(owner);
}

Status DemoScript::until(const std::string& what, int seconds_max, const std::function<Result<bool>()>& holds) {
  constexpr int kLookMs = 30;
  const uint64_t deadline = wall_ms() + uint64_t(seconds_max) * 1000;
  for (;;) {
    if (TRY(holds())) return ok();
    if (wall_ms() > deadline) return fail(Errc::kTimeout, fmt::format("{} did not come true within {} s", what, seconds_max));
    TRY(fabric_.interrupt().pause(kLookMs));
  }
}

Status DemoScript::tell(const std::vector<std::string>& paths) {
  const uint64_t started = wall_ms();
  TRY(choose_inputs(paths));
  TRY(start_nodes());
  TRY(give_grants());
  TRY(put_files());
  TRY(read_back("after the put", Measure::kYes));
  TRY(map_with_crash());
  TRY(restart_boris());
  TRY(revoke_chen());
  TRY(check_receipts());
  report_.figure("seconds", double(wall_ms() - started) / 1000);
  return ok();
}

Status DemoScript::choose_inputs(const std::vector<std::string>& paths) {
  std::vector<std::string> chosen = paths;
  if (paths.empty()) {
    // A copy, because the machine's own files may change while the demonstration compares.
    const std::string folder = fabric_.dir() + "/input";
    TRY(make_dirs(folder));
    for (const std::string& path : sample_paths()) TRY(write_private(folder + "/" + sample_name(path), TRY(read_whole(path, kSampleFileBytesMax))));
    chosen = {folder};
  }
  Walked walked = TRY(walk_paths(chosen));
  tell_skipped(report_.terminal(), walked);
  if (walked.files.empty()) return fail(Errc::kNotFound, "there is no file in what was named; name files or folders with some");
  files_ = std::move(walked.files);
  bytes_ = walked.bytes;
  for (const std::string& path : chosen) inputs_text_ += (inputs_text_.empty() ? "" : " ") + path;
  report_.figure("files", files_.size());
  report_.figure("bytes", bytes_);
  return ok();
}

Status DemoScript::start_nodes() {
  report_.step(0, "Five nodes start, each with a home and keys of its own: four hosts of four owners, and the owner of the work");
  for (const char* name : kHostNames) TRY(fabric_.make(name, name == std::string(kLiar) ? kLie : ""));
  TRY(fabric_.make("origin", ""));
  for (auto& node : fabric_.nodes()) {
    report_.command(node->home, "init");
    const std::string lie = node->misbehave.empty() ? "" : " --misbehave " + node->misbehave;
    report_.command(node->home, "up --listen 127.0.0.1:0" + lie + " &");
    TRY(fabric_.start(*node));
    report_.say(fmt::format("{} is node {} of owner {}, at {}", node->name, node->key.substr(0, 10), node->owner.substr(0, 10), node->address));
  }
  return ok();
}

Status DemoScript::give_grants() {
  report_.step(1, "Each host's owner signs a grant for the origin; the origin learns the hosts by ticket");
  // Any one host may vanish, and then one more: each has room for all of it.
  constexpr uint64_t kGib = 1u << 30;
  const uint64_t storage_gib = 1 + 2 * bytes_ / kGib;
  for (DemoNode* host : hosts()) {
    node::GrantGiveRequest request;
    request.origin = origin().owner;
    request.cpu_permille = 1000;
    request.storage_bytes = storage_gib * kGib;
    report_.command(host->home, fmt::format("grant give {} --cpu 100% --memory 256M --storage {}G --for 1h", request.origin, storage_gib));
    const auto grant = TRY(host->client->ask(request));
    report_.say(fmt::format("grant {}, {}", grant.id.hex().substr(0, 12), grant.state));
    report_.command(host->home, "ticket");
    const auto ticket = TRY(host->client->ask(node::TicketRequest{}));
    report_.command(origin().home, "peer add " + ticket.ticket.substr(0, 24) + "...");
    TRY(origin().client->ask(node::PeerAddRequest{ticket.ticket}));
  }
  const Status known = until("four received grants", kConnectSecondsMax, [this]() -> Result<bool> {
    const auto list = TRY(origin().client->ask(node::GrantListRequest{}));
    const auto peers = TRY(origin().client->ask(node::PeerListRequest{}));
    const auto connected = std::count_if(peers.peers.begin(), peers.peers.end(), [](const node::PeerInfo& p) { return p.connected; });
    const auto received = std::count_if(list.grants.begin(), list.grants.end(), [](const node::GrantInfo& g) { return !g.given && g.state == "active"; });
    return connected == 4 && received == 4;
  });
  report_.command(origin().home, "grant list");
  if (!known.ok() && known.error().code != Errc::kTimeout) return known;
  report_.check("the origin is connected to four hosts and holds a grant of each", known.ok());
  return known;
}

Status DemoScript::put_files() {
  report_.step(2, fmt::format("{} files, {}, go in as encrypted symbols spread over the hosts", files_.size(), format_bytes(bytes_)));
  report_.command(origin().home, "put " + inputs_text_);
  ProgressBar bar(report_.terminal(), "   put");
  const auto put = TRY(origin().client->ask(node::PutRequest{files_}, [&](const Json& progress) { show_transfer(bar, progress); }));
  bar.clear();
  for (const node::BlobInfo& file : put.files) cids_.push_back(file.cid);
  const double speed = megabytes_per_second(put.bytes, put.milliseconds);
  report_.say(fmt::format("{} in {}, {:.1f} MB/s; {} of symbols on {} hosts", format_bytes(put.bytes), format_us(put.milliseconds * 1000), speed,
                          format_bytes(put.bytes_sealed), put.holders.size()));
  report_.figure("put_megabytes_per_second", speed);
  report_.figure("put_milliseconds", put.milliseconds);
  report_.figure("bytes_sealed", put.bytes_sealed);
  report_.check("every file has a name of its content", cids_.size() == files_.size());
  // What has the same content is stored once.
  std::map<codec::Cid, uint64_t> distinct;
  for (const node::BlobInfo& file : put.files) distinct[file.cid] = file.size;
  uint64_t needed = 0, held = 0;
  for (const auto& [cid, size] : distinct) needed += size;
  size_t holding = 0;
  for (DemoNode* host : hosts()) {
    const auto status = TRY(host->client->ask(node::StatusRequest{}));
    held += status.bytes_held;
    holding += status.objects_held > 0 ? 1 : 0;
  }
  report_.check("the hosts hold the symbols, and more than one of them does", holding >= 2 && held >= needed,
                fmt::format("{} on their disks for {} of content", format_bytes(held), format_bytes(needed)));
  return ok();
}

// Several at once, as a program would, so that the time is the fabric's and not the loop's here.
Status DemoScript::read_back(const std::string& when, Measure measure) {
  const std::string folder = fabric_.dir() + "/back";
  std::error_code code;
  fs::remove_all(folder, code);
  TRY(make_dirs(folder));
  const auto target = [&](size_t i) { return fmt::format("{}/{:05}", folder, i); };
  report_.command(origin().home, fmt::format("get CID -o {}/...      (each of the {} files)", folder, files_.size()));
  ProgressBar bar(report_.terminal(), "   get");
  Client& client = *origin().client;
  const uint64_t started = wall_ms();
  std::map<uint64_t, size_t> asked;
  size_t next = 0, done = 0, failed = 0;
  std::string first_failure;
  while (done < files_.size()) {
    while (next < files_.size() && asked.size() < kGetsAtOnce) {
      asked[TRY(client.send(node::GetRequest{cids_[next].text(), target(next)}))] = next;
      ++next;
    }
    const Client::Message message = TRY(client.next());
    const auto at = asked.find(message.id);
    if (message.progress || at == asked.end()) continue;
    if (!message.body.ok() && failed++ == 0) first_failure = files_[at->second].name + ": " + message.body.error().message;
    asked.erase(at);
    bar.show(++done, files_.size(), fmt::format("{} of {} files", done, files_.size()));
  }
  const uint64_t took = wall_ms() - started;
  bar.clear();
  size_t same = 0;
  for (size_t i = 0; i < files_.size(); ++i) same += same_content(files_[i].path, target(i)).value_or(false) ? 1 : 0;
  const double speed = megabytes_per_second(bytes_, took);
  report_.check("every file reads back bit for bit " + when, same == files_.size() && failed == 0,
                fmt::format("{} of {} files in {}, {:.1f} MB/s{}", same, files_.size(), format_us(took * 1000), speed,
                            first_failure.empty() ? "" : "; " + first_failure));
  if (measure == Measure::kYes) {
    report_.figure("get_megabytes_per_second", speed);
    report_.figure("get_milliseconds", took);
  }
  fs::remove_all(folder, code);
  return ok();
}

Result<uint64_t> DemoScript::tasks_of(DemoNode& host) {
  const auto list = TRY(host.client->ask(node::LeaseListRequest{}));
  uint64_t tasks = 0;
  for (const node::LeaseInfo& lease : list.leases) tasks += lease.tasks;
  return tasks;
}

Result<std::vector<node::ReceiptInfo>> DemoScript::receipts_of(DemoNode& node) {
  return TRY(node.client->ask(node::ReceiptsRequest{})).receipts;
}

Result<node::RunAnswer> DemoScript::run_job(const node::RunRequest& request, const char* label, const Client::OnProgress& on_progress) {
  ProgressBar bar(report_.terminal(), label);
  auto answer = origin().client->ask(request, [&](const Json& progress) {
    show_run(report_.terminal(), bar, progress);
    if (on_progress) on_progress(progress);
  });
  bar.clear();
  return answer;
}

}  // namespace selvedge::cli
