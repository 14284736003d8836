// Verbs about finding nodes by their keys, and being found.
#include <fmt/format.h>

#include <algorithm>

#include "cli/commands.h"
#include "cli/shared.h"
#include "cli/units.h"
#include "codec/multibase.h"

namespace selvedge::cli {

namespace {

void print_said(Terminal& out, const std::vector<node::SourceAnswer>& said) {
  for (const node::SourceAnswer& each : said) out.line("  " + printable(each.source) + "  " + printable(each.said));
}

void print_announced(Terminal& out, const node::AnnounceAnswer& announced, const std::string& suffix) {
  if (!announced.on) {
    out.line("This node tells nobody where it is. To be found by its key: selvedge announce on --to pkarr:https://RELAY");
    return;
  }
  out.line(fmt::format("This node says where it is{}:", announced.own_addresses ? ", its own addresses as well" : ", through relays only"));
  for (const std::string& address : announced.addresses) out.line("  " + printable(address));
  print_said(out, announced.to);
  if (suffix.empty()) return;
  out.line("For the zone file of " + suffix + ", anew every hour (it holds for two):");
  std::string line = announced.name + "." + suffix + ". 300 IN TXT";
  for (const std::string& text : announced.texts) line += " \"" + text + "\"";
  out.line(line);
}

}  // namespace

CommandResult run_peer_find(World& world, const FindOptions& options) {
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(node::FindRequest{options.key}));
  world.terminal.record(answer.dump());
  const auto found = TRY(read_answer<node::FindAnswer>(answer));
  for (const std::string& address : found.addresses) world.terminal.line(printable(address));
  print_said(world.terminal, found.asked);
  world.terminal.remark("It signed this itself. To connect: selvedge peer add " + codec::key_text(found.node));
  return kExitOk;
}

CommandResult run_announce_on(World& world, const AnnounceOptions& options) {
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(node::AnnounceRequest{options.to, options.own_addresses}));
  world.terminal.record(answer.dump());
  const auto announced = TRY(read_answer<node::AnnounceAnswer>(answer));
  print_announced(world.terminal, announced, options.suffix);
  const bool kept = announced.to.empty() || std::any_of(announced.to.begin(), announced.to.end(), [](const node::SourceAnswer& each) { return each.said == node::kKeepsIt; });
  world.terminal.remark(!kept ? "Nobody keeps it yet; this node tries again every minute. How that goes: selvedge announce show"
                              : "Whoever knows this node's key can find it now; so can whoever those tell. selvedge announce off ends it.");
  return kExitOk;
}

CommandResult run_announce_show(World& world, const AnnounceOptions& options) {
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(node::AnnounceShowRequest{}));
  world.terminal.record(answer.dump());
  print_announced(world.terminal, TRY(read_answer<node::AnnounceAnswer>(answer)), options.suffix);
  return kExitOk;
}

CommandResult run_announce_off(World& world) {
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(node::AnnounceOffRequest{}));
  world.terminal.record(answer.dump());
  world.terminal.line("This node tells nobody where it is any more. What it said before expires within two hours.");
  return kExitOk;
}

}  // namespace selvedge::cli
