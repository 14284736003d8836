// Verbs about services: giving an existing one a key, and reaching one by its key.
#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "cli/commands.h"
#include "cli/shared.h"
#include "cli/units.h"
#include "host/net/hints.h"

namespace selvedge::cli {

namespace {

node::ProxyRequest request_of(const ProxyOptions& options) { return {options.address, options.listen, options.at, options.via}; }

/// Has the node listen for a service; where. The request goes on standing.
Result<std::string> begin_proxy(Client& client, const ProxyOptions& options) {
  const uint64_t id = TRY(client.send(request_of(options)));
  for (;;) {
    const Client::Message message = TRY(client.next());
    if (message.id != id) continue;
    const Json body = TRY(message.body);
    if (message.progress) return TRY(read_answer<node::ProxyAnswer>(body)).listening;
  }
}

std::string who(const node::ServiceInfo& service) {
  if (service.access != "keys") return service.access;
  std::string out;
  for (const crypto::PublicKey& each : service.owners) out += (out.empty() ? "" : ", ") + short_key(each);
  return out;
}

}  // namespace

CommandResult run_expose(World& world, const ExposeOptions& options) {
  node::ExposeRequest request{options.name, options.target, "owner", {}, options.connections_max};
  for (const std::string& each : options.access) {
    if (each == "public" || each == "owner") request.access = each;
    else request.access = "keys", request.owners.push_back(each);
  }
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(request));
  world.terminal.record(answer.dump());
  const auto service = TRY(read_answer<node::ServiceInfo>(answer));
  world.terminal.line(service.address);
  world.terminal.remark("Whoever may (" + who(service) + ") reaches it by that address at this node: selvedge proxy " + service.address + " --at TICKET");
  return kExitOk;
}

CommandResult run_unexpose(World& world, const ServiceNameOptions& options) {
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(node::UnexposeRequest{options.name}));
  world.terminal.record(answer.dump());
  world.terminal.line("Nobody reaches " + options.name + " here any more; its open connections ended.");
  return kExitOk;
}

CommandResult run_service_list(World& world) {
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(node::ServiceListRequest{}));
  for (const char* part : {"services", "hosted", "deployed"}) {
    const Json records = answer.at(part);
    for (size_t i = 0; i < records.size(); ++i) world.terminal.record(records.item(i).dump());
  }
  const auto list = TRY(read_answer<node::ServiceListAnswer>(answer));
  Table exposed({"exposed here", "address", "target", "for", "open", "ever", "refused", "in", "out"});
  for (const node::ServiceInfo& each : list.services) {
    exposed.row({each.name, each.address, printable(each.target), who(each), fmt::format("{}", each.connections), fmt::format("{}", each.connections_ever), fmt::format("{}", each.refused),
                 format_bytes(each.bytes_in), format_bytes(each.bytes_out)});
  }
  Table deployed({"deployed", "address", "wanted", "serving", "for", "why not"});
  for (const node::DeploymentInfo& each : list.deployed) {
    deployed.row({each.name, each.address, each.suspended ? "suspended" : std::to_string(each.replicas), std::to_string(each.serving), each.access, printable(each.why)});
  }
  Table hosted({"running here", "origin", "lease", "stage", ">requests", ">failed", "problem"});
  for (const node::HostedInfo& each : list.hosted) {
    hosted.row({printable(each.name), short_key(each.origin), each.lease.hex().substr(0, 10), each.stage, std::to_string(each.requests), std::to_string(each.failed), printable(each.problem)});
  }
  for (const Table* table : {&exposed, &deployed, &hosted}) {
    if (!table->empty()) table->print(world.terminal);
  }
  if (exposed.empty() && deployed.empty() && hosted.empty()) {
    world.terminal.line("No service. To give one that runs here a key: selvedge service expose NAME --target 127.0.0.1:3000");
    world.terminal.line("To have machines of others run a program as one: selvedge deploy NAME PROGRAM.wasm");
  }
  return kExitOk;
}

