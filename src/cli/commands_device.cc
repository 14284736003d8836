// Verbs about an owner's devices and zones. request and accept work on the home's files alone, because a device that is not enrolled
// yet cannot run; the rest asks the node.
#include <fmt/format.h>
#include <time.h>

#include "cli/commands.h"
#include "cli/shared.h"
#include "cli/units.h"
#include "host/daemon/home.h"
#include "node/enrolment.h"

namespace selvedge::cli {

namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

/// The keys that a request is about: those that wait for their record, else the node's own.
struct Asking {
  host::NodeKeys keys;
  std::optional<host::NodeKeys> old_keys;   // which they would replace
};

Result<Asking> asking(const host::Home& home) {
  host::HomeKeys keys = TRY(home.load_keys());
  std::optional<host::NodeKeys> next = TRY(home.load_next_keys());
  if (!next) return Asking{std::move(keys.node), std::nullopt};
  return Asking{std::move(*next), std::move(keys.node)};
}

}  // namespace

Result<std::string> device_request_text(const host::Home& home) {
  const Asking asks = TRY(asking(home));
  const uint64_t now = uint64_t(time(nullptr));
  const crypto::Ed25519Signer signer(asks.keys.node);
  node::EnrolRequest request;
  request.owner = asks.keys.owner;
  request.node = signer.public_key();
  request.seal_key = crypto::SealKeyPair(asks.keys.seal.clone()).public_key();
  request.label = home.load_label();
  request.issued = now;
  request.expires = now + node::kEnrolRequestTtl;
  if (asks.old_keys) request.succeeds = asks.old_keys->public_key();
  const auto made = TRY(object::sign_object(signer, request));
  if (!asks.old_keys) return node::request_text(made, nullptr);
  const auto word = TRY(object::sign_object(crypto::Ed25519Signer(asks.old_keys->node), node::Succession{*request.succeeds, request.node, now}));
  return node::request_text(made, &word);
}

CommandResult run_device_request(World& world) {
  const host::Home home = TRY(host::Home::open(world.home));
  if (home.holds_root) return fail(Errc::kInvalid, "the owner's key is on this device, so it needs nobody's leave (selvedge key show)");
  const std::string text = TRY(device_request_text(home));
  world.terminal.line(text);
  world.terminal.remark("On the device that holds the owner's key: selvedge device enroll REQUEST. It answers with a text; here: selvedge device accept ANSWER");
  world.terminal.record(Record().text("request", text).text("owner", home.owner_key).text("node", home.node_key).json());
  return kExitOk;
}

CommandResult run_device_enroll(World& world, const DeviceOptions& options) {
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(node::DeviceEnrollRequest{options.request, options.zones}));
  world.terminal.record(answer.dump());
  const auto enrolled = TRY(read_answer<node::DeviceEnrollAnswer>(answer));
  world.terminal.line(enrolled.answer);
  const std::string name = enrolled.label.empty() ? short_key(enrolled.node) : printable(enrolled.label);
  world.terminal.remark(fmt::format("{} is yours now, with the keys of: {}. Carry the text above to it: selvedge device accept ANSWER", name,
                                    enrolled.zones.empty() ? "no zone" : joined(enrolled.zones)));
  return kExitOk;
}

CommandResult run_device_accept(World& world, const DeviceOptions& options) {
  const host::Home home = TRY(host::Home::open(world.home));
  const Asking asks = TRY(asking(home));
  const crypto::Ed25519Verifier verifier;
  const crypto::PublicKey node = asks.keys.public_key();
  const node::EnrolAnswer answer = TRY(node::open_answer_text(options.answer, asks.keys.owner, node, verifier));
  if (asks.old_keys) {
    const host::HomeLock lock = TRY(host::HomeLock::take(home));  // a node that runs would go on with the old key
    TRY(home.replace_node_keys(asks.keys));
    home.drop_next_keys();
  }
  TRY(home.save_record(answer.record));
  TRY(home.save_hints(codec::encode(answer.hosts)));
  world.terminal.line("This device is " + codec::key_text(node) + ", and its owner's. Start it with: selvedge --home " + home.dir + " up");
  world.terminal.record(Record().text("node", codec::key_text(node)).text("owner", home.owner_key).number("hosts", answer.hosts.size()).json());
  return kExitOk;
}

CommandResult run_device_list(World& world) {
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(node::DeviceListRequest{}));
  const Json devices = answer.at("devices");
  for (size_t i = 0; i < devices.size(); ++i) world.terminal.record(devices.item(i).dump());
  const auto list = TRY(read_answer<node::DeviceListAnswer>(answer));
  const uint64_t now = uint64_t(time(nullptr));
  Table table({"device", "node", "state", "record", "zones"});
  for (const node::DeviceInfo& device : list.devices) {
    const bool gone = device.state == "lost" || device.state == "replaced";
    const std::string record = gone ? "" : device.expires > now ? "ends in " + format_seconds(device.expires - now) : "has ended";
    table.row({printable(device.label), short_key(device.node), device.state, record, joined(device.zones)});
  }
  table.print(world.terminal);
  return kExitOk;
}

