// Verbs about being reached through relays, and finding services by their key.
#include <fmt/format.h>
#include <time.h>

#include "cli/commands.h"
#include "cli/shared.h"
#include "cli/units.h"

namespace selvedge::cli {

namespace {

struct ProtocolName {
  const char* name;
  uint8_t bit;
};
constexpr ProtocolName kProtocols[] = {{"http", object::kProtocolHttp}, {"grpc", object::kProtocolGrpc}, {"datagram", object::kProtocolDatagram}, {"custom", object::kProtocolCustom}};

std::string protocols_text(uint8_t protocols) {
  std::string out;
  for (const ProtocolName& each : kProtocols) {
    if (protocols & each.bit) out += (out.empty() ? "" : ",") + std::string(each.name);
  }
  return out;
}

Result<uint32_t> parse_protocols(const std::string& text) {
  uint32_t out = 0;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(',', at), text.size());
    const std::string one = text.substr(at, end - at);
    uint8_t bit = 0;
    for (const ProtocolName& each : kProtocols) bit = one == each.name ? each.bit : bit;
    if (bit == 0) return fail(Errc::kInvalid, "\"" + one + "\" is no protocol: http, grpc, datagram or custom");
    out |= bit;
    at = end + 1;
  }
  return out;
}

void print_said(Terminal& out, const std::vector<node::ProviderAnswer>& said) {
  for (const node::ProviderAnswer& each : said) out.line("  " + short_key(each.provider) + "  " + printable(each.said));
}

}  // namespace

CommandResult run_relay_use(World& world, const RelayUseOptions& options) {
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(node::RelayUseRequest{options.relay}));
  world.terminal.record(answer.dump());
  const auto used = TRY(read_answer<node::RelayUseAnswer>(answer));
  world.terminal.line("This node can be reached through " + short_key(used.relay) + " now, which does not know whom it reaches.");
  world.terminal.line("Give others a ticket that names no address of yours: selvedge ticket --relay-only");
  return kExitOk;
}

CommandResult run_relay_list(World& world) {
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(node::RelayListRequest{}));
  world.terminal.record(answer.dump());
  const auto list = TRY(read_answer<node::RelayListAnswer>(answer));
  Terminal& out = world.terminal;
  if (out.json()) return kExitOk;
  if (list.serving) out.line(fmt::format("This node is a relay: {} circuits are open, {} passed through since it started.", list.circuits, format_bytes(list.bytes_carried)));
  Table table({"relay", "state", "address"});
  for (const auto& each : list.used) table.row({short_key(each.relay), each.connected ? "connected" : "away", printable(each.address)});
  if (table.empty()) out.line("This node uses no relay. To be reached through one: selvedge relay use TICKET");
  else table.print(out);
  return kExitOk;
}

CommandResult run_publish(World& world, const PublishOptions& options) {
  node::PublishRequest request;
  request.name = options.name;
  request.relay = options.relay;
  request.at = options.at;
  request.protocols = TRY(parse_protocols(options.protocols));
  request.seconds = TRY(parse_seconds(options.duration));
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(request));
  world.terminal.record(answer.dump());
  const auto published = TRY(read_answer<node::PublishAnswer>(answer));
  world.terminal.line(published.address);
  print_said(world.terminal, published.at);
  world.terminal.remark("It holds for " + format_seconds(request.seconds) + ". Whoever resolves it learns this node's key, and no address.");
  return kExitOk;
}

CommandResult run_resolve(World& world, const ResolveOptions& options) {
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(node::ResolveServiceRequest{options.address, options.via, options.quorum}));
  world.terminal.record(answer.dump());
  const auto found = TRY(read_answer<node::ResolveAnswer>(answer));
  Terminal& out = world.terminal;
  if (out.json()) return kExitOk;
  const uint64_t now = uint64_t(time(nullptr));
  out.line(fmt::format("{} of {}, epoch {}, for {} more", printable(found.name), short_key(found.origin), found.epoch, format_seconds(found.expires > now ? found.expires - now : 0)));
  Table table({"endpoint", "at relay", "key", "speaks"});
  for (const object::IngressEndpoint& each : found.endpoints) table.row({each.handle.hex().substr(0, 12), short_key(each.relay), short_key(each.key), protocols_text(each.protocols)});
  if (table.empty()) out.line("It says of itself that it cannot be reached now.");
  else table.print(out);
  out.line(std::string("Who may come: ") + object::enum_name(found.policy.auth));
  if (found.asked.empty()) out.remark("Known from before; nobody was asked.");
  else print_said(out, found.asked);
  return kExitOk;
}

}  // namespace selvedge::cli
