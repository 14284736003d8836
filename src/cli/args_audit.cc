// Verbs about the audit log.
#include "cli/args.h"

namespace selvedge::cli {

void add_audit_verbs(CLI::App& app, Verb& chosen) {
  CLI::App* audit = app.add_subcommand("audit", "What was decided and done on this machine, in a log that cannot be changed unnoticed.")->require_subcommand(1)->group("Authority");
  audit->footer(
      "Every grant, revocation, lease, receipt, policy, permission and released secret is an entry. The log's checkpoint is signed\n"
      "by this node and cosigned by the owner's other nodes, and by whoever an issuer set of the policy allows \"audit.cosign\":\n"
      "each of them signs only what goes on from what it saw before, so a log that was cut, rewritten or rolled back is found.\n"
      "They do so by themselves, whenever they are connected. How many must is the policy's audit_quorum.");
  add_verb(*audit, chosen, "head", "The newest checkpoint: size, root, who cosigned it, how long ago. Exit code 15 when something contradicts it.",
           "  selvedge audit head\n  selvedge --json audit head | jq -r .checkpoint\n", [](World& w) { return run_audit_head(w); });
  const auto list = std::make_shared<AuditListOptions>();
  CLI::App* verb = add_verb(*audit, chosen, "list", "Entries of the log, newest first.",
                            "  selvedge audit list\n  selvedge audit list --kind grant --since 7d\n  selvedge --json audit list --all\n", verb_of(list, run_audit_list));
  verb->add_option("--kind", list->kind, "node, grant, capability, revocation, lease, receipt, policy, permission, zone-epoch, secret, device, key, bundle, witness or gap");
  verb->add_option("--since", list->since, "not older than this: 90s, 15m, 1h, 7d")->type_name("TIME");
  verb->add_option("--count", list->count, "at most so many")->capture_default_str();
  verb->add_flag("--all", list->all, "all of them");
  const auto prove = std::make_shared<AuditProveOptions>();
  verb = add_verb(*audit, chosen, "prove", "Write a proof that an entry is in the log, for someone who has no access to it.",
                  "  selvedge audit prove 17 -o grant.tlog-proof             by its index\n"
                  "  selvedge audit prove 3f1c09aa -o grant.tlog-proof       the newest entry about this object\n",
                  verb_of(prove, run_audit_prove));
  verb->add_option("ENTRY", prove->entry, "its index, or the id of the object it is about (8 digits or more of it)")->required();
  verb->add_option("-o,--output", prove->out, "file to write; - for standard output")->required()->type_name("FILE");
  const auto exporting = std::make_shared<AuditExportOptions>();
  verb = add_verb(*audit, chosen, "export", "Write the whole log as files that other tools read (c2sp.org/tlog-tiles). Into the same folder again, it adds what is new.",
                  "  selvedge audit export ~/audit-2026\n", verb_of(exporting, run_audit_export));
  verb->add_option("DIR", exporting->dir, "a new folder, or one that an earlier export made")->required();
  const auto check = std::make_shared<AuditVerifyOptions>();
  verb = add_verb(*audit, chosen, "verify", "Check a proof, or every byte of an exported log. Needs no node.",
                  "  selvedge audit verify grant.tlog-proof\n"
                  "  selvedge audit verify ~/audit-2026 --log cwzk6...8ty            it must be the log of this node\n"
                  "  selvedge audit verify ~/audit-2026 --since checkpoint.old       and go on from this earlier checkpoint\n"
                  "  selvedge audit verify proof --vkey KEY1 --vkey KEY2 --vkey KEY3 --quorum 2\n",
                  verb_of(check, run_audit_verify));
  verb->add_option("PATH", check->path, "a proof file, or an exported folder")->required();
  verb->add_option("--log", check->log, "the node key whose log it must be")->type_name("KEY");
  verb->add_option("--vkey", check->vkeys, "a key that must have signed (NAME+ID+BASE64, as audit head shows it); also for logs of other tools")->type_name("VKEY");
  verb->add_option("--quorum", check->quorum, "so many of the --vkey keys are enough")->type_name("N");
  verb->add_option("--since", check->since, "an earlier checkpoint that the log must go on from")->type_name("FILE");
  verb->add_option("--entry", check->entry, "the entry that a proof is about, where the proof does not hold it")->type_name("FILE");
}

}  // namespace selvedge::cli