CommandResult run_device_lost(World& world, const DeviceOptions& options) {
  const auto client = TRY(Client::connect(world.home, nullptr));
  const auto show = [&](const Json& progress) {
    world.terminal.record(progress.dump());
    world.terminal.line(fmt::format("{:<10} {}", progress.at("step").text(), printable(progress.at("text").text())));
  };
  const Json answer = TRY(client->ask_json(node::DeviceLostRequest{options.device}, show));
  world.terminal.record(answer.dump());
  const auto lost = TRY(read_answer<node::DeviceLostAnswer>(answer));
  if (lost.objects_waiting > 0) {
    world.terminal.line(fmt::format("{} objects are still below coverage: they are placed anew as soon as enough hosts are connected (selvedge status)", lost.objects_waiting));
  } else {
    world.terminal.line("Everything that is stored survives the loss of any one holder, without that device.");
  }
  world.terminal.line("What it had read before, it may still know. What was sealed before with keys that it had can be read by whoever has it and gets the symbols.");
  return kExitOk;
}

// ---- zones

CommandResult run_zone_list(World& world) {
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(node::ZoneListRequest{}));
  const Json zones = answer.at("zones");
  for (size_t i = 0; i < zones.size(); ++i) world.terminal.record(zones.item(i).dump());
  const auto list = TRY(read_answer<node::ZoneListAnswer>(answer));
  Table table({"zone", ">trust", ">epoch", ">devices", ">files", ">size"});
  for (const node::ZoneInfo& zone : list.zones) {
    table.row({printable(zone.zone), std::to_string(zone.trust_level), zone.epoch == 0 ? "no key" : std::to_string(zone.epoch), std::to_string(zone.devices),
               std::to_string(zone.blobs), format_bytes(zone.bytes)});
  }
  if (table.empty()) world.terminal.line("No zones yet: this device has not heard from the one that holds the owner's key (selvedge device list).");
  else table.print(world.terminal);
  return kExitOk;
}

CommandResult run_zone_show(World& world, const ZoneOptions& options) {
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(node::ZoneShowRequest{options.zone}));
  world.terminal.record(answer.dump());
  const auto show = TRY(read_answer<node::ZoneShowAnswer>(answer));
  Terminal& out = world.terminal;
  out.line(fmt::format("zone {}, trust {}; {} files, {}", printable(show.zone.zone), show.zone.trust_level, show.zone.blobs, format_bytes(show.zone.bytes)));
  out.line("  id  " + show.zone.id.hex());
  out.line(fmt::format("  spread over at least {} machines of {} owners; selvedge policy show {} for the rest of its policy",
                       show.policy.distribution.devices_min, show.policy.distribution.owners_min, printable(show.zone.zone)));
  const uint64_t now = uint64_t(time(nullptr));
  Table table({">epoch", "since", "here", ">devices", "why"});
  for (const node::ZoneEpochInfo& epoch : show.epochs) {
    table.row({std::to_string(epoch.epoch), format_seconds(now > epoch.issued ? now - epoch.issued : 0) + " ago", epoch.here ? "yes" : "no", std::to_string(epoch.devices.size()),
               printable(epoch.reason)});
  }
  table.print(out, "  ");
  return kExitOk;
}

CommandResult run_zone_create(World& world, const ZoneOptions& options) {
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(node::ZoneCreateRequest{options.zone}));
  world.terminal.record(answer.dump());
  world.terminal.line("Zone " + printable(answer.at("zone").text()) + " is there, with keys for every device of yours. Put something: selvedge put FILE --zone " +
                      printable(answer.at("zone").text()));
  return kExitOk;
}

CommandResult run_zone_rotate(World& world, const ZoneOptions& options) {
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(node::ZoneRotateRequest{options.zone, options.reason}));
  world.terminal.record(answer.dump());
  const auto zone = TRY(read_answer<node::ZoneInfo>(answer));
  world.terminal.line(fmt::format("Zone {} is in epoch {}: what is put from now on is sealed with new keys, for {} devices. What was put before stays readable.",
                                  printable(zone.zone), zone.epoch, zone.devices));
  return kExitOk;
}

CommandResult run_zone_bridge(World& world, const ZoneOptions& options) {
  const auto client = TRY(Client::connect(world.home, nullptr));
  ProgressBar bar(world.terminal, "bridge");
  const Result<Json> answer = client->ask_json(node::ZoneBridgeRequest{options.cid, options.from, options.to}, [&](const Json& progress) { show_transfer(bar, progress); });
  bar.clear();
  if (!answer.ok()) return answer.error();
  world.terminal.record(answer->dump());
  const auto bridged = TRY(read_answer<node::ZoneBridgeAnswer>(*answer));
  std::string path;
  for (const std::string& zone : bridged.path) path += (path.empty() ? "" : " -> ") + printable(zone);
  world.terminal.line(fmt::format("{} is in {} now, under new names and keys ({}); it came by {}", bridged.cid.text(), printable(bridged.to), format_bytes(bridged.size), path));
  return kExitOk;
}

}  // namespace selvedge::cli
