// Verbs about an owner's keys, devices and zones.
#include "cli/args.h"

namespace selvedge::cli {

namespace {

void add_key_verbs(CLI::App& app, Verb& chosen) {
  CLI::App* key = app.add_subcommand("key", "The keys of this home: the owner's, and the node's.")->require_subcommand(1)->group("Keys and devices");
  add_verb(*key, chosen, "show", "Show which keys are here, and where. Never the secret ones.", "  selvedge key show\n", [](World& w) { return run_key_show(w); });

  add_verb(*key, chosen, "rotate", "Give this node a new key in place of its old one. The node must not run meanwhile.",
           "  selvedge stop; selvedge key rotate; selvedge up\n", [](World& w) { return run_key_rotate(w); });

  const auto export_options = std::make_shared<KeyExportOptions>();
  CLI::App* exported = add_verb(*key, chosen, "export", "Write the keys to a file, sealed with a passphrase: the backup that finds everything again.",
                                "  selvedge key export -o keys.txt\n"
                                "  selvedge key export --owner -o keys.txt          the owner's key alone; an import makes a new node\n"
                                "  selvedge key export -o - | lpr                   on paper\n",
                                verb_of(export_options, run_key_export));
  exported->add_option("-o,--output", export_options->out, "the file to write, which must not exist; - for standard output")->required()->type_name("FILE");
  exported->add_flag("--owner", export_options->owner, "only the owner's key");
  exported->add_flag("--node", export_options->node, "only this node's keys");
  exported->add_option("--passphrase-file", export_options->passphrase_file, "take the passphrase from the first line of a file instead of asking")->type_name("FILE");

  const auto import_options = std::make_shared<KeyImportOptions>();
  CLI::App* imported = add_verb(*key, chosen, "import", "Put keys from a backup into this home. Nothing that lies there is overwritten.",
                                "  selvedge key import keys.txt\n"
                                "  selvedge --home /srv/new key import keys.txt\n",
                                verb_of(import_options, run_key_import));
  imported->add_option("FILE", import_options->file, "what selvedge key export wrote")->required();
  imported->add_flag("--fresh", import_options->fresh, "do not look for what this owner had stored: begin anew");
  imported->add_option("--passphrase-file", import_options->passphrase_file, "take the passphrase from the first line of a file instead of asking")->type_name("FILE");
}

void add_enrol_verbs(CLI::App& app, Verb& chosen) {
  CLI::App* device = app.add_subcommand("device", "Your machines: one holds your key, the others are enrolled by it.")->require_subcommand(1)->group("Keys and devices");
  add_verb(*device, chosen, "request", "On the new device: show the request that your key has to answer.",
           "  selvedge init --owner gm9xk...5fo --label phone\n  selvedge device request\n", [](World& w) { return run_device_request(w); });
  const auto enroll = std::make_shared<DeviceOptions>();
  CLI::App* enrolled = add_verb(*device, chosen, "enroll", "On the device with your key: say that another one is yours. Prints the text to carry back.",
                                "  selvedge device enroll selvedgerequest1...\n"
                                "  selvedge device enroll selvedgerequest1... --zone work --zone community      with the keys of these zones only\n",
                                verb_of(enroll, run_device_enroll));
  enrolled->add_option("REQUEST", enroll->request, "what selvedge device request shows there")->required();
  enrolled->add_option("--zone", enroll->zones, "whose keys it gets; without it, all zones there are")->type_name("NAME");
  const auto accept = std::make_shared<DeviceOptions>();
  add_verb(*device, chosen, "accept", "On the new device: take the answer in. Then start it.", "  selvedge device accept selvedgeaccept1...\n",
           verb_of(accept, run_device_accept))
      ->add_option("ANSWER", accept->answer, "what selvedge device enroll printed")
      ->required();
  add_verb(*device, chosen, "list", "Your devices, which of them are here, and whose zones' keys they have.", "  selvedge device list\n",
           [](World& w) { return run_device_list(w); });
  const auto lost = std::make_shared<DeviceOptions>();
  add_verb(*device, chosen, "lost", "A device is gone: revoke it, give its zones new keys, withdraw its grants, place anew what it held, alert the others.",
           "  selvedge device lost phone\n  selvedge device lost cwzk6d...\n", verb_of(lost, run_device_lost))
      ->add_option("DEVICE", lost->device, "its name, its key, or the beginning of its key")
      ->required();
}

void add_zone_verbs(CLI::App& app, Verb& chosen) {
  CLI::App* zone = app.add_subcommand("zone", "Your zones: keys of their own, a policy of their own, a level of trust.")->require_subcommand(1)->group("Keys and devices");
  add_verb(*zone, chosen, "list", "Your zones, the most trusted first.", "  selvedge zone list\n", [](World& w) { return run_zone_list(w); });
  const auto named = [&](const char* name, const char* about, const char* examples, CommandResult (*run)(World&, const ZoneOptions&)) {
    const auto options = std::make_shared<ZoneOptions>();
    CLI::App* verb = add_verb(*zone, chosen, name, about, examples, verb_of(options, run));
    verb->add_option("ZONE", options->zone, "its name")->required();
    return std::pair(verb, options);
  };
  named("show", "A zone's epochs, who has their keys, and how its data is spread.", "  selvedge zone show work\n", run_zone_show);
  named("create", "Make a zone. Its policy is that of work, until you write another (selvedge policy).", "  selvedge zone create photos\n", run_zone_create);
  const auto [rotate, rotate_options] = named("rotate", "Give a zone new keys for what is put from now on. What was put before stays readable.",
                                              "  selvedge zone rotate work --reason \"Carl left the team\"\n", run_zone_rotate);
  rotate->add_option("--reason", rotate_options->reason, "why, for whoever looks later")->required()->type_name("TEXT");
  const auto bridge = std::make_shared<ZoneOptions>();
  CLI::App* verb = add_verb(*zone, chosen, "bridge", "Bring content from one zone into another: under new names and new keys, with an account of where it came from.",
                            "  selvedge zone bridge bafkrei... --from private --to work\n"
                            "  (both zones' policies need a flow rule for it: selvedge policy example)\n",
                            verb_of(bridge, run_zone_bridge));
  verb->add_option("CID", bridge->cid, "the content id")->required();
  verb->add_option("--from", bridge->from, "the zone it is in")->required()->type_name("ZONE");
  verb->add_option("--to", bridge->to, "the zone it shall be in, too")->required()->type_name("ZONE");
}

}  // namespace

void add_device_verbs(CLI::App& app, Verb& chosen) {
  add_key_verbs(app, chosen);
  add_enrol_verbs(app, chosen);
  add_zone_verbs(app, chosen);
}

}  // namespace selvedge::cli
