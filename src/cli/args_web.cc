// Verbs about what pages may have done, and the examples that run in a browser.
#include "cli/args.h"

namespace selvedge::cli {

void add_web_verbs(CLI::App& app, Verb& chosen) {
  CLI::App* web = app.add_subcommand("web", "What pages of visitors may have done by this owner's machines (selvedge up --web).")->require_subcommand(1)->group("Services");
  const auto publish_options = std::make_shared<WebPublishOptions>();
  CLI::App* publish = add_verb(*web, chosen, "publish", "Let pages have this program run: node.submit({type: NAME}). Nothing is, unless its owner publishes it.",
                               "  selvedge web publish stats textstats.wasm --input 64K\n"
                               "  selvedge web publish tile mandelbrot.wasm --per-visitor 200 --together 2000\n",
                               verb_of(publish_options, run_web_publish));
  publish->add_option("NAME", publish_options->name, "by which pages ask for it: 1 to 64 of a-z, 0-9, '-' and '.'")->required();
  publish->add_option("PROGRAM", publish_options->program, "a WASI command; pages give its arguments and its standard input")->required()->type_name("FILE.wasm");
  publish->add_option("--per-visitor", publish_options->limits.visitor_per_minute, "jobs that one visitor begins in a minute")->type_name("N")->capture_default_str();
  publish->add_option("--together", publish_options->limits.per_minute, "and all visitors together")->type_name("N")->capture_default_str();
  publish->add_option("--fuel", publish_options->limits.fuel_limit, "instructions that one job may use")->type_name("N")->capture_default_str();
  publish->add_option("--memory", publish_options->memory, "memory that one job may use")->type_name("SIZE")->capture_default_str();
  publish->add_option("--input", publish_options->input, "standard input that a page may give, up to 1M; 0: arguments only")->type_name("SIZE")->capture_default_str();
  publish->add_option("--verify", publish_options->limits.verify, "owners whose machines must agree, where the page does not say")->check(CLI::Range(1, 16))->capture_default_str();
  publish->add_option("--verify-max", publish_options->limits.verify_max, "the most that a page may ask for")->check(CLI::Range(1, 16))->capture_default_str();
  publish->add_option("--timeout", publish_options->timeout, "how long a job may wait and run")->type_name("TIME")->capture_default_str();
  publish->add_option("--zone", publish_options->zone, "whose policy and keys cover it")->type_name("NAME")->capture_default_str();
  add_verb(*web, chosen, "list", "What pages may have run, and how much they did.", "  selvedge web list\n", [](World& w) { return run_web_list(w); });
  const auto name = std::make_shared<ServiceNameOptions>();
  CLI::App* withdraw = add_verb(*web, chosen, "withdraw", "Have it run for pages no longer; what is under way of it ends.", "  selvedge web withdraw stats\n", verb_of(name, run_web_withdraw));
  withdraw->add_option("NAME", name->name, "as it was published")->required();

  const auto example_options = std::make_shared<ExampleOptions>();
  CLI::App* example = add_verb(app, chosen, "example", "Pages to open in a browser, with all that they need, until Ctrl-C. Without a name: which there are.",
                               "  selvedge example\n  selvedge example tiles\n", verb_of(example_options, run_example));
  example->add_option("NAME", example_options->name, "which");
  example->add_option("--web", example_options->web, "where the page is, on this machine")->type_name("ADDR:PORT")->capture_default_str();
  example->group("A node");
}

}  // namespace selvedge::cli
