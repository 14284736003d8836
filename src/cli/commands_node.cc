#include <fmt/format.h>
#include <qrencode.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/files.h"
#include "cli/shared.h"
#include "cli/units.h"
#include "host/daemon/daemon.h"
#include "host/domain/microvm.h"
#include "node/enrolment.h"

namespace selvedge::cli {

Result<std::string> default_home() {
  const char* chosen = getenv("SELVEDGE_HOME");
  if (chosen != nullptr && *chosen != 0) return std::string(chosen);
  const char* user = getenv("HOME");
  if (user != nullptr && *user != 0) return std::string(user) + "/.selvedge";
  return fail(Errc::kInvalid, "neither SELVEDGE_HOME nor HOME is set; say where the node lives with --home DIR");
}

namespace {

// The machine's own name, unless its owner says otherwise.
std::string label_for(const std::string& wanted) {
  if (!wanted.empty()) return wanted;
  char name[64] = {};
  if (gethostname(name, sizeof name - 1) != 0) return "";
  return node::check_label(name).ok() ? std::string(name) : "";
}

// A further device of an owner whose key stays elsewhere.
CommandResult init_device(World& world, const InitOptions& options) {
  const crypto::PublicKey owner = TRY(codec::parse_key(options.owner));
  const host::Home home = TRY(host::Home::create_device(world.home, owner));
  TRY(home.save_label(label_for(options.label)));
  const std::string request = TRY(device_request_text(home));
  world.terminal.line("Made a device in " + home.dir + ". Its owner has to say that it is theirs:");
  world.terminal.line("  1. on the device that holds the owner's key:  selvedge device enroll REQUEST, with the request below");
  world.terminal.line("  2. here, with the text it answers with:       selvedge device accept ANSWER");
  world.terminal.line("");
  world.terminal.line(request);
  world.terminal.record(Record().text("home", home.dir).text("owner", home.owner_key).text("node", home.node_key).text("request", request).json());
  return kExitOk;
}

}  // namespace

CommandResult run_init(World& world, const InitOptions& options) {
  TRY(node::check_label(options.label));
  if (!options.owner.empty()) return init_device(world, options);
  const host::Home home = TRY(host::Home::create(world.home));
  TRY(home.save_label(label_for(options.label)));
  world.terminal.line("Made a node in " + home.dir + ". Its keys exist nowhere else: make a backup with selvedge key export.");
  world.terminal.line("  owner  " + home.owner_key);
  world.terminal.line("  node   " + home.node_key);
  world.terminal.line("Start it with: selvedge --home " + home.dir + " up");
  world.terminal.record(Record().text("home", home.dir).text("owner", home.owner_key).text("node", home.node_key).json());
  return kExitOk;
}

CommandResult run_up(World& world, const UpOptions& options) {
  host::DaemonOptions daemon;
  daemon.home = world.home;
  daemon.listen = options.listen;
  daemon.advertise = options.advertise;
  daemon.map_port = options.map_port;
  daemon.pkarr_relay = options.pkarr_relay;
  daemon.web = options.web;
  daemon.dash = options.dash;
  if (options.map_port && (options.listen.starts_with("127.") || options.listen.starts_with("[::1]"))) {
    return fail(Errc::kInvalid, "no router leads to this machine's loopback, where the node would listen; say where else: --listen 0.0.0.0:7443");
  }
  daemon.runner_path = TRY(find_runner());
  daemon.version = world.version;
  daemon.json = world.terminal.json();
  daemon.tpm = options.tpm;
  daemon.misbehave = options.misbehave;
  daemon.paths = options.paths == "direct-only" ? node::PathPolicy::kDirectOnly : options.paths == "prefer-direct" ? node::PathPolicy::kPreferDirect : node::PathPolicy::kRelayOk;
  for (const std::string& source : options.find) daemon.hint_sources.push_back(TRY(mesh::parse_hint_source(source)));
  if (daemon.hint_sources.size() > mesh::kHintSourcesMax) return fail(Errc::kInvalid, "--find takes at most 8 sources");
  for (const std::string& role : options.roles) daemon.roles |= role == "relay" ? node::kRoleRelay : node::kRoleRendezvous;
  if (options.isolation == "microvm") {
    world.terminal.remark("Trying which virtual machines boot here ...");
    const host::MicroVmChoice choice = host::choose_microvm(daemon.runner_path, false);
    if (choice.machine == nullptr) {
      return fail(Errc::kUnavailable, "no microVM boots here. KVM: " + choice.kvm + ". Without KVM: " + choice.tcg + ". selvedge up --isolation process does without");
    }
    daemon.machine = choice.machine;
    world.terminal.remark("Programs run in a " + choice.machine->text() + " each. KVM: " + choice.kvm + ".");
  }
  TRY(host::run_daemon(daemon));
  return kExitOk;
}

CommandResult run_stop(World& world) {
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(node::ShutdownRequest{}));
  world.terminal.line("The node in " + world.home + " is stopping.");
  world.terminal.record(answer.dump());
  return kExitOk;
}

