// Verbs about who trusts whom.
#include "cli/args.h"

namespace selvedge::cli {

namespace {

void add_grant_give(CLI::App& grant, Verb& chosen) {
  const auto grant_give_options = std::make_shared<GrantGiveOptions>();
  CLI::App* give = add_verb(grant, chosen, "give", "Allow an origin to compute and store on this machine, within bounds, for a time.",
                            "  selvedge grant give gm9xk...5fo --cpu 50% --memory 256M --storage 1G --for 1h\n"
                            "  selvedge grant give gm9xk...5fo --cpu 0 --storage 20G --for 30d      storage only\n",
                            verb_of(grant_give_options, run_grant_give));
  give->add_option("ORIGIN", grant_give_options->origin, "the owner key of who may use this machine (selvedge status shows it there)")->required();
  give->add_option("--cpu", grant_give_options->cpu, "share of one processor; 0 for none")->type_name("PERCENT")->capture_default_str();
  give->add_option("--memory", grant_give_options->memory, "memory of a program")->type_name("SIZE")->capture_default_str();
  give->add_option("--storage", grant_give_options->storage, "disk space; 0 for none")->type_name("SIZE")->capture_default_str();
  give->add_option("--device", grant_give_options->device, "for another device of yours, by its name or key (selvedge device list)")->type_name("DEVICE");
  give->add_option("--battery-min", grant_give_options->battery_percent_min, "on battery, nothing runs below this charge")->type_name("PERCENT")->check(CLI::Range(0, 100));
  give->add_flag("--only-charging", grant_give_options->only_while_charging, "on battery, nothing runs");
  give->add_option("--network", grant_give_options->network, "bits a second for inputs, outputs and states, such as 500k or 20M; without it, no bound")->type_name("RATE");
  give->add_option("--burst", grant_give_options->burst, "most processor time between two rests, 500us to 1s")->type_name("TIME")->capture_default_str();
  give->add_option("--wakeups", grant_give_options->wakeups, "times a second that a program may wake the processor")->check(CLI::Range(1, 10000))->capture_default_str();
  give->add_option("--heat-max", grant_give_options->heat, "nothing runs when the machine is warmer: calm, raised, high or critical")
      ->check(CLI::IsMember({"calm", "raised", "high", "critical"}))->type_name("LEVEL")->capture_default_str();
  give->add_option("--utility", grant_give_options->utility, "of two leases, that with less makes room first")->check(CLI::Range(1, 1000))->capture_default_str();
  give->add_option("--for", grant_give_options->duration, "how long: 90s, 15m, 1h, 7d")->type_name("TIME")->capture_default_str();
}

}  // namespace

void add_trust_verbs(CLI::App& app, Verb& chosen) {
  const auto ticket_options = std::make_shared<TicketOptions>();
  CLI::App* ticket = add_verb(app, chosen, "ticket", "Show this node's ticket: how others find it. It carries no authority.",
                              "  selvedge ticket\n  selvedge ticket --qr               for a phone's camera\n"
                              "  selvedge ticket --relay-only       names no address of this machine (selvedge relay use)\n", verb_of(ticket_options, run_ticket));
  ticket->add_flag("--qr", ticket_options->qr, "also as a QR code");
  ticket->add_flag("--relay-only", ticket_options->relay_only, "only ways through relays, no address of this machine");
  ticket->group("Peers and grants");

  CLI::App* peer = app.add_subcommand("peer", "Other nodes this one keeps in touch with.")->require_subcommand(1)->group("Peers and grants");
  const auto peer_add_options = std::make_shared<PeerAddOptions>();
  CLI::App* add = add_verb(*peer, chosen, "add", "Get to know a node by its ticket, or by its key alone where this node was told whom to ask (selvedge up --find).", "  selvedge peer add selvedge1...\n  selvedge peer add gm9xk...5fo\n",
                           verb_of(peer_add_options, run_peer_add));
  add->add_option("TICKET", peer_add_options->ticket, "what selvedge ticket shows on the other machine; or its node key")->required();
  const auto find_options = std::make_shared<FindOptions>();
  CLI::App* find = add_verb(*peer, chosen, "find", "Ask where a node is, by its key: PKARR relays first, then DNS. What they say counts only if the node signed it.", "  selvedge peer find gm9xk...5fo\n",
                            verb_of(find_options, run_peer_find));
  find->add_option("KEY", find_options->key, "its node key")->required();
  add_verb(*peer, chosen, "list", "Known nodes, and why one is not connected.", "  selvedge peer list\n", [](World& w) { return run_peer_list(w); });

  CLI::App* grant = app.add_subcommand("grant", "What owners allow each other.")->require_subcommand(1)->group("Peers and grants");
  add_grant_give(*grant, chosen);
  add_verb(*grant, chosen, "list", "Grants given by this machine's owner and received by them.", "  selvedge grant list\n",
           [](World& w) { return run_grant_list(w); });
  add_permission_verbs(*grant, chosen);

  CLI::App* lease = app.add_subcommand("lease", "Grants in force on this machine, and what they used.")->require_subcommand(1)->group("Peers and grants");
  add_verb(*lease, chosen, "list", "Leases with their meters.", "  selvedge lease list\n", [](World& w) { return run_lease_list(w); });
  const auto add_change = [&](const char* name, const char* about, const char* example, node::LeaseAction action) {
    const auto options = std::make_shared<LeaseOptions>();
    options->action = action;
    CLI::App* change = add_verb(*lease, chosen, name, about, example, verb_of(options, run_lease_change));
    change->add_option("LEASE", options->lease, "its id, or as much of its beginning as names one")->required();
  };
  add_change("pause", "Stop its programs now; what is stored stays.", "  selvedge lease pause 3f1c\n", node::LeaseAction::kPause);
  add_change("resume", "Take up a paused lease again.", "  selvedge lease resume 3f1c\n", node::LeaseAction::kResume);
  add_change("revoke", "Take the grant back, for good: programs stop now, storage is handed over and deleted.", "  selvedge lease revoke 3f1c\n",
             node::LeaseAction::kRevoke);

  const auto throttle_options = std::make_shared<ThrottleOptions>();
  CLI::App* throttle = add_verb(*lease, chosen, "throttle", "Hold its programs to less of the processor than the grant says, from now on.",
                                "  selvedge lease throttle 3f1c 10     at most a tenth of one processor\n  selvedge lease throttle 3f1c 100    as much as the grant says again\n",
                                verb_of(throttle_options, run_lease_throttle));
  throttle->add_option("LEASE", throttle_options->lease, "its id, or as much of its beginning as names one")->required();
  throttle->add_option("PERCENT", throttle_options->percent, "of one processor; what the grant says or more lets it go")->required()->check(CLI::Range(0.1, 100.0));
  CLI::App* domain = app.add_subcommand("domain", "What runs on this machine for others.")->require_subcommand(1)->group("Peers and grants");
  add_verb(*domain, chosen, "list", "Programs of others that are here now, whose they are and what they are.", "  selvedge domain list\n", [](World& w) { return run_domain_list(w); });

  CLI::App* task = app.add_subcommand("task", "What your jobs have under way, on whose machines.")->require_subcommand(1)->group("Peers and grants");
  add_verb(*task, chosen, "list", "Executions that are under way.", "  selvedge task list\n", [](World& w) { return run_task_list(w); });
  const auto move_options = std::make_shared<TaskOptions>();
  CLI::App* move = add_verb(*task, chosen, "move", "Take a task to another machine. It goes on from its newest state if its program can be taken up again, else from the start.",
                            "  selvedge task move 9c41 gm9xk\n", verb_of(move_options, run_task_move));
  move->add_option("TASK", move_options->task, "its id, or as much of its beginning as names one (selvedge task list)")->required();
  move->add_option("NODE", move_options->node, "the machine's node key, or its beginning (selvedge grant list)")->required();

  const auto receipts_options = std::make_shared<ReceiptsOptions>();
  CLI::App* receipts = add_verb(app, chosen, "receipts", "Signed accounts of what ran: by whom, for whom, fuel, time, bytes.",
                                "  selvedge receipts             sums for each host, origin and program\n"
                                "  selvedge receipts --by origin,lease,day\n"
                                "  selvedge receipts --all       every execution\n"
                                "  selvedge --json receipts      every receipt; with --by the sums\n",
                                verb_of(receipts_options, run_receipts));
  receipts->add_option("--by", receipts_options->by, "sums for each: any of host, origin, lease, day, module")->type_name("LIST")->delimiter(',');
  receipts->add_flag("--all", receipts_options->all, "a line for each execution");
  receipts->group("Peers and grants");
}

}  // namespace selvedge::cli
