// How verbs come onto the command line. Only the args_*.cc files see this header, and through it CLI11.
//
// A group of verbs is one function that adds its sub-commands, each with add_verb(). The options of a verb live in a
// shared structure that the verb's function keeps, so a group needs nothing from the others. While the line is parsed the
// verb it names is put into `chosen`; run_command_line() then calls it.
#pragma once

#include <CLI/CLI.hpp>  // style: allow heavy_header because this header is for the args_*.cc files alone

#include <functional>
#include <memory>

#include "cli/commands.h"

namespace selvedge::cli {

using Verb = std::function<CommandResult(World&)>;

/// A verb that hands its options to `run`. The options live as long as the verb does.
template <class Options>
Verb verb_of(std::shared_ptr<Options> options, CommandResult (*run)(World&, const Options&)) {
  return [options = std::move(options), run](World& world) { return run(world, *options); };
}

/// Adds a verb with its help text and examples.
CLI::App* add_verb(CLI::App& parent, Verb& chosen, const char* name, const char* about, const char* examples, Verb verb);

void add_trust_verbs(CLI::App& app, Verb& chosen);     // args_trust.cc: peers, grants, leases, receipts
void add_device_verbs(CLI::App& app, Verb& chosen);    // args_device.cc: keys, devices, zones
void add_permission_verbs(CLI::App& grant, Verb& chosen);  // args_authority.cc: below selvedge grant
void add_authority_verbs(CLI::App& app, Verb& chosen);     // args_authority.cc: policy, revoke
/// args_secret.cc. `command` is filled in before a verb runs: the words after "--".
void add_secret_verbs(CLI::App& app, Verb& chosen, const std::vector<std::string>& command);
void add_meeting_verbs(CLI::App& app, Verb& chosen);
void add_service_verbs(CLI::App& app, Verb& chosen);   // args_meeting.cc: relays and rendezvous
void add_identity_verbs(CLI::App& app, Verb& chosen);  // args_identity.cc: who this node is to an origin
void add_web_verbs(CLI::App& app, Verb& chosen);       // args_web.cc: what pages may have done; examples
void add_audit_verbs(CLI::App& app, Verb& chosen);     // args_audit.cc: the audit log
void add_fountain_verbs(CLI::App& app, Verb& chosen);  // args_fountain.cc: the codec on plain files

}  // namespace selvedge::cli
