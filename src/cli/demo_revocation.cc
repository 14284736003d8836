// The end of the demonstration: a grant is taken back, and everybody's accounts are compared.
#include <poll.h>

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "cli/demo_script.h"
#include "cli/units.h"

namespace selvedge::cli {

namespace {
constexpr const char* kRunner = "selvedge-domain";
constexpr int kHandoverSecondsMax = 180;
}  // namespace

Status DemoScript::revoke_chen() {
  report_.step(6, "chen's owner takes the grant back while chen is computing");
  DemoNode& chen = fabric_.at("chen");
  // Loops that take a while, so that chen is in the middle of some.
  const node::RunRequest request = TRY(small_job("kernels", {"mix", "300"}, "kernels"));
  const auto leases = TRY(chen.client->ask(node::LeaseListRequest{}));
  const std::string lease = leases.leases.empty() ? "" : leases.leases.front().id.hex().substr(0, 12);
  Result<node::LeaseChangeAnswer> changed = fail(Errc::kInternal, "the job ended before the grant was revoked");
  size_t domains_before = 0, domains_after = 0;
  const auto run = TRY(run_job(request, "   map", [&](const Json& progress) {
    const uint64_t done = progress.at("tasks_done").number();
    if (changed.ok() || domains_before > 0 || done == 0 || done >= progress.at("tasks_total").number()) return;
    const std::set<pid_t> before = descendants(chen.pid, kRunner);
    domains_before = before.size();
    if (domains_before == 0) return;
    changed = chen.client->ask(node::LeaseChangeRequest{lease, node::LeaseAction::kRevoke});
    // A process that only starts now, to wait for whoever has a lease next, is none of them; nor is one that started just before and has yet to say so
    // by its name, for which it has a moment.
    for (int look = 0; look < 50; ++look) {
      const std::set<pid_t> after = descendants(chen.pid, kRunner);
      domains_after = size_t(std::count_if(before.begin(), before.end(), [&](pid_t pid) { return after.contains(pid); }));
      if (domains_after == 0) break;
      (void)poll(nullptr, 0, 10);
    }
  }));
  report_.command(chen.home, "lease revoke " + lease);
  if (!changed.ok()) return changed.error();
  report_.say(fmt::format("the lease is {}; nothing of it ran any more after {}", changed->state, format_us(changed->stopped_us)));
  report_.figure("revoke_stopped_us", changed->stopped_us);
  report_.check("chen's domains were running, and are gone from the process table", domains_before > 0 && domains_after == 0,
                fmt::format("{} before, {} after", domains_before, domains_after));
  report_.check("the job ended all the same", run.outputs.size() == request.inputs.size(),
                fmt::format("{} tasks, {} executions repeated", run.outputs.size(), run.retries));
  const uint64_t tasks = TRY(tasks_of(chen));
  const uint64_t tasks_of_dora = TRY(tasks_of(fabric_.at("dora")));
  const auto after = TRY(run_job(TRY(small_job("textstats", {}, "without-chen")), "   map", nullptr));
  const bool asked = std::any_of(after.outputs.begin(), after.outputs.end(), [&](const node::RunOutput& output) {
    return std::find(output.agreed.begin(), output.agreed.end(), chen.owner_key()) != output.agreed.end();
  });
  report_.check("no new work is placed on chen", !asked && TRY(tasks_of(chen)) == tasks);
  report_.check("nor on dora", TRY(tasks_of(fabric_.at("dora"))) == tasks_of_dora);
  TRY(wait_for_handover());
  return read_back("after chen's part was handed over and deleted", Measure::kNo);
}

Status DemoScript::wait_for_handover() {
  DemoNode& chen = fabric_.at("chen");
  report_.command(chen.home, "status");
  ProgressBar bar(report_.terminal(), "   handing over");
  uint64_t most = 0, pending = 0, held = 0;
  const Status done = until("the handing over of chen's symbols", kHandoverSecondsMax, [&]() -> Result<bool> {
    pending = TRY(origin().client->ask(node::StatusRequest{})).repairs_pending;
    held = TRY(chen.client->ask(node::StatusRequest{})).objects_held;
    most = std::max(most, held);
    bar.show(most - held, most, fmt::format("{} objects left on chen", held));
    return pending == 0 && held == 0;
  });
  bar.clear();
  if (!done.ok() && done.error().code != Errc::kTimeout) return done;
  report_.check("chen's symbols are placed on others, and deleted there", done.ok(),
                fmt::format("{} objects on chen, {} waiting at the origin", held, pending));
  return ok();
}

namespace {

struct Account {
  uint64_t tasks = 0, accepted = 0, fuel = 0, cpu_ns = 0, wall_ms = 0, bytes_in = 0, bytes_out = 0;
};

void add_to(Account& account, const object::Receipt& receipt, bool accepted) {
  ++account.tasks;
  account.accepted += accepted ? 1 : 0;
  account.fuel += receipt.fuel;
  account.cpu_ns += receipt.cpu_ns;
  account.wall_ms += receipt.finished_ms - std::min(receipt.started_ms, receipt.finished_ms);
  account.bytes_in += receipt.bytes_in;
  account.bytes_out += receipt.bytes_out;
}

std::string account_json(const std::string& host, const std::string& module, const Account& account) {
  Record record;
  record.text("host", host).text("origin", "origin").text("module", module).number("tasks", account.tasks).number("accepted", account.accepted);
  record.number("wall_ms", account.wall_ms).number("fuel", account.fuel).number("cpu_ns", account.cpu_ns);
  record.number("bytes_in", account.bytes_in).number("bytes_out", account.bytes_out);
  return Record().raw("receipts", record.json()).json();
}

}  // namespace

// The hosts' own logs say what ran; the origin's copies say which of it was accepted. Both are signed by the executor, so
// what the origin was given must be, byte for byte, what the host wrote down for itself.
Status DemoScript::check_receipts() {
  report_.step(7, "Receipts: who ran what for whom, for how long, and what it used");
  std::set<std::string> accepted;
  const auto kept = TRY(receipts_of(origin()));
  for (const node::ReceiptInfo& each : kept) {
    if (each.accepted) accepted.insert(codec::to_json_text(each.receipt));
  }
  std::map<std::pair<std::string, std::string>, Account> accounts;
  std::set<std::string> own;
  bool foreign = false;
  for (DemoNode* host : hosts()) {
    report_.command(host->home, "receipts");
    for (const node::ReceiptInfo& each : TRY(receipts_of(*host))) {
      const std::string text = codec::to_json_text(each.receipt);
      foreign = foreign || each.receipt.executor != host->node_key() || each.receipt.origin != origin().owner_key();
      own.insert(text);
      add_to(accounts[{host->name, each.receipt.module.text()}], each.receipt, accepted.count(text) > 0);
    }
  }
  Table table({"host", "for", ">tasks", ">accepted", ">time", ">fuel", ">cpu", ">in", ">out", "program"});
  uint64_t fuel = 0, cpu_ns = 0;
  for (const auto& [key, sum] : accounts) {
    table.row({key.first, "origin", std::to_string(sum.tasks), std::to_string(sum.accepted), format_us(sum.wall_ms * 1000), format_count(sum.fuel),
               format_us(sum.cpu_ns / 1000), format_bytes(sum.bytes_in), format_bytes(sum.bytes_out), key.second});
    report_.terminal().record(account_json(key.first, key.second, sum));
    fuel += sum.fuel;
    cpu_ns += sum.cpu_ns;
  }
  table.print(report_.terminal(), "     ");
  const auto matched = size_t(std::count_if(kept.begin(), kept.end(), [&](const auto& each) { return own.count(codec::to_json_text(each.receipt)) > 0; }));
  report_.check("every receipt the origin holds is also in its host's own log", matched == kept.size() && !kept.empty(),
                fmt::format("{} of {}", matched, kept.size()));
  report_.check("every receipt names its host and the origin", !foreign);
  const bool named = std::any_of(accounts.begin(), accounts.end(), [&](const auto& each) { return each.first.second == module_.text() && each.second.accepted > 0; });
  const auto dora = std::count_if(accounts.begin(), accounts.end(), [](const auto& each) { return each.first.first == "dora" && each.second.accepted > 0; });
  report_.check("they name the very program that was sent, and none of dora's was accepted", named && dora == 0, module_.text());
  report_.figure("receipts", uint64_t(own.size()));
  report_.figure("fuel", fuel);
  report_.figure("cpu_seconds", double(cpu_ns) / 1e9);
  return ok();
}

}  // namespace selvedge::cli
