// Verbs about being reached through relays, and finding services by their key.
#include "cli/args.h"

namespace selvedge::cli {

void add_meeting_verbs(CLI::App& app, Verb& chosen) {
  CLI::App* relay = app.add_subcommand("relay", "Be reached without being found: through a node that passes packets on and knows nobody.")->require_subcommand(1)->group("Peers and grants");
  const auto use_options = std::make_shared<RelayUseOptions>();
  CLI::App* use = add_verb(*relay, chosen, "use", "Be reachable through a relay from now on, under a key that is nobody's. Tickets then name that way too.",
                           "  selvedge relay use selvedge1...           its ticket\n"
                           "  selvedge ticket --relay-only              a ticket that names no address of this machine\n",
                           verb_of(use_options, run_relay_use));
  use->add_option("RELAY", use_options->relay, "its ticket; or, of a known peer, the beginning of its key")->required()->type_name("TICKET");
  add_verb(*relay, chosen, "list", "Relays that this node uses, and what passed through it if it is one.", "  selvedge relay list\n", [](World& w) { return run_relay_list(w); });

  CLI::App* announce = app.add_subcommand("announce", "Be found by your key: tell where this node is, signed by it.")->require_subcommand(1)->group("Peers and grants");
  const auto announce_options = std::make_shared<AnnounceOptions>();
  CLI::App* on = add_verb(*announce, chosen, "on", "Tell PKARR relays, or print what a DNS server should say. Ways through relays only, unless --addresses.",
                          "  selvedge announce on --to lan                                answer who asks on this network\n"
                          "  selvedge announce on --to pkarr:https://relay.example.org\n"
                          "  selvedge announce on --to dht                                the Mainline DHT, which needs no server\n"
                          "  selvedge announce on --addresses --dns example.org          a TXT record for a zone file\n",
                          verb_of(announce_options, run_announce_on));
  on->add_option("--to", announce_options->to, "a PKARR relay; dht, the Mainline DHT (or dht:HOST:PORT, a node of it); or lan: whoever asks on this network, which always learns this machine's address there; may be repeated, so that none is needed")->type_name("lan|dht|pkarr:URL");
  on->add_flag("--addresses", announce_options->own_addresses, "say this machine's own addresses too");
  on->add_option("--dns", announce_options->suffix, "print the TXT record for this domain")->type_name("DOMAIN");
  CLI::App* show = add_verb(*announce, chosen, "show", "What this node says, and who keeps it.", "  selvedge announce show\n  selvedge announce show --dns example.org\n", verb_of(announce_options, run_announce_show));
  show->add_option("--dns", announce_options->suffix, "print the TXT record for this domain")->type_name("DOMAIN");
  add_verb(*announce, chosen, "off", "Say nothing more; what was said expires within two hours.", "  selvedge announce off\n", [](World& w) { return run_announce_off(w); });

  CLI::App* rendezvous = app.add_subcommand("rendezvous", "Tell others where services are, by their keys and without addresses.")->require_subcommand(1)->group("Services");
  const auto publish_options = std::make_shared<PublishOptions>();
  CLI::App* publish = add_verb(*rendezvous, chosen, "publish", "Sign that a service of yours can be reached at this node, through a relay, and tell rendezvous.",
                               "  selvedge rendezvous publish shop --relay selvedge1... --at selvedge1... --at selvedge1...\n",
                               verb_of(publish_options, run_publish));
  publish->add_option("NAME", publish_options->name, "of the service; its key follows from it and from the owner's")->required();
  publish->add_option("--relay", publish_options->relay, "through which it is reached: a ticket, or the beginning of a peer's key")->required()->type_name("TICKET");
  publish->add_option("--at", publish_options->at, "which rendezvous to tell; may be repeated, so that none of them is needed")->required()->type_name("TICKET");
  publish->add_option("--protocols", publish_options->protocols, "what it speaks: http, grpc, datagram, custom, with commas")->capture_default_str();
  publish->add_option("--for", publish_options->duration, "how long it holds, up to 1h")->type_name("TIME")->capture_default_str();

  const auto resolve_options = std::make_shared<ResolveOptions>();
  CLI::App* resolve = add_verb(app, chosen, "resolve", "Find out where a service can be reached, and check that it says so itself.",
                               "  selvedge resolve fabric://gm9xk...5fo --via selvedge1...\n"
                               "  selvedge resolve fabric://gm9xk...5fo --via selvedge1... --via selvedge1... --quorum 2\n",
                               verb_of(resolve_options, run_resolve));
  resolve->add_option("ADDRESS", resolve_options->address, "fabric://KEY")->required();
  resolve->add_option("--via", resolve_options->via, "which rendezvous to ask, without telling who asks; may be repeated")->type_name("TICKET");
  resolve->add_option("--quorum", resolve_options->quorum, "believe what so many of them show alike; 1 takes the first good answer")->check(CLI::Range(1, 8))->capture_default_str();
  resolve->group("Services");
}

}  // namespace selvedge::cli
