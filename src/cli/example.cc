// selvedge example: a page to open in a browser, and the nodes behind it, in a folder that goes when it ends.
#include <fmt/format.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>

#include "cli/demo_fabric.h"
#include "cli/demo_script.h"
#include "cli/shared.h"
#include "host/daemon/dash_assets.h"

namespace selvedge::cli {

namespace {

constexpr const char* kSite = "site";
constexpr const char* kVisitor = "visitor";
constexpr const char* kHosts[] = {"anna", "boris", "chen"};
constexpr int kPatienceMs = 60'000;
constexpr int kLookMs = 30;

struct Example {
  const char* name;
  const char* about;
  size_t hosts;
  const char* path;        // of its page at the site's door
  /// What it needs beyond a fabric. Returns where the page is, if not at the door.
  Result<std::string> (*prepare)(Fabric&);
};

Status publish(Fabric& fabric, const char* name, const char* guest, const node::PageLimits& limits) {
  const std::string path = TRY(find_guest(guest));
  std::error_code code;
  const uint64_t size = std::filesystem::file_size(path, code);
  if (code) return fail(Errc::kIo, path + ": " + code.message());
  TRY(fabric.at(kSite).client->ask_json(node::PagePublishRequest{name, path, size, "private", limits}));
  return ok();
}

Result<std::string> prepare_nothing(Fabric&) { return std::string(); }

Result<std::string> prepare_consumer(Fabric& fabric) {
  node::PageLimits limits;
  limits.visitor_per_minute = 60;
  limits.input_bytes_max = 64u << 10;
  TRY(publish(fabric, "textstats", "textstats", limits));
  return std::string();
}

Result<std::string> prepare_tiles(Fabric& fabric) {
  node::PageLimits limits;
  limits.visitor_per_minute = 2000;
  limits.per_minute = 4000;
  TRY(publish(fabric, "tile", "mandelbrot", limits));
  return std::string();
}

Result<std::string> prepare_transparency(Fabric& fabric) {
  node::PageLimits limits;
  limits.visitor_per_minute = 60;
  limits.input_bytes_max = 64u << 10;
  limits.verify_max = 4;
  TRY(publish(fabric, "textstats", "textstats", limits));
  return std::string();
}

/// The site deploys a service on machines of others; somebody else's node reaches it by its key, and gives it to the browser.
Result<std::string> prepare_chat(Fabric& fabric) {
  const std::string path = TRY(find_guest("chat"));
  std::error_code code;
  node::DeployRequest deploy;
  deploy.name = "chat";
  deploy.module = {path, "chat.wasm", std::filesystem::file_size(path, code)};
  if (code) return fail(Errc::kIo, path + ": " + code.message());
  // Its page, as the door would serve it; the program passes it on as it is.
  for (const host::DashAsset& asset : host::sdk_assets()) {
    const std::string name = asset.path == "/examples/chat" ? "index.html" : asset.path == "/examples/chat.js" ? "chat.js" : asset.path == "/examples/style.css" ? "style.css" : "";
    if (name.empty()) continue;
    const std::string file = fabric.dir() + "/" + name;
    TRY(write_private(file, view(asset.content)));
    deploy.files.push_back({file, name, asset.content.size()});
  }
  deploy.access = "public";
  const auto service = TRY(read_answer<node::DeploymentInfo>(TRY(fabric.at(kSite).client->ask_json(deploy))));
  if (service.machines.empty()) return fail(Errc::kUnavailable, "no machine took the service: " + service.why);
  node::ProxyRequest proxy;
  proxy.address = service.address;
  proxy.listen = "127.0.0.1:0";
  for (const char* host : kHosts) proxy.at.push_back(TRY(fabric.at(host).client->ask(node::TicketRequest{})).ticket);
  Client& visitor = *fabric.at(kVisitor).client;
  const uint64_t id = TRY(visitor.send(proxy));
  for (;;) {
    const Client::Message message = TRY(visitor.next());
    if (message.id != id) continue;
    const Json body = TRY(message.body);
    if (message.progress) return "http://" + TRY(read_answer<node::ProxyAnswer>(body)).listening + "/";
  }
}

constexpr Example kExamples[] = {
    {"contributor", "a page whose visitor lends a part of their device", 1, "/", prepare_nothing},
    {"consumer", "a page that has a text counted by others' machines, and checks who signed for it", 3, "/examples/consumer", prepare_consumer},
    {"tiles", "a picture worked out tile by tile, by machines and by every tab that lends itself", 3, "/examples/tiles", prepare_tiles},
    {"chat", "a chat without a server: a service on machines of others, reached by its key", 3, "", prepare_chat},
    {"transparency", "what a tab did for others, in a log that the page checks itself", 2, "/examples/transparency", prepare_transparency},
};

CommandResult list_examples(Terminal& terminal) {
  for (const Example& each : kExamples) {
    terminal.line(fmt::format("{:<14}{}", each.name, each.about));
    terminal.record(Record().text("name", each.name).text("about", each.about).json());
  }
  return kExitOk;
}

Status until(Fabric& fabric, const std::string& what, const std::function<Result<bool>()>& holds) {
  for (const uint64_t deadline = wall_ms() + kPatienceMs;;) {
    if (TRY(holds())) return ok();
    if (wall_ms() > deadline) return fail(Errc::kTimeout, what + " did not come true within " + std::to_string(kPatienceMs / 1000) + " s");
    TRY(fabric.interrupt().pause(kLookMs));
  }
}

/// The site, and machines of others that lend to it.
Status start_fabric(Fabric& fabric, const Example& example, const std::string& web) {
  TRY(fabric.make(kSite, ""));
  fabric.at(kSite).web = web;
  for (size_t i = 0; i < example.hosts; ++i) {
    TRY(fabric.make(kHosts[i], ""));
    fabric.at(kHosts[i]).web = "127.0.0.1:0";
  }
  if (*example.path == 0) TRY(fabric.make(kVisitor, ""));
  for (auto& node : fabric.nodes()) TRY(fabric.start(*node));
  Client& site = *fabric.at(kSite).client;
  for (size_t i = 0; i < example.hosts; ++i) {
    Client& host = *fabric.at(kHosts[i]).client;
    node::GrantGiveRequest grant;
    grant.origin = fabric.at(kSite).owner;
    grant.cpu_permille = 1000;
    grant.seconds = 86'400;
    TRY(host.ask(grant));
    TRY(site.ask(node::PeerAddRequest{TRY(host.ask(node::TicketRequest{})).ticket}));
  }
  return until(fabric, "a fabric of the nodes here", [&]() -> Result<bool> {
    const auto list = TRY(site.ask(node::GrantListRequest{}));
    const auto active = std::count_if(list.grants.begin(), list.grants.end(), [](const node::GrantInfo& g) { return !g.given && g.state == "active"; });
    return size_t(active) == example.hosts;
  });
}

std::string page_of(Fabric& fabric, const Example& example) {
  std::string out = fabric.at(kSite).web + example.path;
  for (size_t i = 0; i < example.hosts; ++i) out += (i == 0 ? "?relay=" : "&relay=") + fabric.at(kHosts[i]).web;
  return out;
}

}  // namespace

CommandResult run_example(World& world, const ExampleOptions& options) {
  if (options.name.empty()) return list_examples(world.terminal);
  const auto example = std::find_if(std::begin(kExamples), std::end(kExamples), [&](const Example& each) { return options.name == each.name; });
  if (example == std::end(kExamples)) return fail(Errc::kNotFound, "there is no example \"" + options.name + "\"; selvedge example shows them");
  const Interrupt interrupt;
  const char* temporary = getenv("TMPDIR");
  const ScratchDir stage = TRY(ScratchDir::make(temporary != nullptr && *temporary != 0 ? temporary : "/tmp", "selvedge-example-"));
  world.terminal.remark("Starting what it needs ...");
  Fabric fabric(stage.path(), interrupt);
  const auto play = [&]() -> Status {
    TRY(start_fabric(fabric, *example, options.web));
    const std::string elsewhere = TRY(example->prepare(fabric));
    const std::string page = elsewhere.empty() ? page_of(fabric, *example) : elsewhere;
    world.terminal.line("Open  " + page);
    world.terminal.remark("Ctrl-C ends it, and everything that it made.");
    world.terminal.record(Record().text("page", page).text("home", stage.path()).json());
    TRY(world.terminal.finish());
    return interrupt.pause(-1);
  };
  const Status played = play();
  world.terminal.remark("");
  // Ctrl-C is how it ends; the nodes end with the fabric, and the folder with this function.
  if (!played.ok() && played.error().code != Errc::kCancelled) return played.error();
  return kExitOk;
}

}  // namespace selvedge::cli
