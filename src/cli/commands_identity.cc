// Verbs about who this node is to an origin.
#include <fmt/format.h>
#include <time.h>

#include "cli/commands.h"
#include "cli/units.h"

namespace selvedge::cli {

namespace {

constexpr size_t kTokenIdLength = 12;

std::string short_id_of(const crypto::Digest& id) { return id.hex().substr(0, kTokenIdLength); }

std::string time_left(uint64_t expires) {
  const uint64_t now = uint64_t(time(nullptr));
  return expires > now ? "in " + format_seconds(expires - now) : "now";
}

Result<std::string> token_text(const std::string& word) {
  if (word != "-") return word;
  std::string text;
  char piece[4096];
  size_t got = 0;
  while ((got = fread(piece, 1, sizeof piece, stdin)) > 0 && text.size() <= 2 * object::kObjectSizeMax) text.append(piece, got);
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ' || text.back() == '\r')) text.pop_back();
  return text;
}

}  // namespace

CommandResult run_identity_request(World& world, const IdentityRequestOptions& options) {
  node::IdentityRequest request;
  request.origin = options.origin;
  request.purpose = options.purpose;
  request.tier = options.tier;
  request.tier_min = options.tier_min;
  request.seconds = TRY(parse_seconds(options.duration));
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(request));
  world.terminal.record(answer.dump());
  const auto identity = TRY(read_answer<node::IdentityAnswer>(answer));
  Terminal& out = world.terminal;
  out.line("To " + short_key(identity.origin) + " this node is, until the day ends (UTC):");
  out.line("  node id  " + codec::key_text(identity.node_id));
  out.line(std::string("  tier     ") + object::enum_name(identity.tier));
  out.line("  expires  " + time_left(identity.expires) + (identity.lease ? ", or with lease " + short_id_of(*identity.lease) : ""));
  out.line("  token    " + to_hex(identity.token));
  if (!identity.degraded.empty()) out.remark("Less than was asked for: " + printable(identity.degraded));
  out.remark(fmt::format("This origin may ask {} more times now. Take the token back: selvedge identity withdraw {}", identity.left, short_id_of(identity.id)));
  return kExitOk;
}

CommandResult run_identity_list(World& world) {
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(node::IdentityListRequest{}));
  world.terminal.record(answer.dump());
  const auto list = TRY(read_answer<node::IdentityListAnswer>(answer));
  Terminal& out = world.terminal;
  if (out.json()) return kExitOk;
  out.line(std::string("Tier of this machine: ") + object::enum_name(list.tier_available) + (list.tier_missing.empty() ? "" : " (" + printable(list.tier_missing) + ")"));
  out.line(fmt::format("Privacy budget: {} more requests now, from all origins together.", list.left_in_all));
  Table origins({"origin", ">left", ">asked", ">refused", "purposes"});
  for (const node::IdentityOriginInfo& each : list.origins) {
    std::string purposes;
    for (const std::string& purpose : each.purposes) purposes += (purposes.empty() ? "" : ", ") + printable(purpose);
    origins.row({short_key(each.origin), std::to_string(each.left), std::to_string(each.asked), std::to_string(each.refused), purposes});
  }
  if (!origins.empty()) origins.print(out);
  Table tokens({"token", "origin", "node id", "tier", "purpose", "lease", "state", "expires"});
  for (const node::IdentityTokenInfo& each : list.tokens) {
    tokens.row({short_id_of(each.id), short_key(each.origin), short_key(each.node_id), object::enum_name(each.tier), printable(each.purpose),
                each.lease ? short_id_of(*each.lease) : "-", each.state, time_left(each.expires)});
  }
  if (tokens.empty()) out.line("No identity tokens are out.");
  else tokens.print(out);
  return kExitOk;
}

CommandResult run_identity_withdraw(World& world, const IdentityTokenOptions& options) {
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(node::IdentityWithdrawRequest{options.token}));
  world.terminal.record(answer.dump());
  const auto withdrawn = TRY(read_answer<node::IdentityWithdrawAnswer>(answer));
  world.terminal.line(fmt::format("Token {} is withdrawn; {} connected nodes of {} were told.", short_id_of(withdrawn.id), withdrawn.told, short_key(withdrawn.origin)));
  return kExitOk;
}

CommandResult run_identity_check(World& world, const IdentityCheckOptions& options) {
  node::IdentityCheckRequest request;
  request.token = TRY(token_text(options.token));
  request.tier_min = options.tier_min;
  request.endorsers = options.endorsers;
  request.believe_unendorsed = options.believe_unendorsed;
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(request));
  world.terminal.record(answer.dump());
  const auto checked = TRY(read_answer<node::IdentityCheckAnswer>(answer));
  Terminal& out = world.terminal;
  out.line("A good token of " + codec::key_text(checked.node_id) + " for " + printable(checked.purpose) + ".");
  out.line(std::string("  proves   ") + object::enum_name(checked.tier) + (checked.endorsed ? ", endorsed" : ""));
  out.line("  expires  " + time_left(checked.expires) + (checked.lease ? ", or with lease " + short_id_of(*checked.lease) : ""));
  if (checked.tier < checked.tier_claimed) {
    out.remark(std::string("It claims ") + object::enum_name(checked.tier_claimed) + ", which nobody named with --endorser stands for.");
  }
  return kExitOk;
}

}  // namespace selvedge::cli