namespace {

void print_deployment(Terminal& out, const node::DeploymentInfo& info) {
  out.line(info.address);
  Table table({"machine", "owner", "stage", ">requests", ">failed", ""});
  for (const auto& each : info.machines) table.row({short_key(each.node), short_key(each.owner), each.stage, std::to_string(each.requests), std::to_string(each.failed), printable(each.message)});
  if (!table.empty()) table.print(out);
  if (info.suspended) out.line("It is suspended: no machine runs it (selvedge service resume " + info.name + ").");
  else if (info.why.empty()) out.line(fmt::format("All is as wanted: {} of {} machines run it.", info.serving, info.replicas));
  else out.line("Not yet as wanted: " + printable(info.why) + ".");
}

template <class Request>
CommandResult change_deployment(World& world, const Request& request, const std::string& done) {
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(request));
  world.terminal.record(answer.dump());
  world.terminal.line(done);
  return kExitOk;
}

}  // namespace

CommandResult run_deploy(World& world, const DeployOptions& options) {
  const Interrupt interrupt;
  const auto client = TRY(Client::connect(world.home, &interrupt));
  const ScratchDir scratch = TRY(scratch_in_home(world.home, "deploy-"));
  const node::RunRequest program = TRY(program_request(options.run, scratch.path(), true));
  if (!program.file_cids.empty()) return fail(Errc::kInvalid, "a service's files are named by their paths");
  node::DeployRequest request;
  request.name = options.name;
  request.module = {program.module.path, program.module.name, program.module.size};
  for (const node::FileName& file : program.files) request.files.push_back({file.path, file.name, file.size});
  request.manifest = program.manifest;
  request.entry = program.entry;
  request.args = program.args;
  request.environment = program.environment;
  request.zone = program.zone;
  request.replicas = options.replicas;
  request.connections_max = options.connections_max;
  request.state = options.state;
  request.fuel_limit = program.fuel_limit;
  request.memory_bytes = program.memory_bytes;
  for (const std::string& each : options.access) {
    if (each == "public" || each == "owner") request.access = each;
    else request.access = "keys", request.owners.push_back(each);
  }
  const uint64_t id = TRY(client->send(request));
  std::string told;
  for (;;) {
    const Client::Message message = TRY(client->next());
    if (message.id != id) continue;
    const Json body = TRY(message.body);
    const auto info = TRY(read_answer<node::DeploymentInfo>(body));
    if (message.progress && !options.no_wait) {
      if (info.why != told) world.terminal.remark(printable(info.why) + " ...");
      told = info.why;
      continue;
    }
    world.terminal.record(body.dump());
    print_deployment(world.terminal, info);
    return kExitOk;
  }
}

CommandResult run_service_scale(World& world, const ScaleOptions& options) {
  return change_deployment(world, node::ScaleRequest{options.name, options.replicas}, fmt::format("{} is to run on {} machines. selvedge service why {} says how far it is.", options.name, options.replicas, options.name));
}
CommandResult run_service_suspend(World& world, const ServiceNameOptions& options) {
  return change_deployment(world, node::SuspendRequest{options.name, true}, options.name + " is suspended: no machine runs it.");
}
CommandResult run_service_resume(World& world, const ServiceNameOptions& options) {
  return change_deployment(world, node::SuspendRequest{options.name, false}, options.name + " is to run again. selvedge service why " + options.name + " says how far it is.");
}
CommandResult run_service_remove(World& world, const ServiceNameOptions& options) {
  return change_deployment(world, node::RemoveServiceRequest{options.name}, options.name + " is wanted no longer; machines that run it are told.");
}

