// selvedge policy: what may be done with the owner's zones, as a file that a person writes.
#include <fmt/format.h>
#include <time.h>

#include "cli/commands.h"
#include "cli/files.h"
#include "cli/policy_file.h"
#include "codec/multibase.h"
#include "host/daemon/home.h"
#include "object/permission.h"

namespace selvedge::cli {

namespace {

/// Whose zones a file is about: the home's owner, or for a check without a home a key that is nobody's.
Result<crypto::PublicKey> owner_of_home(const World& world) {
  const Result<host::Home> home = host::Home::open(world.home);
  if (home.ok()) return codec::parse_key(home->owner_key);
  if (home.code() != Errc::kNotFound) return home.error();
  crypto::PublicKey nobody;
  nobody.bytes.fill(1);
  return nobody;
}

std::string summary(const FiledPolicy& filed) {
  const object::ZonePolicy& policy = filed.policy;
  return fmt::format("zone {}: trust {}, {}; {} allowed, {} denied; {} hosts, {} issuer sets, {} principal rules, {} flow rules", policy.name, policy.trust_level,
                     object::class_names(policy.classes), policy.allow.size(), policy.deny.size(),
                     policy.executors.empty() ? std::string("any") : std::to_string(policy.executors.size()), policy.issuers.size(),
                     policy.principals.size(), policy.flows.size());
}

Result<std::vector<FiledPolicy>> read_file(const World& world, const std::string& path) {
  const Bytes text = TRY(read_whole(path, kPolicyFileSizeMax));
  Result<std::vector<FiledPolicy>> read = read_policy_file(to_string(text), TRY(owner_of_home(world)));
  if (!read.ok()) return fail(read.code(), path + ": " + read.error().message);
  return read;
}

void print_verdict(World& world, const node::PolicyExplainAnswer& answer, const std::string& operation) {
  world.terminal.record(codec::to_json_text(answer));
  world.terminal.line(fmt::format("{} in zone {}: {}. {}.", operation, answer.zone_name, answer.allowed ? "yes" : "no", answer.rule));
}

}  // namespace

CommandResult run_policy_example(World& world) {
  world.terminal.line(policy_example());
  return kExitOk;
}

CommandResult run_policy_check(World& world, const PolicyOptions& options) {
  for (const FiledPolicy& filed : TRY(read_file(world, options.file))) {
    world.terminal.record(codec::to_json_text(filed.policy));
    world.terminal.line("ok  " + summary(filed));
  }
  return kExitOk;
}

CommandResult run_policy_apply(World& world, const PolicyOptions& options) {
  const std::vector<FiledPolicy> all = TRY(read_file(world, options.file));
  const auto client = TRY(Client::connect(world.home, nullptr));
  for (const FiledPolicy& filed : all) {
    object::ZonePolicy policy = filed.policy;
    policy.issued = 1, policy.expires = 1 + filed.seconds;  // a policy is valid in itself or is not read; the node sets the real times
    const Json answer = TRY(client->ask_json(node::PolicySetRequest{to_hex(codec::encode(policy)), filed.seconds}));
    world.terminal.record(answer.dump());
    world.terminal.line(fmt::format("applied  {}; serial {}", summary(filed), answer.at("policy").at("serial").number()));
  }
  return kExitOk;
}

CommandResult run_policy_show(World& world, const PolicyOptions& options) {
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(node::PolicyListRequest{}));
  const Json list = answer.at("policies");
  Table table({"zone", "owner", ">trust", "permissions", ">allow", ">deny", ">serial", "until"});
  for (size_t i = 0; i < list.size(); ++i) {
    const Json item = list.item(i);
    const Json policy = item.at("policy");
    const std::string name = item.at("zone_name").text();
    if (!options.zone.empty() && options.zone != name) continue;
    world.terminal.record(item.dump());
    const std::string owner = item.at("own").flag() ? "own" : item.at("owner").text().substr(0, 8) + "...";
    time_t until = time_t(policy.at("expires").number());
    char day[32] = {};
    tm parts{};
    strftime(day, sizeof day, "%Y-%m-%d", gmtime_r(&until, &parts));
    table.row({name, owner, std::to_string(policy.at("trust_level").number()), object::class_names(object::ClassSet(policy.at("classes").number())),
               std::to_string(policy.at("allow").size()), std::to_string(policy.at("deny").size()), std::to_string(policy.at("serial").number()), day});
  }
  if (!table.empty()) table.print(world.terminal);
  else world.terminal.line(options.zone.empty() ? "No policy is known here." : "No zone " + options.zone + " is known here.");
  return kExitOk;
}

CommandResult run_policy_explain(World& world, const PolicyOptions& options) {
  if (options.file.empty()) {
    const auto client = TRY(Client::connect(world.home, nullptr));
    const auto answer = TRY(client->ask(node::PolicyExplainRequest{options.operation, options.zone, options.principal, options.machine_owner}));
    print_verdict(world, answer, options.operation);
    return answer.allowed ? kExitOk : kExitCheckFailed;
  }
  const std::vector<FiledPolicy> all = TRY(read_file(world, options.file));
  const auto found = std::find_if(all.begin(), all.end(), [&](const FiledPolicy& f) { return f.policy.name == options.zone; });
  if (found == all.end()) return fail(Errc::kNotFound, options.file + " has no [zone." + options.zone + "]");
  if (!object::is_operation(options.operation)) return fail(Errc::kInvalid, "\"" + options.operation + "\" is no operation, such as storage.read");
  object::PolicyQuestion question{options.operation, object::classes_of(options.operation), found->policy.owner, {}};
  if (!options.principal.empty()) question.principal = TRY(codec::parse_key(options.principal));
  if (!options.machine_owner.empty()) question.machine_owner = TRY(codec::parse_key(options.machine_owner));
  const Instant now = Instant::from_unix_seconds(uint64_t(time(nullptr)));
  const object::PolicyVerdict verdict = object::judge_policy(found->policy, question, now);
  print_verdict(world, {found->policy.name, verdict.allowed, verdict.text(), verdict.list, verdict.index, 0}, options.operation);
  return verdict.allowed ? kExitOk : kExitCheckFailed;
}

}  // namespace selvedge::cli
