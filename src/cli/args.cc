// The command line, and the help that teaches it. The one file that knows CLI11.
#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <functional>

#include "cli/commands.h"
#include "cli/files.h"
#include "cli/fountain_verbs.h"

namespace selvedge::cli {

namespace {

using Verb = std::function<CommandResult(World&)>;

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
  UpOptions up;
  TicketOptions ticket;
  PutOptions put;
  GetOptions get;
  RunOptions run;
  RunOptions map;
  PeerAddOptions peer_add;
  GrantGiveOptions grant_give;
  LeaseOptions lease;
  ReceiptsOptions receipts;
  DemoOptions demo;
  FountainOptions fountain;
  Verb verb;
};

// Guest arguments come after "--"; they are cut off before CLI11 sees the line, so that no option of ours can catch one.
struct SplitLine {
  std::vector<std::string> own;    // in reverse, as CLI11 wants it
  std::vector<std::string> guest;
};

SplitLine split_line(int argc, char** argv) {
  SplitLine out;
  std::vector<std::string> words(argv + 1, argv + argc);
  size_t verb = 0;
  while (verb < words.size() && words[verb].starts_with("-")) verb += words[verb] == "--home" ? 2 : 1;
  const bool runs = verb < words.size() && (words[verb] == "run" || words[verb] == "map");
  auto cut = runs ? std::find(words.begin(), words.end(), "--") : words.end();
  if (cut != words.end()) out.guest.assign(cut + 1, words.end());
  out.own.assign(std::make_reverse_iterator(cut), words.rend());
  return out;
}

CLI::App* add_verb(CLI::App& parent, Line& line, const char* name, const char* about, const char* examples, Verb verb) {
  CLI::App* const app = parent.add_subcommand(name, about);
  app->footer(std::string("Examples:\n") + examples);
  app->callback([&line, verb] { line.verb = verb; });
  return app;
}

void add_node_verbs(CLI::App& app, Line& line) {
  add_verb(app, line, "init", "Make a node: a folder with its keys.",
           "  selvedge init\n  selvedge --home /srv/selvedge init\n", [](World& w) { return run_init(w); })
      ->group("A node");
  CLI::App* up = add_verb(app, line, "up", "Run the node in the foreground, until Ctrl-C or selvedge stop.",
                          "  selvedge up\n"
                          "  selvedge up --listen 192.0.2.7:7443      be reachable by others at this address (UDP)\n"
                          "  selvedge --json up                       the ready line as JSON, for programs that wait for it\n",
                          [&line](World& w) { return run_up(w, line.up); });
  up->add_option("--listen", line.up.listen, "address and UDP port to be reached at; port 0 takes a free one")->type_name("ADDR:PORT")->capture_default_str();
  up->add_option("--misbehave", line.up.misbehave, "for demonstrations")->group("");
  up->group("A node");
  add_verb(app, line, "stop", "Stop the running node.", "  selvedge stop\n", [](World& w) { return run_stop(w); })->group("A node");
  add_verb(app, line, "status", "How the node is: keys, addresses, peers, what it holds and owns.",
           "  selvedge status\n  selvedge --json status | jq .owner\n", [](World& w) { return run_status(w); })
      ->group("A node");
  add_verb(app, line, "doctor", "Check what could be wrong, and say what to do about it.",
           "  selvedge doctor\n", [](World& w) { return run_doctor(w); })
      ->group("A node");
  add_verb(app, line, "version", "Show the version.", "  selvedge version\n", [](World& w) { return run_version(w); })->group("A node");
  CLI::App* demo = add_verb(app, line, "demo", "Show all of it with five nodes on this machine, and check every result.",
                            "  selvedge demo                  with license texts and documents found on this machine\n"
                            "  selvedge demo ~/Documents      with your own files\n"
                            "  selvedge demo --stay           leave the fabric up afterwards, to try things on it\n",
                            [&line](World& w) { return run_demo(w, line.demo); });
  demo->add_option("PATH", line.demo.paths, "files and folders to use as input");
  demo->add_flag("--stay", line.demo.stay, "keep the fabric up afterwards (on a terminal)");
  demo->add_option("--keep", line.demo.keep, "use this folder for the homes, and leave it")->type_name("DIR");
  demo->group("A node");
}

void add_trust_verbs(CLI::App& app, Line& line) {
  CLI::App* ticket = add_verb(app, line, "ticket", "Show this node's ticket: how others find it. It carries no authority.",
                              "  selvedge ticket\n  selvedge ticket --qr       for a phone's camera\n", [&line](World& w) { return run_ticket(w, line.ticket); });
  ticket->add_flag("--qr", line.ticket.qr, "also as a QR code");
  ticket->group("Peers and grants");

  CLI::App* peer = app.add_subcommand("peer", "Other nodes this one keeps in touch with.")->require_subcommand(1)->group("Peers and grants");
  CLI::App* add = add_verb(*peer, line, "add", "Get to know a node by its ticket.", "  selvedge peer add selvedge1...\n",
                           [&line](World& w) { return run_peer_add(w, line.peer_add); });
  add->add_option("TICKET", line.peer_add.ticket, "what selvedge ticket shows on the other machine")->required();
  add_verb(*peer, line, "list", "Known nodes, and why one is not connected.", "  selvedge peer list\n", [](World& w) { return run_peer_list(w); });

  CLI::App* grant = app.add_subcommand("grant", "What owners allow each other.")->require_subcommand(1)->group("Peers and grants");
  CLI::App* give = add_verb(*grant, line, "give", "Allow an origin to compute and store on this machine, within bounds, for a time.",
                            "  selvedge grant give gm9xk...5fo --cpu 50% --memory 256M --storage 1G --for 1h\n"
                            "  selvedge grant give gm9xk...5fo --cpu 0 --storage 20G --for 30d      storage only\n",
                            [&line](World& w) { return run_grant_give(w, line.grant_give); });
  give->add_option("ORIGIN", line.grant_give.origin, "the owner key of who may use this machine (selvedge status shows it there)")->required();
  give->add_option("--cpu", line.grant_give.cpu, "share of one processor; 0 for none")->type_name("PERCENT")->capture_default_str();
  give->add_option("--memory", line.grant_give.memory, "memory of a program")->type_name("SIZE")->capture_default_str();
  give->add_option("--storage", line.grant_give.storage, "disk space; 0 for none")->type_name("SIZE")->capture_default_str();
  give->add_option("--for", line.grant_give.duration, "how long: 90s, 15m, 1h, 7d")->type_name("TIME")->capture_default_str();
  add_verb(*grant, line, "list", "Grants given by this machine's owner and received by them.", "  selvedge grant list\n",
           [](World& w) { return run_grant_list(w); });

  CLI::App* lease = app.add_subcommand("lease", "Grants in force on this machine, and what they used.")->require_subcommand(1)->group("Peers and grants");
  add_verb(*lease, line, "list", "Leases with their meters.", "  selvedge lease list\n", [](World& w) { return run_lease_list(w); });
  const auto add_change = [&](const char* name, const char* about, const char* example, node::LeaseAction action) {
    CLI::App* change = add_verb(*lease, line, name, about, example, [&line, action](World& w) {
      line.lease.action = action;
      return run_lease_change(w, line.lease);
    });
    change->add_option("LEASE", line.lease.lease, "its id, or as much of its beginning as names one")->required();
  };
  add_change("pause", "Stop its programs now; what is stored stays.", "  selvedge lease pause 3f1c\n", node::LeaseAction::kPause);
  add_change("resume", "Take up a paused lease again.", "  selvedge lease resume 3f1c\n", node::LeaseAction::kResume);
  add_change("revoke", "Take the grant back, for good: programs stop now, storage is handed over and deleted.", "  selvedge lease revoke 3f1c\n",
             node::LeaseAction::kRevoke);

  CLI::App* receipts = add_verb(app, line, "receipts", "Signed accounts of what ran: by whom, for whom, fuel, time, bytes.",
                                "  selvedge receipts             sums for each host, origin and program\n"
                                "  selvedge receipts --all       every execution\n"
                                "  selvedge --json receipts\n",
                                [&line](World& w) { return run_receipts(w, line.receipts); });
  receipts->add_flag("--all", line.receipts.all, "a line for each execution");
  receipts->group("Peers and grants");
}

void add_data_verbs(CLI::App& app, Line& line) {
  CLI::App* put = add_verb(app, line, "put", "Store files, encrypted and spread over the hosts that granted storage. Prints their content ids.",
                           "  selvedge put report.pdf\n  selvedge put ~/photos ~/notes        folders are walked\n",
                           [&line](World& w) { return run_put(w, line.put); });
  put->add_option("PATH", line.put.paths, "files and folders")->required();
  put->group("Files");
  CLI::App* get = add_verb(app, line, "get", "Fetch content by its id, from any hosts that have enough of it.",
                           "  selvedge get bafkrei... -o report.pdf\n  selvedge get bafkrei... -o - | less\n", [&line](World& w) { return run_get(w, line.get); });
  get->add_option("CID", line.get.cid, "the content id that put printed")->required();
  get->add_option("-o,--output", line.get.out, "file or folder to write to; - for standard output")->required()->type_name("PATH");
  get->group("Files");
  CLI::App* blob = app.add_subcommand("blob", "What is stored for this node's owner.")->require_subcommand(1)->group("Files");
  add_verb(*blob, line, "list", "Stored files, with the number of hosts that hold each.", "  selvedge blob list\n", [](World& w) { return run_blob_list(w); });
}

// The codec alone: no node is asked.
void add_fountain_verbs(CLI::App& app, Line& line) {
  FountainOptions& options = line.fountain;
  CLI::App* fountain = app.add_subcommand("fountain", "RaptorQ (RFC 6330) on plain files: any sufficient part of the symbols restores the file.")
                           ->require_subcommand(1)
                           ->group("Files");
  const auto add_shape = [&options](CLI::App* verb) {
    verb->add_option("--blocks", options.blocks, "source blocks (Z), coded on their own; without it, blocks of about 2000 symbols")->type_name("Z");
    verb->add_option("--sub-blocks", options.sub_blocks, "sub-blocks of a block (N)")->type_name("N")->capture_default_str();
  };
  CLI::App* symbols = add_verb(*fountain, line, "symbols", "Show the object's parameters (the 12 bytes of the OTI), then a line for each symbol: block, ESI, SHA-256.",
                               "  selvedge fountain symbols report.pdf --symbol-size 1024 --blocks 1 --esi 0-9\n"
                               "  selvedge fountain symbols report.pdf --symbol-size 1024 --esi 0,5000,16777215      source and repair alike, of every block\n",
                               [&options](World& w) { return run_fountain_symbols(w, options); });
  symbols->add_option("FILE", options.input, "the object")->required();
  symbols->add_option("--symbol-size", options.symbol_bytes, "bytes of a symbol (T), 1 to 65535")->required()->check(CLI::Range(1, 65535))->type_name("T");
  symbols->add_option("--esi", options.esis, "encoding symbol ids: from 0 the source, from K on repair, up to 16777215")->required()->type_name("LIST");
  add_shape(symbols);
  CLI::App* encode = add_verb(*fountain, line, "encode", "Write a file as symbol files into a folder. Lose any of them, as long as enough are left.",
                              "  selvedge fountain encode film.mkv -o symbols                 5 % may get lost\n"
                              "  selvedge fountain encode film.mkv -o symbols --repair 50% --files 12\n"
                              "  mv symbols/part00[0-5].sym /media/a; mv symbols/*.sym /media/b      6 of the 12 files on each of two disks\n",
                              [&options](World& w) { return run_fountain_encode(w, options); });
  encode->add_option("FILE", options.input, "the file; it may be larger than memory")->required();
  encode->add_option("-o,--output", options.out, "the folder; it is made, and has no symbol files yet")->required()->type_name("DIR");
  encode->add_option("--repair", options.repair, "repair symbols of each block: a share of its source symbols, or a number")->type_name("AMOUNT")->capture_default_str();
  encode->add_option("--symbol-size", options.symbol_bytes, "bytes of a symbol (T); without it, 1024 or more, by the size of the file")->check(CLI::Range(1, 65535))->type_name("T");
  encode->add_option("--files", options.files, "files that take the symbols in turn; without it, one for each symbol of a small file, else 256")->check(CLI::Range(1, 256))->type_name("N");
  add_shape(encode);
  CLI::App* decode = add_verb(*fountain, line, "decode", "Restore a file from its symbol files, whichever are left, in one folder or several.",
                              "  selvedge fountain decode symbols -o film.mkv\n"
                              "  selvedge fountain decode /media/a /media/c -o - | mpv -\n",
                              [&options](World& w) { return run_fountain_decode(w, options); });
  decode->add_option("DIR", options.dirs, "folders with symbol files; damaged ones are left out")->required();
  decode->add_option("-o,--output", options.out, "the file to write; - for standard output")->required()->type_name("FILE");
  decode->add_option("--object", options.object, "which object, where the folders hold several: what encode printed, or its beginning")->type_name("ID");
  CLI::App* bench = add_verb(*fountain, line, "bench", "Measure the codec beside bounds of this machine: GB/s, milliseconds, and ratios.",
                             "  selvedge fountain bench\n"
                             "  selvedge fountain bench --kernel avx2 -k 1000,2000       with other inner loops; a name that is wrong lists those there are\n",
                             [&options](World& w) { return run_fountain_bench(w, options); });
  bench->add_option("-k", options.ks, "source symbols of a block")->delimiter(',')->type_name("LIST");
  bench->add_option("--symbol-size", options.symbol_bytes, "bytes of a symbol (T); 1024 without it")->type_name("T");
  bench->add_option("--kernel", options.kernel, "inner loops for this instruction set instead of the fastest")->type_name("NAME");
  bench->add_flag("--quick", options.quick, "a single round of small blocks: shows that it works, not how fast");
  CLI::App* failures = add_verb(*fountain, line, "failures", "Count how often K, K+1 and K+2 random symbols do not suffice, against what the RFC promises.",
                                "  selvedge fountain failures\n"
                                "  selvedge fountain failures --trials 10000000 -k 10,26     a long run\n",
                                [&options](World& w) { return run_fountain_failures(w, options); });
  failures->add_option("-k", options.ks, "source symbols of a block")->delimiter(',')->type_name("LIST");
  failures->add_option("--trials", options.trials, "symbol sets of 10 symbols; of K symbols, 10/K as many")->capture_default_str();
  failures->add_option("--seed", options.seed, "another seed, other sets")->capture_default_str();
}

void add_run_options(CLI::App& app, RunOptions& options) {
  app.add_option("--verify", options.verify, "owners whose machines must agree on each result")->check(CLI::Range(1, 7))->capture_default_str();
  app.add_option("--seed", options.seed, "seed of the program's random numbers")->capture_default_str();
  app.add_option("--fuel", options.fuel, "most fuel an execution may use; 0 for the default");
  app.add_option("--memory", options.memory, "most memory an execution may use, such as 128M")->type_name("SIZE");
  app.group("Programs");
}

void add_run_verbs(CLI::App& app, Line& line) {
  CLI::App* run = add_verb(app, line, "run", "Run a WebAssembly program on others' machines: standard input in, checked output out.",
                           "  selvedge run textstats.wasm < book.txt > report.txt\n"
                           "  selvedge run textstats.wasm --input bafkrei... --verify 3\n"
                           "  selvedge run kernels.wasm -- sieve 10          arguments of the program come after --\n",
                           [&line](World& w) { return run_run(w, line.run); });
  run->add_option("MODULE", line.run.module, "the program, a .wasm file (WASI preview 1: arguments, input, output, nothing else)")->required();
  run->add_option("--input", line.run.input, "a file or content id; without it, standard input")->type_name("FILE|CID");
  add_run_options(*run, line.run);

  CLI::App* map = add_verb(app, line, "map", "Run a program over many files, each as a task of its own, each result checked.",
                           "  selvedge map textstats.wasm ~/texts -o reports\n"
                           "  selvedge map textstats.wasm ~/texts -o reports --merge      and once more over all the outputs\n"
                           "  selvedge map kernels.wasm a b c -o out -- mix 100           arguments of the program come after --\n",
                           [&line](World& w) { return run_map(w, line.map); });
  map->add_option("MODULE", line.map.module, "the program, a .wasm file")->required();
  map->add_option("PATH", line.map.paths, "files and folders to run it over")->required();
  map->add_option("-o,--output", line.map.out_dir, "folder for the outputs, named after the inputs")->required()->type_name("DIR");
  map->add_flag("--merge", line.map.merge, "at the end, run it with the argument \"merge\" over all outputs, one after the other");
  add_run_options(*map, line.map);
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

int run_command_line(int argc, char** argv, const std::string& version) {
  Line line;
  CLI::App app(kAbout, "selvedge");
  app.footer(footer());
  app.require_subcommand(1);
  app.fallthrough();
  app.add_option("--home", line.home, "the folder of the node")->type_name("DIR");
  app.add_flag("--json", line.json, "records for programs instead of text for people");
  add_node_verbs(app, line);
  add_trust_verbs(app, line);
  add_data_verbs(app, line);
  add_run_verbs(app, line);
  add_fountain_verbs(app, line);
  SplitLine words = split_line(argc, argv);
  line.run.args = line.map.args = words.guest;
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