static std::string time_of_ms(uint64_t ms) {
  return fmt::format("{:02}:{:02}:{:02}.{:03}", ms / 3'600'000 % 24, ms / 60'000 % 60, ms / 1000 % 60, ms % 1000);
}

CommandResult run_service_logs(World& world, const ServiceLogsOptions& options) {
  const Interrupt interrupt;
  const auto client = TRY(Client::connect(world.home, &interrupt));
  constexpr int kLookEveryMs = 500;
  for (uint64_t after = 0;;) {
    const Json answer = TRY(client->ask_json(node::ServiceLogsRequest{options.name, after}));
    const auto logs = TRY(read_answer<node::ServiceLogsAnswer>(answer));
    for (size_t i = 0; i < logs.lines.size(); ++i) {
      const node::ServiceLogsAnswer::Line& line = logs.lines[i];
      world.terminal.record(answer.at("lines").item(i).dump());
      world.terminal.line(fmt::format("{}  {}  {}", time_of_ms(line.at_ms), line.node.brief(), printable(line.text)));
      after = line.number;
    }
    if (!options.follow) {
      if (after == 0) world.terminal.remark("Nothing yet: what its programs write to standard error is here two seconds later.");
      return kExitOk;
    }
    TRY(world.terminal.finish());
    if (!interrupt.pause(kLookEveryMs).ok()) return kExitOk;
  }
}

CommandResult run_service_why(World& world, const ServiceNameOptions& options) {
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(node::ServiceListRequest{}));
  const auto list = TRY(read_answer<node::ServiceListAnswer>(answer));
  for (size_t i = 0; i < list.deployed.size(); ++i) {
    if (list.deployed[i].name != options.name) continue;
    world.terminal.record(answer.at("deployed").item(i).dump());
    print_deployment(world.terminal, list.deployed[i]);
    return kExitOk;
  }
  return fail(Errc::kNotFound, "no service \"" + options.name + "\" was deployed from here (selvedge service list)");
}

CommandResult run_service_state(World& world, const ServiceNameOptions& options) {
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(node::ServiceStateRequest{options.name}));
  const auto state = TRY(read_answer<node::ServiceStateAnswer>(answer));
  world.terminal.record(answer.dump());
  world.terminal.line(fmt::format("{} keys, {} sealed, after {} writes; term {}", state.keys, format_bytes(state.bytes), state.sequence, state.term));
  Table table({"machine", "role", ">last write", ""});
  for (const auto& each : state.holders) table.row({short_key(each.node), each.role, std::to_string(each.sequence), each.connected ? "" : "not connected"});
  if (!table.empty()) table.print(world.terminal);
  if (!state.why.empty()) world.terminal.line("Not yet as wanted: " + printable(state.why) + ".");
  return kExitOk;
}

CommandResult run_proxy(World& world, const ProxyOptions& options) {
  const Interrupt interrupt;
  const auto client = TRY(Client::connect(world.home, &interrupt));
  const std::string at = TRY(begin_proxy(*client, options));
  world.terminal.record(codec::to_json_text(node::ProxyAnswer{at, ""}));
  world.terminal.line(at);
  world.terminal.remark("Connections there reach " + options.address + ", which proves its key first. Ctrl-C ends it.");
  TRY(world.terminal.finish());
  for (;;) {
    const Result<Client::Message> message = client->next();
    if (!message.ok() && message.code() == Errc::kCancelled) return kExitOk;
    TRY(message);
    const auto said = TRY(read_answer<node::ProxyAnswer>(TRY(message->body)));
    world.terminal.record(codec::to_json_text(said));
    if (!said.problem.empty()) world.terminal.remark("A connection failed: " + printable(said.problem));
  }
}

CommandResult run_curl(World& world, const ProxyOptions& options) {
  const auto address = TRY(object::parse_service_address(options.address));
  const auto client = TRY(Client::connect(world.home, nullptr));
  const std::string at = TRY(begin_proxy(*client, options));
  const auto close = [](FILE* file) { fclose(file); };
  std::unique_ptr<FILE, decltype(close)> file(nullptr, close);
  if (!options.output.empty()) {
    file.reset(fopen(options.output.c_str(), "wb"));
    if (file == nullptr) return fail(Errc::kIo, "cannot write " + options.output);
  }
  const Result<long> got = host::http_get("http://" + at + address.path, [&](ByteView bytes) -> Status {
    if (file == nullptr) return world.terminal.write_raw({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    if (fwrite(bytes.data(), 1, bytes.size(), file.get()) == bytes.size()) return ok();
    return fail(Errc::kIo, "cannot write " + options.output);
  });
  if (!got.ok() && got.code() == Errc::kUnavailable && client->waiting(500)) {
    const Client::Message message = TRY(client->next());
    return fail(Errc::kUnavailable, "the service was not reached: " + printable(TRY(read_answer<node::ProxyAnswer>(TRY(message.body))).problem));
  }
  const long status = TRY(got);
  if (status >= 400) return fail(status == 404 ? Errc::kNotFound : status == 401 || status == 403 ? Errc::kUnauthorized : Errc::kUnavailable, fmt::format("the service answered with HTTP status {}", status));
  return kExitOk;
}

}  // namespace selvedge::cli
