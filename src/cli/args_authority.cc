// Verbs about what is allowed: policies, permissions, revocations.
#include "cli/args.h"

namespace selvedge::cli {

namespace {

void add_policy_verbs(CLI::App& app, Verb& chosen) {
  CLI::App* policy = app.add_subcommand("policy", "What may be done with your zones, and by whom, as a file that you write.")->require_subcommand(1)->group("Authority");
  add_verb(*policy, chosen, "example", "Print a policy file with every setting explained.", "  selvedge policy example > policy.toml\n",
           [](World& w) { return run_policy_example(w); });
  const auto add_with_file = [&](const char* name, const char* about, const char* examples, CommandResult (*run)(World&, const PolicyOptions&)) {
    const auto options = std::make_shared<PolicyOptions>();
    CLI::App* verb = add_verb(*policy, chosen, name, about, examples, verb_of(options, run));
    verb->add_option("FILE", options->file, "the policy file")->required();
  };
  add_with_file("check", "Read a policy file and say what is wrong with it, by line. Needs no node.", "  selvedge policy check policy.toml\n", run_policy_check);
  add_with_file("apply", "Sign the policies of a file, put them in force, and tell the machines that hold your data.", "  selvedge policy apply policy.toml\n",
                run_policy_apply);
  const auto show = std::make_shared<PolicyOptions>();
  add_verb(*policy, chosen, "show", "Policies that are known here: your own, and those of origins that this machine serves.",
           "  selvedge policy show\n  selvedge --json policy show work\n", verb_of(show, run_policy_show))
      ->add_option("ZONE", show->zone, "only this zone");
  const auto explain = std::make_shared<PolicyOptions>();
  explain->zone = "private";
  CLI::App* verb = add_verb(*policy, chosen, "explain", "Say whether an operation is allowed, and which rule decides. Exit code 0 for yes, 15 for no.",
                            "  selvedge policy explain storage.read\n"
                            "  selvedge policy explain storage.delete --zone work --as gm9xk...5fo\n"
                            "  selvedge policy explain compute.run --zone work --on h8kj8...zio --file policy.toml      before you apply it\n",
                            verb_of(explain, run_policy_explain));
  verb->add_option("OPERATION", explain->operation, "such as storage.read, storage.store, compute.run, secret.release")->required();
  verb->add_option("--zone", explain->zone, "which zone: its name, or the beginning of its id")->capture_default_str();
  verb->add_option("--as", explain->principal, "the owner key of who asks; without it, you")->type_name("KEY");
  verb->add_option("--on", explain->machine_owner, "the owner key of the machine it happens on")->type_name("KEY");
  verb->add_option("--file", explain->file, "ask this policy file instead of what is in force")->type_name("FILE");
}

void add_revoke_verbs(CLI::App& app, Verb& chosen) {
  CLI::App* revoke = app.add_subcommand("revoke", "Take trust back, for good, and tell everybody whom it concerns.")->require_subcommand(1)->group("Authority");
  const auto add_kind = [&](const char* kind, const char* about, const char* example) {
    const auto options = std::make_shared<RevokeOptions>();
    options->kind = kind;
    CLI::App* verb = add_verb(*revoke, chosen, kind, about, example, verb_of(options, run_revoke));
    verb->add_option("ID", options->target, "a key (52 letters and digits), or an id (64 hexadecimal digits)")->required();
    verb->add_option("--reason", options->reason, "unspecified, user_request, superseded, key_compromise, device_loss or violation")->capture_default_str();
    verb->add_option("--cutoff", options->cutoff, "from when on it counts, in Unix seconds; without it, now")->type_name("TIME");
  };
  add_kind("object", "An object: it is no longer stored, given out or used as an input.", "  selvedge revoke object 3f1c...9a --reason violation\n");
  add_kind("capability", "A grant, a capability or an offer.", "  selvedge revoke capability 3f1c...9a\n");
  add_kind("key", "A signing key, wherever it signed.", "  selvedge revoke key gm9xk...5fo --reason key_compromise\n");
  add_kind("principal", "An owner: nothing of theirs is served here, and nothing of yours goes to them.", "  selvedge revoke principal gm9xk...5fo --reason violation\n");
  add_kind("device", "A node: nothing is asked of it and nothing taken from it any more.", "  selvedge revoke device cwzk6...8ty --reason device_loss\n");
  add_verb(*revoke, chosen, "list", "What is revoked, by whom, as far as it concerns this node.", "  selvedge revoke list\n", [](World& w) { return run_revoke_list(w); });
}

void add_bundle_verbs(CLI::App& app, Verb& chosen) {
  CLI::App* bundle = app.add_subcommand("bundle", "Programs as signed packages: what runs is what was pinned.")->require_subcommand(1)->group("Programs");
  add_verb(*bundle, chosen, "example", "Print a bundle's description with every setting explained.", "  selvedge bundle example > bundle.toml\n",
           [](World& w) { return run_bundle_example(w); });
  const auto build = std::make_shared<BundleOptions>();
  CLI::App* verb = add_verb(*bundle, chosen, "build", "Pack modules and assets into one archive (CARv1) with a manifest that this home's owner signs.",
                            "  selvedge bundle build bundle.toml -o wordcount.bundle\n", verb_of(build, run_bundle_build));
  verb->add_option("FILE", build->file, "the description; the files it names lie beside it")->required();
  verb->add_option("-o,--output", build->out, "the archive to write")->required()->type_name("FILE");
  verb->add_flag("--resumable", build->resumable, "let long runs go on from where they were when a machine is lost (needs binaryen; slower where calls are small)");
  const auto inspect = std::make_shared<BundleOptions>();
  add_verb(*bundle, chosen, "inspect", "Show what a bundle is made of, who signed it, and what it asks for.", "  selvedge bundle inspect wordcount.bundle\n",
           verb_of(inspect, run_bundle_inspect))
      ->add_option("FILE", inspect->file, "the archive")->required();
  const auto verify = std::make_shared<BundleOptions>();
  verb = add_verb(*bundle, chosen, "verify", "Check signature, every hash, and that every module can run. Needs no node.",
                  "  selvedge bundle verify wordcount.bundle --publisher gm9xk...5fo\n  selvedge bundle verify wordcount.bundle --pin 3f1c9a\n", verb_of(verify, run_bundle_verify));
  verb->add_option("FILE", verify->file, "the archive")->required();
  verb->add_option("--publisher", verify->publisher, "the key that must have signed it")->type_name("KEY");
  verb->add_option("--pin", verify->bundle, "the bundle id it must have, or its beginning")->type_name("ID");
}

}  // namespace

void add_permission_verbs(CLI::App& grant, Verb& chosen) {
  const auto ask = std::make_shared<GrantAskOptions>();
  CLI::App* verb = add_verb(grant, chosen, "ask", "Ask a machine's owner for permissions. Each is answered by itself.",
                            "  selvedge grant ask h8kj --classes compute,storage --storage 20G --for 30d --why \"nightly backups\"\n",
                            verb_of(ask, run_grant_ask));
  verb->add_option("NODE", ask->node, "the machine: its node key, or the beginning (selvedge peer list)")->required();
  verb->add_option("--classes", ask->classes, "of compute, storage, ingress, attested, with commas between")->capture_default_str();
  verb->add_option("--cpu", ask->cpu, "share of one processor")->type_name("PERCENT")->capture_default_str();
  verb->add_option("--memory", ask->memory, "memory of a program")->type_name("SIZE")->capture_default_str();
  verb->add_option("--storage", ask->storage, "disk space")->type_name("SIZE")->capture_default_str();
  verb->add_option("--for", ask->duration, "how long: 90s, 15m, 1h, 7d")->type_name("TIME")->capture_default_str();
  verb->add_option("--why", ask->why, "what for, for the person who answers")->type_name("TEXT");
  add_verb(grant, chosen, "requests", "Who asks this machine for what, what it asks of others, and what is remembered.", "  selvedge grant requests\n",
           [](World& w) { return run_grant_requests(w); });
  const auto answer = std::make_shared<GrantAnswerOptions>();
  verb = add_verb(grant, chosen, "answer", "Allow or refuse what was asked, permission by permission. What you do not name stays open.",
                  "  selvedge grant answer 3f1c --allow storage --refuse compute\n"
                  "  selvedge grant answer 3f1c --allow compute,storage --remember 30d\n",
                  verb_of(answer, run_grant_answer));
  verb->add_option("REQUEST", answer->request, "its id, or as much of its beginning as names one")->required();
  verb->add_option("--allow", answer->allow, "permissions to give")->type_name("CLASSES");
  verb->add_option("--refuse", answer->refuse, "permissions to refuse")->type_name("CLASSES");
  verb->add_option("--remember", answer->remember, "for how long the same question is answered so without you; without it, as long as was asked for")->type_name("TIME");
  const auto withdraw = std::make_shared<GrantAnswerOptions>();
  verb = add_verb(grant, chosen, "withdraw", "Forget what was decided about permissions of an origin, and end the leases that came of it.",
                  "  selvedge grant withdraw gm9xk...5fo --classes ingress\n", verb_of(withdraw, run_grant_withdraw));
  verb->add_option("ORIGIN", withdraw->request, "the owner key of the origin")->required();
  verb->add_option("--classes", withdraw->allow, "of compute, storage, ingress, attested")->required();
}

void add_authority_verbs(CLI::App& app, Verb& chosen) {
  add_policy_verbs(app, chosen);
  add_revoke_verbs(app, chosen);
  add_bundle_verbs(app, chosen);
}

}  // namespace selvedge::cli
