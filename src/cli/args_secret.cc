// Verbs about secrets that are shared k of n.
#include "cli/args.h"
#include "cli/commands_secret.h"

namespace selvedge::cli {

namespace {

void add_secret_shape_verbs(CLI::App& secret, Verb& chosen) {
  const auto split = std::make_shared<SecretSplitOptions>();
  CLI::App* verb = add_verb(secret, chosen, "split", "Share a secret among nodes, or into files, so that any k of the shares give it back and fewer say nothing.",
                            "  selvedge secret split deploy.key --name deploy -k 2 --holder cwzk6d --holder h8kj8w --holder 1rm3tn\n"
                            "  pass show deploy | selvedge secret split - --name deploy -k 2 --holder ...\n"
                            "  selvedge secret split deploy.key --local shares -k 2 -n 3       three files, without any node\n",
                            verb_of(split, run_secret_split));
  verb->add_option("FILE", split->file, "the secret, at most 64 KiB; - for standard input")->required();
  verb->add_option("--name", split->name, "what to call it; without it, the file's name");
  verb->add_option("-k,--threshold", split->threshold, "how many shares it takes, at least 2");
  verb->add_option("--holder", split->holders, "a node that holds a share: its key, or the beginning of it")->type_name("NODE");
  verb->add_option("--scheme", split->scheme, "feldman or pedersen (can be refreshed and moved), or shamir")->capture_default_str();
  verb->add_option("--for", split->duration, "how long it lasts; a refresh renews it")->type_name("TIME")->capture_default_str();
  verb->add_flag("--one-owner", split->one_owner, "let the machines of one other owner hold as many shares as it takes");
  verb->add_option("--local", split->local, "make share files in this folder instead, without any node")->type_name("DIR");
  verb->add_option("-n,--shares", split->count, "with --local: how many share files");

  const auto reshare = std::make_shared<SecretReshareOptions>();
  verb = add_verb(secret, chosen, "reshare", "Move a secret to other holders or another number of shares. Nobody has the secret meanwhile.",
                  "  selvedge secret reshare deploy -k 3 --holder cwzk6d --holder h8kj8w --holder 7ynz1p --holder aa9x3c\n", verb_of(reshare, run_secret_reshare));
  verb->add_option("NAME", reshare->name, "which secret")->required();
  verb->add_option("-k,--threshold", reshare->threshold, "how many shares it takes from now on")->required();
  verb->add_option("--holder", reshare->holders, "a node that holds a share from now on")->required()->type_name("NODE");
  verb->add_flag("--one-owner", reshare->one_owner, "let the machines of one other owner hold as many shares as it takes");

  const auto refresh = std::make_shared<SecretNameOptions>();
  add_verb(secret, chosen, "refresh", "Give all holders new shares of the same secret, so that shares stolen before are worth nothing.",
           "  selvedge secret refresh deploy\n", verb_of(refresh, run_secret_refresh))
      ->add_option("NAME", refresh->name, "which secret")
      ->required();
  const auto remove = std::make_shared<SecretNameOptions>();
  add_verb(secret, chosen, "remove", "Forget a secret, and have all holders erase their shares.", "  selvedge secret remove deploy\n", verb_of(remove, run_secret_remove))
      ->add_option("NAME", remove->name, "which secret")
      ->required();
}

void add_secret_use_verbs(CLI::App& secret, Verb& chosen, const std::vector<std::string>& command) {
  const auto combine = std::make_shared<SecretCombineOptions>();
  CLI::App* verb = add_verb(secret, chosen, "combine", "Get a secret back: from as many holders as it takes, or from share files.",
                            "  selvedge secret combine deploy -o deploy.key            a new file that only you may read\n"
                            "  selvedge secret combine deploy -o - | ssh-add -\n"
                            "  selvedge secret combine gm9xk2q7/deploy -o -            another owner's, who lets this node ask\n"
                            "  selvedge secret combine --local shares/share-1.txt shares/share-3.txt -o deploy.key\n",
                            verb_of(combine, run_secret_combine));
  verb->add_option("NAME", combine->name, "which secret");
  verb->add_option("-o,--output", combine->out, "the file to write; - for standard output")->required()->type_name("PATH");
  verb->add_option("--purpose", combine->purpose, "what it is for: the holders write it down");
  verb->add_option("--local", combine->files, "share files, without any node")->type_name("FILE");

  const auto use = std::make_shared<SecretUseOptions>();
  use->command = &command;
  verb = add_verb(secret, chosen, "use", "Run a command that may read the secret from a pipe. It is never an argument, never in the environment, never on disk.",
                  "  selvedge secret use deploy -- ssh-add {}                {} is the path of the pipe, /dev/fd/3\n"
                  "  selvedge secret use token --stdin -- curl -H @- https://example.org\n"
                  "The exit code is the command's.\n",
                  verb_of(use, run_secret_use));
  verb->add_option("NAME", use->name, "which secret")->required();
  verb->add_option("--purpose", use->purpose, "what it is for: the holders write it down");
  verb->add_flag("--stdin", use->on_input, "give it as the command's standard input");
}

void add_secret_leave_verbs(CLI::App& secret, Verb& chosen) {
  add_verb(secret, chosen, "list", "Secrets of this owner, and those of others that this node may ask for.", "  selvedge secret list\n",
           [](World& w) { return run_secret_list(w); });
  const auto allow = std::make_shared<SecretNameOptions>();
  CLI::App* verb = add_verb(secret, chosen, "allow", "Let another node ask for a secret, for a time.", "  selvedge secret allow deploy cwzk6d --for 1h\n",
                            verb_of(allow, run_secret_allow));
  verb->add_option("NAME", allow->name, "which secret")->required();
  verb->add_option("NODE", allow->node, "the node: its key, or the beginning of it")->required();
  verb->add_option("--for", allow->duration, "for how long")->type_name("TIME")->capture_default_str();
  const auto deny = std::make_shared<SecretNameOptions>();
  verb = add_verb(secret, chosen, "deny", "Take that back, at once.", "  selvedge secret deny deploy cwzk6d\n", verb_of(deny, run_secret_deny));
  verb->add_option("NAME", deny->name, "which secret")->required();
  verb->add_option("NODE", deny->node, "the node")->required();
}

}  // namespace

void add_secret_verbs(CLI::App& app, Verb& chosen, const std::vector<std::string>& command) {
  CLI::App* secret = app.add_subcommand("secret", "Secrets shared among several machines: no one of them has it, and no loss of one loses it.")
                         ->require_subcommand(1)
                         ->group("Authority");
  add_secret_shape_verbs(*secret, chosen);
  add_secret_use_verbs(*secret, chosen, command);
  add_secret_leave_verbs(*secret, chosen);
}

}  // namespace selvedge::cli
