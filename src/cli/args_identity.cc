// Verbs about who this node is to an origin.
#include "cli/args.h"

namespace selvedge::cli {

void add_identity_verbs(CLI::App& app, Verb& chosen) {
  CLI::App* identity = app.add_subcommand("identity", "Who this node is to an origin: another key for each, short tokens, a budget against prying.")
                           ->require_subcommand(1)
                           ->group("Peers and grants");

  const auto request_options = std::make_shared<IdentityRequestOptions>();
  CLI::App* request = add_verb(*identity, chosen, "request", "Make an identity token for one origin. It means nothing to any other.",
                               "  selvedge identity request --origin gm9xk...5fo --purpose \"join the cluster\"\n"
                               "  selvedge --json identity request --origin gm9xk...5fo --purpose join | jq -r .token\n"
                               "  selvedge identity request --origin gm9xk...5fo --purpose join --min-tier hardware-basic\n"
                               "  selvedge identity request --origin gm9xk...5fo --purpose join --tier hardware-basic --min-tier software\n"
                               "                                           with hardware if it can be had, else without\n",
                               verb_of(request_options, run_identity_request));
  request->add_option("--origin", request_options->origin, "the owner key of the origin (selvedge status shows it there)")->required()->type_name("KEY");
  request->add_option("--purpose", request_options->purpose, "what it is for, in a few words; the origin and selvedge identity list show it")->required()->type_name("TEXT");
  request->add_option("--min-tier", request_options->tier_min, "the least that will do: software, hardware-basic or hardware-strong")->type_name("TIER")->capture_default_str();
  request->add_option("--tier", request_options->tier, "what is wanted, if more than that")->type_name("TIER");
  request->add_option("--for", request_options->duration, "how long it lives, 2m to 1h")->type_name("TIME")->capture_default_str();

  add_verb(*identity, chosen, "list", "Tokens that are out, what each origin has asked, and how much of the budget is left.", "  selvedge identity list\n",
           [](World& w) { return run_identity_list(w); });

  const auto withdraw_options = std::make_shared<IdentityTokenOptions>();
  CLI::App* withdraw = add_verb(*identity, chosen, "withdraw", "Take a token back before its time. Revoking a lease does so for the tokens bound to it.",
                                "  selvedge identity withdraw 3f1c\n", verb_of(withdraw_options, run_identity_withdraw));
  withdraw->add_option("TOKEN", withdraw_options->token, "its id, or as much of its beginning as names one")->required();

  const auto check_options = std::make_shared<IdentityCheckOptions>();
  CLI::App* check = add_verb(*identity, chosen, "check", "Check a token that another node showed to this node's owner.",
                             "  selvedge identity check d28458...\n"
                             "  selvedge identity check - --min-tier hardware-basic --endorser x8kq...3wo < token.txt\n",
                             verb_of(check_options, run_identity_check));
  check->add_option("TOKEN", check_options->token, "the token in hexadecimal, or - for standard input")->required();
  check->add_option("--min-tier", check_options->tier_min, "refuse what proves less")->type_name("TIER")->capture_default_str();
  check->add_option("--endorser", check_options->endorsers, "believe this key when it says that an attestation key lies in a chip; may be repeated")->type_name("KEY");
  check->add_flag("--believe-unendorsed", check_options->believe_unendorsed, "believe attestation keys that nobody endorsed; any program can make one");
}

}  // namespace selvedge::cli
