// Verbs about what pages may have done.
#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/shared.h"
#include "cli/units.h"

namespace selvedge::cli {

namespace {

std::string limits_text(const node::PageLimits& limits) {
  return fmt::format("{} a minute for each visitor, {} together; {} fuel, {} memory, {}; {} owners agree, up to {}; {} s", limits.visitor_per_minute, limits.per_minute,
                     limits.fuel_limit, format_bytes(limits.memory_bytes), limits.input_bytes_max == 0 ? "arguments only" : format_bytes(limits.input_bytes_max) + " input",
                     limits.verify, limits.verify_max, limits.seconds_max);
}

}  // namespace

CommandResult run_web_publish(World& world, const WebPublishOptions& options) {
  const node::FileName module = TRY(module_file(options.program));
  node::PagePublishRequest request{options.name, module.path, module.size, options.zone, options.limits};
  request.limits.memory_bytes = TRY(parse_bytes(options.memory));
  request.limits.input_bytes_max = options.input == "0" ? 0 : TRY(parse_bytes(options.input));
  request.limits.seconds_max = TRY(parse_seconds(options.timeout));
  request.limits.verify_max = std::max(request.limits.verify_max, request.limits.verify);
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(request));
  world.terminal.record(answer.dump());
  const auto program = TRY(read_answer<node::PageProgramInfo>(answer));
  world.terminal.line("Pages may have " + program.name + " run now: node.submit({type: '" + program.name + "'})");
  world.terminal.remark("  " + program.module.text() + "\n  " + limits_text(program.limits));
  return kExitOk;
}

CommandResult run_web_list(World& world) {
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(node::PageListRequest{}));
  world.terminal.record(answer.dump());
  const auto list = TRY(read_answer<node::PageListAnswer>(answer));
  if (list.programs.empty()) world.terminal.line("Pages may have nothing run here. selvedge web publish NAME PROGRAM.wasm");
  Table table({"for pages", ">asked", ">done", ">refused", "each job", "program"});
  for (const node::PageProgramInfo& each : list.programs) {
    table.row({each.name, std::to_string(each.asked), std::to_string(each.done), std::to_string(each.refused), limits_text(each.limits), each.module.text()});
  }
  if (!table.empty()) table.print(world.terminal);
  return kExitOk;
}

CommandResult run_web_withdraw(World& world, const ServiceNameOptions& options) {
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(node::PageWithdrawRequest{options.name}));
  world.terminal.record(answer.dump());
  world.terminal.line("No page has " + options.name + " run here any more.");
  return kExitOk;
}

}  // namespace selvedge::cli
