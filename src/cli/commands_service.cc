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
  const Json records = answer.at("services");
  for (size_t i = 0; i < records.size(); ++i) world.terminal.record(records.item(i).dump());
  const auto list = TRY(read_answer<node::ServiceListAnswer>(answer));
  Table table({"name", "address", "target", "for", "open", "ever", "refused", "in", "out"});
  for (const node::ServiceInfo& each : list.services) {
    table.row({each.name, each.address, printable(each.target), who(each), fmt::format("{}", each.connections), fmt::format("{}", each.connections_ever), fmt::format("{}", each.refused),
               format_bytes(each.bytes_in), format_bytes(each.bytes_out)});
  }
  if (table.empty()) world.terminal.line("This node exposes no service. To give one a key: selvedge service expose NAME --target 127.0.0.1:3000");
  else table.print(world.terminal);
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
