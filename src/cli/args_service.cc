// Verbs about services: giving an existing one a key, and reaching one by its key.
#include "cli/args.h"

namespace selvedge::cli {

namespace {

void add_ways(CLI::App& verb, const std::shared_ptr<ProxyOptions>& options) {
  verb.add_option("ADDRESS", options->address, "fabric://KEY or fabric://KEY/path")->required();
  verb.add_option("--at", options->at, "a node that has the service: its ticket, or the beginning of a known peer's key; may be repeated")->type_name("TICKET");
  verb.add_option("--via", options->via, "a rendezvous that knows who has it; may be repeated")->type_name("TICKET");
}

}  // namespace

void add_service_verbs(CLI::App& app, Verb& chosen) {
  CLI::App* service = app.add_subcommand("service", "Services that others reach by key through this node.")->require_subcommand(1)->group("Services");
  const auto expose_options = std::make_shared<ExposeOptions>();
  CLI::App* expose = add_verb(*service, chosen, "expose", "Give an existing service a key of its own: whoever may reaches it by that, wherever this node is.",
                              "  selvedge service expose wiki --target 127.0.0.1:3000                this owner's machines only\n"
                              "  selvedge service expose wiki --target 127.0.0.1:3000 --for public\n"
                              "  selvedge service expose wiki --target 127.0.0.1:3000 --for gm9xk...5fo --for 8pinx...7to\n",
                              verb_of(expose_options, run_expose));
  expose->add_option("NAME", expose_options->name, "1 to 64 of a-z, 0-9, '-' and '.'; its key follows from it and from the owner's")->required();
  expose->add_option("--target", expose_options->target, "where it listens")->type_name("ADDR:PORT")->required();
  expose->add_option("--for", expose_options->access, "who may connect: owner (this owner's machines, the default), public (everybody), or an owner's key; keys may be several")->type_name("WHO");
  expose->add_option("--connections", expose_options->connections_max, "at once, at most; 0: no limit")->capture_default_str();
  const auto name = std::make_shared<ServiceNameOptions>();
  CLI::App* unexpose = add_verb(*service, chosen, "unexpose", "Take a service's key off this node. Its open connections end at once.", "  selvedge service unexpose wiki\n", verb_of(name, run_unexpose));
  unexpose->add_option("NAME", name->name, "as it was exposed")->required();
  add_verb(*service, chosen, "list", "What is exposed here, what was deployed from here, and what runs here for others.", "  selvedge service list\n", [](World& w) { return run_service_list(w); });
  const auto scale_options = std::make_shared<ScaleOptions>();
  CLI::App* scale = add_verb(*service, chosen, "scale", "Have so many machines run a service that was deployed from here.", "  selvedge service scale shop 3\n", verb_of(scale_options, run_service_scale));
  scale->add_option("NAME", scale_options->name, "as it was deployed")->required();
  scale->add_option("MACHINES", scale_options->replicas, "how many")->required();
  const auto add_named = [&](const char* verb, const char* about, CommandResult (*run)(World&, const ServiceNameOptions&)) {
    const auto options = std::make_shared<ServiceNameOptions>();
    CLI::App* added = add_verb(*service, chosen, verb, about, ("  selvedge service " + std::string(verb) + " shop\n").c_str(), verb_of(options, run));
    added->add_option("NAME", options->name, "as it was deployed")->required();
  };
  add_named("suspend", "No machine runs it until it is resumed; its key, its program and its settings stay.", run_service_suspend);
  add_named("resume", "Have a suspended service run again.", run_service_resume);
  add_named("state", "The state of a service that was deployed with --state: how much, how far, and which machines hold it.", run_service_state);
  add_named("remove", "Have no machine run it any more, for good. Its state is deleted.", run_service_remove);
  add_named("why", "How far a deployed service is, machine by machine, and why something is not as wanted.", run_service_why);

  const auto logs_options = std::make_shared<ServiceLogsOptions>();
  CLI::App* logs = add_verb(*service, chosen, "logs", "What a deployed service's programs wrote to standard error, on all machines, and why requests failed.",
                            "  selvedge service logs shop\n  selvedge service logs shop -f         until Ctrl-C\n", verb_of(logs_options, run_service_logs));
  logs->add_option("NAME", logs_options->name, "as it was deployed")->required();
  logs->add_flag("-f,--follow", logs_options->follow, "go on with what comes");

  const auto proxy_options = std::make_shared<ProxyOptions>();
  CLI::App* proxy = add_verb(app, chosen, "proxy", "Listen here for ordinary programs, and connect each of their connections to a service, which proves its key first.",
                             "  selvedge proxy --listen 127.0.0.1:8080 fabric://gm9xk...5fo --at selvedge1...\n"
                             "  selvedge proxy fabric://gm9xk...5fo --via selvedge1...           takes a free port, and says which\n",
                             verb_of(proxy_options, run_proxy));
  add_ways(*proxy, proxy_options);
  proxy->add_option("--listen", proxy_options->listen, "where; port 0 takes a free one")->type_name("ADDR:PORT")->capture_default_str();
  proxy->group("Services");
  const auto curl_options = std::make_shared<ProxyOptions>();
  CLI::App* curl = add_verb(app, chosen, "curl", "Get a page or file of a service by its key.",
                            "  selvedge curl fabric://gm9xk...5fo/index.html --at selvedge1...\n  selvedge curl fabric://gm9xk...5fo/data.bin --at selvedge1... -o data.bin\n", verb_of(curl_options, run_curl));
  add_ways(*curl, curl_options);
  curl->add_option("-o,--output", curl_options->output, "write it there instead of to standard output")->type_name("FILE");
  curl->group("Services");
}

}  // namespace selvedge::cli