namespace {

// What concerns the owner and their devices: shown where there is something to tell.
void print_owner_state(Terminal& out, const node::StatusAnswer& status) {
  const uint64_t now = uint64_t(time(nullptr));
  if (status.devices_connected > 0) out.line(fmt::format("  devices    {} others of yours connected", status.devices_connected));
  if (!status.owner_key_here) {
    out.line(fmt::format("  record     your key is elsewhere; its word on this device {}",
                         status.record_expires > now ? "ends in " + format_seconds(status.record_expires - now) : "has ended"));
  }
  if (status.awaiting_index) out.line("  index      not found yet: connect a host that has your data (selvedge peer add TICKET)");
  else if (status.index_saved > 0) {
    out.line(fmt::format("  index      saved on hosts {} ago{}", format_seconds(now > status.index_saved ? now - status.index_saved : 0),
                         status.index_pending > 0 ? fmt::format(", {} changes are not in it yet", status.index_pending) : ""));
  }
  if (status.revoked) out.line("This device was taken back by its owner: it is told nothing and given nothing any more.");
  for (const node::AlertInfo& alert : status.alerts) {
    out.line(fmt::format("ALERT      {} ({} ago)", printable(alert.text), format_seconds(now > alert.issued ? now - alert.issued : 0)));
  }
}

}  // namespace

CommandResult run_status(World& world) {
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(node::StatusRequest{}));
  world.terminal.record(answer.dump());
  const auto status = TRY(read_answer<node::StatusAnswer>(answer));
  Terminal& out = world.terminal;
  out.line(fmt::format("selvedge {}, up {}", status.version, format_seconds(status.uptime_s)));
  out.line("  owner      " + codec::key_text(status.owner));
  out.line("  node       " + codec::key_text(status.node));
  std::string addresses;
  for (const std::string& address : status.addresses) addresses += (addresses.empty() ? "" : ", ") + address;
  out.line("  addresses  " + (addresses.empty() ? "none" : addresses));
  out.line(fmt::format("  peers      {} of {} connected", status.peers_connected, status.peers_known));
  out.line(fmt::format("  leases     {} active", status.leases_active));
  out.line(fmt::format("  holds      {} objects of others, {}", status.objects_held, format_bytes(status.bytes_held)));
  out.line(fmt::format("  owns       {} files, {}", status.blobs_owned, format_bytes(status.bytes_owned)));
  out.line(fmt::format("  jobs       {} running", status.jobs_running));
  const auto words = [](const std::vector<std::string>& list) {
    std::string text;
    for (const std::string& each : list) text += (text.empty() ? "" : ", ") + printable(each).substr(0, 60);
    return text;
  };
  if (status.services > 0) out.line(fmt::format("  services   {} exposed", status.services));
  if (!status.roles.empty()) out.line("  roles      " + words(status.roles) + ", for everybody");
  if (!status.announced.empty()) out.line("  announced  " + words(status.announced));
  out.line("  isolation  " + status.isolation);
  if (status.repairs_pending > 0) out.line(fmt::format("  repairs    {} objects are being placed again", status.repairs_pending));
  print_owner_state(out, status);
  if (status.peers_connected < status.peers_known) out.remark("Not every peer is connected: selvedge peer list says why.");
  return kExitOk;
}

CommandResult run_version(World& world) {
  world.terminal.line("selvedge " + world.version);
  world.terminal.record(Record().text("version", world.version).json());
  return kExitOk;
}

namespace {

struct QrDelete {
  void operator()(QRcode* code) const { QRcode_free(code); }
};

// Two rows of modules become one line of half blocks; light on dark would be unreadable to some phones, so what is
// printed is the light part and the quiet zone around it.
std::string qr_text(const QRcode& code) {
  constexpr int kQuiet = 2;
  const auto light = [&](int x, int y) {
    const bool inside = x >= 0 && y >= 0 && x < code.width && y < code.width;
    return !inside || (code.data[y * code.width + x] & 1) == 0;
  };
  std::string out;
  for (int y = -kQuiet; y < code.width + kQuiet; y += 2) {
    for (int x = -kQuiet; x < code.width + kQuiet; ++x) {
      const bool top = light(x, y), bottom = y + 1 < code.width + kQuiet && light(x, y + 1);
      out += top && bottom ? "█" : top ? "▀" : bottom ? "▄" : " ";
    }
    out += '\n';
  }
  return out;
}

}  // namespace

CommandResult run_ticket(World& world, const TicketOptions& options) {
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(node::TicketRequest{options.relay_only}));
  const std::string ticket = answer.at("ticket").text();
  world.terminal.record(answer.dump());
  if (options.qr && !world.terminal.json()) {
    // Upper case fits the alphanumeric mode, which makes the code a third smaller; a ticket may be in either case.
    std::string upper = ticket;
    for (char& c : upper) c = c >= 'a' && c <= 'z' ? char(c - 32) : c;
    const std::unique_ptr<QRcode, QrDelete> code(QRcode_encodeString(upper.c_str(), 0, QR_ECLEVEL_M, QR_MODE_8, 0));
    if (!code) return fail(Errc::kLimit, "the ticket is too long for a QR code; use the text: selvedge ticket");
    world.terminal.line(qr_text(*code));
  }
  world.terminal.line(ticket);
  return kExitOk;
}

}  // namespace selvedge::cli
