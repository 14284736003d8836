// Permissions asked, answered and withdrawn, and revocations.
#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/shared.h"
#include "cli/units.h"

namespace selvedge::cli {

namespace {

std::string amounts_of(const node::RequestInfo& info) {
  std::string out;
  if (info.cpu_permille > 0) out += fmt::format("{:g}% cpu, {}", info.cpu_permille / 10.0, format_bytes(info.memory_bytes));
  if (info.storage_bytes > 0) out += (out.empty() ? "" : ", ") + format_bytes(info.storage_bytes) + " disk";
  return out;
}

/// Whether a person has said yes or no to all of it.
bool answered(const node::RequestInfo& info) {
  const auto set = [](const std::string& names) { return object::parse_class_names(names).value_or(0); };
  return (set(info.wanted) & ~(set(info.allowed) | set(info.refused))) == 0;
}

void print_answered(World& world, const node::RequestInfo& info) {
  std::string text = "Request " + info.id.hex().substr(0, 12) + ":";
  if (!info.allowed.empty()) text += " allowed " + info.allowed + ".";
  if (!info.refused.empty()) text += " refused " + info.refused + ".";
  world.terminal.line(text);
}

}  // namespace

CommandResult run_grant_ask(World& world, const GrantAskOptions& options) {
  node::GrantAskRequest request;
  request.node = options.node;
  request.classes = options.classes;
  request.cpu_permille = TRY(parse_cpu_permille(options.cpu));
  request.memory_bytes = TRY(parse_bytes(options.memory));
  request.storage_bytes = TRY(parse_bytes(options.storage));
  request.seconds = TRY(parse_seconds(options.duration));
  request.purpose = options.why;
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(request));
  world.terminal.record(answer.dump());
  const auto info = TRY(read_answer<node::RequestInfo>(answer));
  world.terminal.line("Asked " + short_key(info.node) + " for " + info.wanted + ". Its owner sees it with selvedge grant requests; so do you, with what was answered.");
  return kExitOk;
}

CommandResult run_grant_requests(World& world) {
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(node::GrantRequestsRequest{}));
  for (const char* list : {"requests", "decisions"}) {
    for (size_t i = 0; i < answer.at(list).size(); ++i) world.terminal.record(answer.at(list).item(i).dump());
  }
  const auto all = TRY(read_answer<node::GrantRequestsAnswer>(answer));
  Table table({"request", "direction", "with", "asks for", "amounts", "for", "allowed", "refused", "why"});
  for (const node::RequestInfo& info : all.requests) {
    table.row({info.id.hex().substr(0, 12), info.asked ? "asked" : answered(info) ? "answered" : "to answer", short_key(info.asked ? info.node : info.origin), info.wanted, amounts_of(info),
               format_seconds(info.seconds), info.allowed, info.refused, printable(info.purpose)});
  }
  if (table.empty()) world.terminal.line("Nobody asks this machine for anything, and it asks nobody. Ask: selvedge grant ask NODE --classes storage");
  else table.print(world.terminal);
  if (all.decisions.empty()) return kExitOk;
  Table remembered({"remembered for", "permission", "answer", "until"});
  for (const node::DecisionInfo& decision : all.decisions) {
    remembered.row({short_key(decision.origin), decision.permission, decision.allowed ? "yes" : "no", when(decision.expires)});
  }
  world.terminal.line("");
  remembered.print(world.terminal);
  return kExitOk;
}

CommandResult run_grant_answer(World& world, const GrantAnswerOptions& options) {
  node::GrantAnswerRequest request{options.request, options.allow, options.refuse, 0};
  if (!options.remember.empty()) request.remember_seconds = TRY(parse_seconds(options.remember));
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(request));
  world.terminal.record(answer.dump());
  print_answered(world, TRY(read_answer<node::RequestInfo>(answer)));
  return kExitOk;
}

CommandResult run_grant_withdraw(World& world, const GrantAnswerOptions& options) {
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(node::GrantWithdrawRequest{options.request, options.allow}));
  world.terminal.record(answer.dump());
  world.terminal.line(fmt::format("Withdrawn: {} for that origin. {} leases ended; the next request is asked about again.", options.allow, answer.at("revoked").number()));
  return kExitOk;
}

CommandResult run_revoke(World& world, const RevokeOptions& options) {
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(node::RevokeRequest{options.kind, options.target, options.reason, options.cutoff}));
  world.terminal.record(answer.dump());
  world.terminal.line(fmt::format("Revoked {} {}... for good, from {}. {} connected nodes were told; others hear of it when they connect.", options.kind,
                                  answer.at("target").text().substr(0, 12), options.cutoff == 0 ? std::string("now") : when(options.cutoff), answer.at("told").number()));
  return kExitOk;
}

CommandResult run_revoke_list(World& world) {
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(node::RevocationsRequest{}));
  const Json list = answer.at("revocations");
  for (size_t i = 0; i < list.size(); ++i) world.terminal.record(list.item(i).dump());
  Table table({"revoked", "id", "by", "reason", "from"});
  for (const node::RevocationInfo& each : TRY(read_answer<node::RevocationsAnswer>(answer)).revocations) {
    table.row({each.kind, each.target.hex().substr(0, 16), short_key(each.issuer), each.reason, when(each.cutoff)});
  }
  if (table.empty()) world.terminal.line("Nothing that concerns this node was revoked.");
  else table.print(world.terminal);
  return kExitOk;
}

}  // namespace selvedge::cli
