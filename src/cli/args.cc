// The command line, and the help that teaches it: the everyday verbs. The other args_*.cc add theirs.
#include <fmt/format.h>

#include "cli/args.h"
#include "cli/files.h"

namespace selvedge::cli {

namespace {

constexpr const char* kAbout =
    "Selvedge: one fabric for computing and storing, out of machines that different people own.\n"
    "\n"
    "Nothing runs or is stored on a machine without a grant that its owner signed and can take back; every result is\n"
    "checked by machines of different owners; every byte travels and rests encrypted.\n"
    "\n"
    "Start here:\n"
    "  selvedge demo                    see all of it on this machine, in a minute or two\n"
    "  selvedge init                    make a node: its keys and its folder\n"
    "  selvedge up                      start it, in the foreground\n"
    "  selvedge status                  (in another terminal) see how it is\n"
    "\n"
    "Lend a machine to someone:         selvedge grant give THEIR_OWNER_KEY --cpu 50% --memory 256M --storage 1G --for 1h\n"
    "                                   selvedge ticket         (send it to them)\n"
    "Use machines lent to you:          selvedge peer add TICKET\n"
    "                                   selvedge put FILE; selvedge get CID -o FILE\n"
    "                                   selvedge run PROGRAM.wasm < INPUT > OUTPUT\n";

std::string footer() {
  return "Files: --home DIR, else $SELVEDGE_HOME, else ~/.selvedge, holds keys, store, socket and log of a node.\n"
         "With --json every verb prints one JSON record a line, and errors as {\"error\":{\"code\",\"message\"}} on standard error.\n"
         "\n"
         "Exit codes:\n" + exit_code_table() +
         "\nselvedge VERB --help explains a verb, with examples.";
}

/// Everything the options are written into while the line is parsed, and the verb that was named.
struct Line {
  std::string home;
  bool json = false;
  InitOptions init;
  UpOptions up;
  PutOptions put;
  GetOptions get;
  RunOptions run;
  DeployOptions deploy;
  RunOptions map;
  TraceOptions trace;
  DemoOptions demo;
  std::vector<std::string> command;
  Verb verb;
};

// Arguments of a guest or a command come after "--"; they are cut off before CLI11 sees the line, so that no option of ours can catch one.
struct SplitLine {
  std::vector<std::string> own;    // in reverse, as CLI11 wants it
  std::vector<std::string> guest;
};

SplitLine split_line(int argc, char** argv) {
  SplitLine out;
  std::vector<std::string> words(argv + 1, argv + argc);
  size_t verb = 0;
  while (verb < words.size() && words[verb].starts_with("-")) verb += words[verb] == "--home" ? 2 : 1;
  const bool uses = verb + 1 < words.size() && words[verb] == "secret" && words[verb + 1] == "use";
  const bool runs = uses || (verb < words.size() && (words[verb] == "run" || words[verb] == "map" || words[verb] == "deploy" || words[verb] == "trace"));
  auto cut = runs ? std::find(words.begin(), words.end(), "--") : words.end();
  if (cut != words.end()) out.guest.assign(cut + 1, words.end());
  out.own.assign(std::make_reverse_iterator(cut), words.rend());
  return out;
}

void add_node_verbs(CLI::App& app, Line& line) {
  CLI::App* init = add_verb(app, line.verb, "init", "Make a node: a folder with its keys.",
                            "  selvedge init\n  selvedge --home /srv/selvedge init\n"
                            "  selvedge init --owner gm9xk...5fo --label phone      a further device of an owner whose key stays on another one\n",
                            [&line](World& w) { return run_init(w, line.init); });
  init->add_option("--owner", line.init.owner, "whose further device this is (selvedge status on the first one shows the key)")->type_name("KEY");
  init->add_option("--label", line.init.label, "what to call this device; without it, the machine's name")->type_name("NAME");
  init->group("A node");
  CLI::App* up = add_verb(app, line.verb, "up", "Run the node in the foreground, until Ctrl-C or selvedge stop.",
                          "  selvedge up\n"
                          "  selvedge up --listen 192.0.2.7:7443      be reachable by others at this address (UDP)\n"
                          "  selvedge up --listen 0.0.0.0:7443 --map-port   behind a home router\n"
                          "  selvedge up --listen 192.0.2.7:7443 --role relay --role rendezvous\n"
                          "  selvedge up --pkarr-relay 192.0.2.7:8080  keep for others where their nodes are: announce on --to pkarr:http://192.0.2.7:8080\n"
                          "  selvedge up --web 127.0.0.1:8200         let browsers lend a hand: <script type=module> from /sdk/edge.js\n"
                          "  selvedge up --tpm device:/dev/tpmrm0     let the machine's TPM vouch for identity tokens\n"
                          "  selvedge --json up                       the ready line as JSON, for programs that wait for it\n",
                          [&line](World& w) { return run_up(w, line.up); });
  up->add_option("--listen", line.up.listen, "address and UDP port to be reached at; port 0 takes a free one")->type_name("ADDR:PORT")->capture_default_str();
  up->add_option("--advertise", line.up.advertise, "where others reach this node, for its tickets, when that is not where it listens: a forwarded port, say; may be repeated, and much data goes over all of them at once")->type_name("ADDR:PORT");
  up->add_flag("--map-port", line.up.map_port, "ask the router for a port that leads here (NAT-PMP, then UPnP), so that others reach this node behind it; renewed, and given back at the end. selvedge status shows the address");
  up->add_option("--tpm", line.up.tpm, "how the TPM 2.0 of this machine is reached; without it identities are of tier software")->type_name("TCTI");
  up->add_option("--isolation", line.up.isolation, "run each program in a locked-down process, or that in a QEMU microVM of its own; selvedge doctor says which boot here")
      ->check(CLI::IsMember({"process", "microvm"}))->capture_default_str();
  up->add_option("--paths", line.up.paths, "ways to peers: direct-only (never through a relay), prefer-direct (through a relay at first, then both show each other their addresses and try without), relay-ok (as the peer's ticket says; no address is shown)")
      ->check(CLI::IsMember({"direct-only", "prefer-direct", "relay-ok"}))->capture_default_str();
  up->add_option("--find", line.up.find, "whom to ask where a node is, by its key: lan (this network), pkarr:https://RELAY and dht (the Mainline DHT; or dht:HOST:PORT, a node of it), then dns:SUFFIX or dns:SUFFIX@SERVER:PORT; may be repeated. What they say is checked")->type_name("SOURCE");
  up->add_option("--role", line.up.roles, "what this node gives to everybody who asks: relay (passes on packets of those who cannot reach each other), rendezvous (tells where services are); may be repeated")
      ->check(CLI::IsMember({"relay", "rendezvous"}))->type_name("ROLE");
  up->add_option("--dash", line.up.dash, "where the dashboard is, on this machine only; off: nowhere")->type_name("ADDR:PORT|off")->capture_default_str();
  up->add_option("--web", line.up.web, "let browsers in at this TCP address: pages load /sdk/edge.js from it and, where their visitor agrees, become machines that work for this owner")->type_name("ADDR:PORT");
  up->add_option("--pkarr-relay", line.up.pkarr_relay, "be a PKARR relay by HTTP at this TCP address: keep for everybody where their nodes are, signed by them; with --find dht it looks there too, and passes on")->type_name("ADDR:PORT");
  up->add_option("--misbehave", line.up.misbehave, "for demonstrations")->group("");
  up->group("A node");
  const auto dash_options = std::make_shared<DashOptions>();
  CLI::App* dash = add_verb(app, line.verb, "dash", "Open the dashboard of the running node: who uses this machine, for what, and how to stop it.",
                            "  selvedge dash               in the browser\n"
                            "  selvedge dash --show        print the link, which works once and for two minutes\n"
                            "  ssh -L 8080:127.0.0.1:PORT MACHINE selvedge dash --show   of another machine; then put 8080 for PORT in the link\n",
                            verb_of(dash_options, run_dash));
  dash->add_flag("--show", dash_options->show, "print the link and open nothing");
  dash->group("A node");
  add_verb(app, line.verb, "stop", "Stop the running node.", "  selvedge stop\n", [](World& w) { return run_stop(w); })->group("A node");
  add_verb(app, line.verb, "status", "How the node is: keys, addresses, peers, what it holds and owns.",
           "  selvedge status\n  selvedge --json status | jq .owner\n", [](World& w) { return run_status(w); })
      ->group("A node");
  add_verb(app, line.verb, "doctor", "Check what could be wrong, and say what to do about it.",
           "  selvedge doctor\n", [](World& w) { return run_doctor(w); })
      ->group("A node");
  add_verb(app, line.verb, "version", "Show the version.", "  selvedge version\n", [](World& w) { return run_version(w); })->group("A node");
  CLI::App* demo = add_verb(app, line.verb, "demo", "Show all of it with five nodes on this machine, and check every result.",
                            "  selvedge demo                  with license texts and documents found on this machine\n"
                            "  selvedge demo ~/Documents      with your own files\n"
                            "  selvedge demo --stay           leave the fabric up afterwards, to try things on it\n",
                            [&line](World& w) { return run_demo(w, line.demo); });
  demo->add_option("PATH", line.demo.paths, "files and folders to use as input");
  demo->add_flag("--stay", line.demo.stay, "keep the fabric up afterwards (on a terminal)");
  demo->add_option("--keep", line.demo.keep, "use this folder for the homes, and leave it")->type_name("DIR");
  demo->group("A node");
}

void add_data_verbs(CLI::App& app, Line& line) {
  CLI::App* put = add_verb(app, line.verb, "put", "Store files, encrypted and spread over the hosts that granted storage. Prints their content ids.",
                           "  selvedge put report.pdf\n  selvedge put ~/photos ~/notes        folders are walked\n"
                           "  selvedge put plan.odt --zone work    under the keys and the policy of another zone\n",
                           [&line](World& w) { return run_put(w, line.put); });
  put->add_option("PATH", line.put.paths, "files and folders")->required();
  put->add_option("--zone", line.put.zone, "which zone they go into (selvedge zone list)")->type_name("NAME")->capture_default_str();
  put->group("Files");
  CLI::App* get = add_verb(app, line.verb, "get", "Fetch content by its id, from any hosts that have enough of it.",
                           "  selvedge get bafkrei... -o report.pdf\n  selvedge get bafkrei... -o - | less\n", [&line](World& w) { return run_get(w, line.get); });
  get->add_option("CID", line.get.cid, "the content id that put printed")->required();
  get->add_option("--zone", line.get.zone, "from this zone; without it, from whichever has it")->type_name("NAME");
  get->add_option("-o,--output", line.get.out, "file or folder to write to; - for standard output")->required()->type_name("PATH");
  get->group("Files");
  CLI::App* blob = app.add_subcommand("blob", "What is stored for this node's owner.")->require_subcommand(1)->group("Files");
  add_verb(*blob, line.verb, "list", "Stored files, with the number of hosts that hold each.", "  selvedge blob list\n", [](World& w) { return run_blob_list(w); });
}

void add_replay_options(CLI::App& app, TraceOptions& options) {
  app.add_option("--input", options.run.input, "what it read on standard input; without it, nothing")->type_name("FILE");
  app.add_option("--seed", options.run.seed, "as it was run")->capture_default_str();
  app.add_option("--fuel", options.run.fuel, "as it was run; 0 for the default");
  app.add_option("--memory", options.run.memory, "as it was run, such as 128M")->type_name("SIZE");
  app.add_option("--file", options.run.files, "as it was run; may be repeated")->type_name("[NAME=]PATH");
  app.add_option("--env", options.run.environment, "as it was run; may be repeated")->type_name("NAME=VALUE");
  app.add_option("--from", options.from, "begin at this state of a resumable program, and believe it")->type_name("FILE");
  app.add_option("--keep", options.keep_dir, "write the states that a resumable program goes through into this folder")->type_name("DIR");
}

void add_run_options(CLI::App& app, RunOptions& options) {
  app.add_option("--verify", options.verify, "owners whose machines must agree on each result")->check(CLI::Range(1, 7))->capture_default_str();
  app.add_option("--seed", options.seed, "seed of the program's random numbers")->capture_default_str();
  app.add_option("--fuel", options.fuel, "most fuel an execution may use; 0 for the default");
  app.add_option("--zone", options.zone, "the zone whose policy and keys cover the program, its inputs and outputs")->type_name("NAME")->capture_default_str();
  app.add_option("--memory", options.memory, "most memory an execution may use, such as 128M")->type_name("SIZE");
  app.add_option("--file", options.files, "a file or folder that the program finds under its own name in /, or under NAME; may be repeated")->type_name("[NAME=]PATH|CID");
  app.add_option("--oracle", options.oracles, "time, height or beacon, of this node or of NAME@NODE; the program finds the answer in /oracle/NAME; may be repeated")->type_name("NAME[@NODE][|...]");
  app.add_option("--env", options.environment, "a variable of the program's environment; may be repeated")->type_name("NAME=VALUE");
  app.add_option("--entry", options.entry, "which entry of a bundle; without it, its only one")->type_name("NAME");
  app.add_option("--isolation", options.isolation, "what must stand between the program and a machine that runs it; hosts without it refuse")
      ->check(CLI::IsMember({"process", "microvm"}))->capture_default_str();
  app.add_flag("--yes-dangerous", options.yes_dangerous, "call an entry that its publisher calls dangerous");
  app.group("Programs");
}

/// Of runs, and not of services: those go on when their owner is away.
void add_key_options(CLI::App& app, RunOptions& options) {
  app.add_option("--keys", options.keys, "no machine opens the inputs alone: K of N others have to let it, while the run lasts")->type_name("K/N");
  app.add_option("--keys-tier", options.keys_tier, "what these N and the executors must prove to run on; software asks for nothing")
      ->check(CLI::IsMember({"software", "hardware-basic", "hardware-strong"}))->capture_default_str();
  app.add_option("--endorser", options.endorsers, "with --keys: believe this key when it says that an attestation key lies in a chip; may be repeated")->type_name("KEY");
  app.add_flag("--believe-unendorsed", options.believe_unendorsed, "with --keys: believe attestation keys that nobody endorsed; any program can make one");
}

void add_run_verbs(CLI::App& app, Line& line) {
  CLI::App* run = add_verb(app, line.verb, "run", "Run a WebAssembly program on others' machines: standard input in, checked output out.",
                           "  selvedge run textstats.wasm < book.txt > report.txt\n"
                           "  selvedge run textstats.wasm --input bafkrei... --verify 3\n"
                           "  selvedge run kernels.wasm -- sieve 10          arguments of the program come after --\n"
                           "  selvedge run sqlite3.wasm --file shop.db -- -vfs unix-none shop.db \"select count(*) from orders\"\n"
                           "  selvedge run convert.wasm --file photos/ --out small -- photos /out      what it leaves in /out comes to small/\n",
                           [&line](World& w) { return run_run(w, line.run); });
  run->add_option("MODULE", line.run.module, "the program: a .wasm file (WASI preview 1), or a bundle")->required();
  run->add_option("--input", line.run.input, "a file or content id; without it, standard input")->type_name("FILE|CID");
  run->add_option("--out", line.run.out_dir, "folder for the files that the program left in /out; without it they come out as one tar archive")->type_name("DIR");
  add_run_options(*run, line.run);
  add_key_options(*run, line.run);

  CLI::App* trace = app.add_subcommand("trace", "What a run is committed to.")->require_subcommand(1)->group("Programs");
  CLI::App* verify = add_verb(*trace, line.verb, "verify", "Run a program here, as its executors did, and see whether it leads to the trace that they signed.",
                              "  selvedge receipts --all --json                 has traces\n"
                              "  selvedge trace verify 6bcc7e8dfa textstats.wasm --input book.txt\n"
                              "  selvedge trace verify 268435456:1f0c9a... long.wasm                       one segment, from the beginning\n"
                              "  selvedge trace verify 268435456:1f0c9a... long.wasm --from 201326592.state\n",
                              [&line](World& w) { return run_trace_verify(w, line.trace); });
  verify->add_option("TRACE", line.trace.trace, "the trace, or FUEL:DIGEST for one segment of it; of each the first eight digits or more")->required();
  verify->add_option("MODULE", line.trace.run.module, "the program: a .wasm file, under the name that it had")->required();
  add_replay_options(*verify, line.trace);
  CLI::App* segments = add_verb(*trace, line.verb, "segments", "Run a program here and show the chain of its trace: where each segment ends, and its digest.",
                                "  selvedge trace segments textstats.wasm --input book.txt\n"
                                "  selvedge trace segments long.wasm --keep states               of a resumable program, also the states it went through\n",
                                [&line](World& w) { return run_trace_segments(w, line.trace); });
  segments->add_option("MODULE", line.trace.run.module, "the program: a .wasm file, under the name that it had")->required();
  add_replay_options(*segments, line.trace);

  CLI::App* deploy = add_verb(app, line.verb, "deploy", "Have machines of others run a program as a service, from now on: it gets a key, and each request runs it once, as CGI does.",
                              "  selvedge deploy shop shop.wasm --for public\n"
                              "  selvedge deploy shop shop.wasm --replicas 3 --file pages/ --env GREETING=hello      a newer version takes the older one's place\n"
                              "  selvedge deploy shop shop.bundle --entry web --memory 32M\n"
                              "  selvedge deploy book guestbook.wasm --state --replicas 2\n"
                              "  selvedge curl fabric://gm9xk...5fo/                                               how it is reached; selvedge service why shop\n",
                              [&line](World& w) { return run_deploy(w, line.deploy); });
  deploy->add_option("NAME", line.deploy.name, "1 to 64 of a-z, 0-9, '-' and '.'; its key follows from it and from the owner's")->required();
  deploy->add_option("PROGRAM", line.deploy.run.module, "a .wasm file (WASI preview 1), or a bundle: requests come in its environment and on standard input, and go out on standard output (docs/spec/hosting.md)")->required();
  deploy->add_option("--replicas", line.deploy.replicas, "how many machines run it, of different owners where there are enough")->capture_default_str();
  deploy->add_flag("--state", line.deploy.state, "its program keeps state (sv_put in guests/service.h), which outlives instances, machines and versions: one machine serves, the others hold copies");
  deploy->add_option("--for", line.deploy.access, "who may connect: owner (this owner's machines, the default), public (everybody), or an owner's key; keys may be several")->type_name("WHO");
  deploy->add_option("--connections", line.deploy.connections_max, "at each machine at once, at most; 0: no limit")->capture_default_str();
  deploy->add_option("--file", line.deploy.run.files, "a file or folder that each request finds under its own name in /, or under NAME; may be repeated")->type_name("[NAME=]PATH");
  deploy->add_option("--env", line.deploy.run.environment, "a variable of the program's environment; may be repeated")->type_name("NAME=VALUE");
  deploy->add_option("--entry", line.deploy.run.entry, "which entry of a bundle; without it, its only one")->type_name("NAME");
  deploy->add_option("--memory", line.deploy.run.memory, "most memory that a request may use, such as 128M")->type_name("SIZE");
  deploy->add_option("--fuel", line.deploy.run.fuel, "most fuel that a request may use; 0 for the default");
  deploy->add_option("--zone", line.deploy.run.zone, "the zone whose policy and keys cover the program and its files")->type_name("NAME")->capture_default_str();
  deploy->add_flag("--no-wait", line.deploy.no_wait, "come back at once, and let it come true by itself");
  deploy->group("Services");

  CLI::App* map = add_verb(app, line.verb, "map", "Run a program over many files, each as a task of its own, each result checked.",
                           "  selvedge map textstats.wasm ~/texts -o reports\n"
                           "  selvedge map textstats.wasm ~/texts -o reports --merge      and once more over all the outputs\n"
                           "  selvedge map kernels.wasm a b c -o out -- mix 100           arguments of the program come after --\n",
                           [&line](World& w) { return run_map(w, line.map); });
  map->add_option("MODULE", line.map.module, "the program: a .wasm file, or a bundle")->required();
  map->add_option("PATH", line.map.paths, "files and folders to run it over")->required();
  map->add_option("-o,--output", line.map.out_dir, "folder for the outputs, named after the inputs")->required()->type_name("DIR");
  map->add_flag("--merge", line.map.merge, "at the end, run it with the argument \"merge\" over all outputs, one after the other");
  add_run_options(*map, line.map);
  add_key_options(*map, line.map);
}

int usage(Terminal& terminal, const CLI::App& app, const CLI::ParseError& problem) {
  const CLI::App* at = &app;
  while (!at->get_subcommands().empty()) at = at->get_subcommands().front();
  if (problem.get_exit_code() == int(CLI::ExitCodes::Success)) {
    std::fputs(app.help().c_str(), stdout);
    return kExitOk;
  }
  std::string verb = "selvedge";
  if (at != &app) verb += (at->get_parent() != &app ? " " + at->get_parent()->get_name() : "") + " " + at->get_name();
  std::string what = problem.what();
  if (what == "A subcommand is required") what = "what shall " + verb + " do? Nothing was named";
  terminal.error(fail(Errc::kInvalid, what + ". " + verb + " --help explains"));
  return kExitUsage;
}

int finish(Terminal& terminal, const CommandResult& result) {
  if (!result.ok()) {
    terminal.error(result.error());
    return exit_code(result.error().code);
  }
  const Status written = terminal.finish();
  if (written.ok()) return *result;
  terminal.error(written.error());
  return exit_code(written.error().code);
}

}  // namespace

CLI::App* add_verb(CLI::App& parent, Verb& chosen, const char* name, const char* about, const char* examples, Verb verb) {
  CLI::App* const app = parent.add_subcommand(name, about);
  app->footer(std::string("Examples:\n") + examples);
  app->callback([&chosen, verb] { chosen = verb; });
  return app;
}

int run_command_line(int argc, char** argv, const std::string& version) {
  Line line;
  CLI::App app(kAbout, "selvedge");
  app.footer(footer());
  app.require_subcommand(1);
  app.fallthrough();
  app.add_option("--home", line.home, "the folder of the node")->type_name("DIR");
  app.add_flag("--json", line.json, "records for programs instead of text for people");
  add_node_verbs(app, line);
  add_trust_verbs(app, line.verb);
  add_device_verbs(app, line.verb);
  add_authority_verbs(app, line.verb);
  add_data_verbs(app, line);
  add_run_verbs(app, line);
  add_secret_verbs(app, line.verb, line.command);
  add_identity_verbs(app, line.verb);
  add_meeting_verbs(app, line.verb);
  add_service_verbs(app, line.verb);
  add_web_verbs(app, line.verb);
  add_audit_verbs(app, line.verb);
  add_fountain_verbs(app, line.verb);
  SplitLine words = split_line(argc, argv);
  line.run.args = line.map.args = line.deploy.run.args = line.trace.run.args = line.command = words.guest;
  const bool json_wanted = std::find(words.own.begin(), words.own.end(), "--json") != words.own.end();
  Terminal terminal(json_wanted ? OutputForm::kJson : OutputForm::kPeople);
  if (argc <= 1) {
    std::fputs(app.help().c_str(), stdout);
    return kExitUsage;
  }
  try {
    app.parse(std::move(words.own));
  } catch (const CLI::ParseError& problem) {
    return usage(terminal, app, problem);
  }
  if (line.home.empty()) {
    Result<std::string> home = default_home();
    if (!home.ok()) return finish(terminal, home.error());
    line.home = *home;
  }
  Result<std::string> home = absolute_path(line.home);
  if (!home.ok()) return finish(terminal, home.error());
  while (home->size() > 1 && home->ends_with('/')) home->pop_back();
  World world{terminal, *home, version};
  return finish(terminal, line.verb(world));
}

}  // namespace selvedge::cli
