// selvedge doctor: looks at everything a node depends on, and says what to do about what is wrong.
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <time.h>

#include "cli/commands.h"
#include "cli/files.h"
#include "cli/units.h"
#include "host/domain/domain_pool.h"
#include "host/domain/microvm.h"
#include "host/kernel/kernel.h"
#include "host/loop/loop.h"

namespace selvedge::cli {

namespace {

enum class Finding : uint8_t { kOk, kWarn, kFail };

class Doctor {
 public:
  explicit Doctor(World& world) : world_(world) {}

  void home();
  void node();
  void disk();
  void sandbox();
  void kernel();
  void microvm();
  void clock();
  void file_limit();
  int exit_code() const { return failed_ ? kExitCheckFailed : kExitOk; }

 private:
  void say(Finding finding, const char* check, const std::string& message, const std::string& todo = "");
  void owner(const node::StatusAnswer& status);
  void peers(Client& client);
  void grants(Client& client);

  World& world_;
  bool failed_ = false;
};

void Doctor::say(Finding finding, const char* check, const std::string& message, const std::string& todo) {
  const char* const state = finding == Finding::kOk ? "ok" : finding == Finding::kWarn ? "warn" : "fail";
  failed_ = failed_ || finding == Finding::kFail;
  world_.terminal.record(Record().text("check", check).text("state", state).text("message", message).text("todo", todo).json());
  world_.terminal.line(fmt::format("{:<4}  {:<8}  {}{}", state, check, printable(message), todo.empty() ? "" : "\n                " + todo));
}

void Doctor::home() {
  struct stat dir {}, keys {};
  if (stat(world_.home.c_str(), &dir) != 0 || stat((world_.home + "/node.key").c_str(), &keys) != 0) {
    return say(Finding::kFail, "home", "there is no node in " + world_.home, "make one: selvedge --home " + world_.home + " init");
  }
  for (const char* name : {"/node.key", "/owner.key"}) {
    const std::string path = world_.home + name;
    if (stat(path.c_str(), &keys) != 0 || (keys.st_mode & 077) == 0) continue;  // a device may be without the owner's key
    return say(Finding::kFail, "home", "others can read " + path, "make it private: chmod 600 " + path);
  }
  if ((dir.st_mode & 077) != 0) return say(Finding::kWarn, "home", "others can look into " + world_.home, "make it private: chmod 700 " + world_.home);
  say(Finding::kOk, "home", world_.home + " is private");
}

void Doctor::node() {
  const auto client = Client::connect(world_.home, nullptr);
  if (!client.ok()) return say(Finding::kFail, "node", client.error().message);
  const auto status = (*client)->ask(node::StatusRequest{});
  if (!status.ok()) return say(Finding::kFail, "node", "it does not answer: " + status.error().message, "look at " + world_.home + "/node.log");
  if (status->version != world_.version) {
    say(Finding::kWarn, "node", "version " + status->version + " is running, this command is " + world_.version, "restart it: selvedge stop, then selvedge up");
  } else {
    say(Finding::kOk, "node", fmt::format("answers, up {}", format_seconds(status->uptime_s)));
  }
  owner(*status);
  if (status->repairs_pending > 0) {
    say(Finding::kWarn, "repair", fmt::format("{} objects have too few holders", status->repairs_pending),
        "they are placed again as soon as enough hosts with a storage grant are connected");
  }
  peers(**client);
  grants(**client);
}

// The owner's key, the record by which this device is the owner's, the copy of the index, and alerts.
void Doctor::owner(const node::StatusAnswer& status) {
  constexpr uint64_t kRecordSoon = 14 * object::kDay;
  const uint64_t now = uint64_t(time(nullptr));
  for (const node::AlertInfo& alert : status.alerts) say(Finding::kWarn, "alert", alert.text, "selvedge device list shows your devices");
  if (status.revoked) say(Finding::kFail, "device", "this device was taken back by its owner", "make new keys in a new home, and have them enrolled: selvedge init --owner KEY");
  if (!status.owner_key_here && status.record_expires < now + kRecordSoon) {
    say(status.record_expires > now ? Finding::kWarn : Finding::kFail, "device", "the owner's word that this device is theirs ends soon or has ended",
        "let it meet the device that holds the owner's key, which renews it");
  }
  if (status.awaiting_index) {
    say(Finding::kWarn, "index", "this home was restored and has not found its index yet", "connect it to a host that has your data: selvedge peer add TICKET");
  } else if (status.owner_key_here && status.blobs_owned > 0 && status.index_saved == 0) {
    say(Finding::kWarn, "index", "no copy of your index is on any host: losing this home is losing the way to your files", "connect hosts that grant storage");
  }
}

void Doctor::peers(Client& client) {
  const auto list = client.ask(node::PeerListRequest{});
  if (!list.ok()) return say(Finding::kFail, "peers", list.error().message);
  if (list->peers.empty()) return say(Finding::kWarn, "peers", "no other node is known", "ask for a ticket (selvedge ticket on their machine): selvedge peer add TICKET");
  size_t connected = 0;
  for (const node::PeerInfo& peer : list->peers) {
    connected += peer.connected ? 1 : 0;
    if (peer.connected) continue;
    std::string where = peer.addresses.empty() ? "no address is known" : peer.addresses.front();
    say(Finding::kWarn, "peers", short_key(peer.node) + " is not connected (" + where + "): " + (peer.error.empty() ? "no answer yet" : peer.error),
        "is it up, and may UDP pass to that address? If it moved, ask for a new ticket");
  }
  if (connected > 0) say(Finding::kOk, "peers", fmt::format("{} of {} connected", connected, list->peers.size()));
}

void Doctor::grants(Client& client) {
  constexpr uint64_t kSoonSeconds = 600;
  const auto list = client.ask(node::GrantListRequest{});
  if (!list.ok()) return say(Finding::kFail, "grants", list.error().message);
  const uint64_t now = uint64_t(time(nullptr));
  size_t active = 0;
  for (const node::GrantInfo& grant : list->grants) {
    if (grant.state == "revoked" || grant.state == "expired") continue;
    ++active;
    if (grant.expires > now + kSoonSeconds) continue;
    const std::string who = grant.given ? "given to " + short_key(grant.origin) : "from " + short_key(grant.owner);
    say(Finding::kWarn, "grants", "the grant " + who + " ends in " + format_seconds(grant.expires > now ? grant.expires - now : 0),
        grant.given ? "give a new one if it shall go on: selvedge grant give" : "ask its owner for a new one before what is stored there is handed over");
  }
  if (active == 0) say(Finding::kWarn, "grants", "none is in force, so nothing can run or be stored", "selvedge grant give --help");
  else say(Finding::kOk, "grants", fmt::format("{} in force", active));
}

void Doctor::disk() {
  constexpr uint64_t kFailBytes = 100u << 20, kWarnBytes = 1u << 30;
  struct statvfs info {};
  if (statvfs(world_.home.c_str(), &info) != 0) return;  // the check of the home has said it
  const uint64_t available = uint64_t(info.f_bavail) * info.f_frsize;
  const std::string text = format_bytes(available) + " free where the home is";
  if (available < kFailBytes) return say(Finding::kFail, "disk", text, "free some space, or move the home; a node on a full disk refuses what it is sent");
  if (available < kWarnBytes) return say(Finding::kWarn, "disk", text, "grants of more storage than that cannot be kept");
  say(Finding::kOk, "disk", text);
}

void Doctor::sandbox() {
  const Result<std::string> runner = find_runner();
  if (!runner.ok()) return say(Finding::kFail, "sandbox", runner.error().message);
  host::Loop loop(1);
  host::DomainPool pool(loop, *runner);
  Result<host::DomainLayers> layers = fail(Errc::kTimeout, "the runner did not come up in time");
  constexpr Duration kProbeMax = seconds(20);
  host::Loop::Timer timer(loop, [&loop] { loop.stop(); });
  timer.set(loop.now() + kProbeMax);
  pool.probe([&](Result<host::DomainLayers> found) {
    layers = std::move(found);
    loop.stop();
  });
  loop.run();
  if (!layers.ok()) return say(Finding::kFail, "sandbox", layers.error().message, "programs cannot run here; storage works all the same");
  if (!layers->seccomp) return say(Finding::kFail, "sandbox", "without seccomp: " + layers->text(), "a kernel with CONFIG_SECCOMP_FILTER is needed");
  // Root makes the other namespaces without one of users, and then drops its rights.
  if (!layers->net_namespace || !layers->pid_namespace || !layers->mount_namespace) {
    return say(Finding::kWarn, "sandbox", "not all namespaces: " + layers->text(),
               "missing: " + layers->missing() + "; the walls that stand are enough. To have all, allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1)");
  }
  // Root needs no namespace of users, and without control groups the pool's own watch holds memory and threads.
  say(Finding::kOk, "sandbox", layers->text(), layers->missing().empty() ? "" : "not here: " + layers->missing());
}

void Doctor::microvm() {
  const Result<std::string> runner = find_runner();
  if (!runner.ok()) return;  // said above
  const Result<host::MicroVmParts> parts = host::find_microvm_parts(*runner);
  if (!parts.ok()) return say(Finding::kOk, "microvm", "not offered, and not needed: " + parts.error().message);
  const host::MicroVmChoice choice = host::choose_microvm(*runner, true);
  const std::string found = "KVM " + choice.kvm + "; without KVM it " + choice.tcg;
  if (choice.machine == nullptr) return say(Finding::kWarn, "microvm", found, "selvedge up --isolation microvm cannot work here; processes do");
  say(Finding::kOk, "microvm", found, "selvedge up --isolation microvm uses " + choice.machine->text());
}

// What is missing makes the node less considerate, not wrong: a line each, and no warning, because a server has no battery.
void Doctor::kernel() {
  for (const host::KernelSource& source : host::Kernel().sources()) {
    say(Finding::kOk, "signals", source.what + (source.there ? ": " : " is not seen: ") + source.detail);
  }
}

void Doctor::clock() {
  // Nothing that this program reads can have been signed before it was written.
  constexpr time_t kWritten = 1'735'689'600;  // 2025-01-01
  const time_t now = time(nullptr);
  if (now < kWritten) return say(Finding::kFail, "clock", "it shows a time before 2025", "set it: grants and tickets of others look not yet valid or expired");
  timex kernel{};
  const int state = adjtimex(&kernel);
  if (state == TIME_ERROR || (kernel.status & STA_UNSYNC) != 0) {
    return say(Finding::kWarn, "clock", "nobody keeps it in step with the world", "install systemd-timesyncd or chrony, unless this is a container whose host does it");
  }
  say(Finding::kOk, "clock", "in step");
}

void Doctor::file_limit() {
  constexpr rlim_t kWanted = 1024;
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const std::string text = fmt::format("{} open files allowed", uint64_t(limit.rlim_max));
  if (limit.rlim_max < kWanted) return say(Finding::kWarn, "files", text, "raise the limit: ulimit -n 4096 before selvedge up");
  say(Finding::kOk, "files", text);
}

}  // namespace

CommandResult run_doctor(World& world) {
  Doctor doctor(world);
  doctor.home();
  doctor.node();
  doctor.disk();
  doctor.sandbox();
  doctor.kernel();
  doctor.microvm();
  doctor.clock();
  doctor.file_limit();
  return doctor.exit_code();
}

}  // namespace selvedge::cli
