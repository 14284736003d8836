// Verbs about who trusts whom: peers, grants, leases, receipts.
#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <iterator>
#include <map>

#include "cli/commands.h"
#include "cli/shared.h"
#include "cli/units.h"
#include "codec/multibase.h"
#include "work/dtaps.h"

namespace selvedge::cli {

namespace {

constexpr size_t kShortIdLength = 12;

std::string short_id(const crypto::Digest& id) { return id.hex().substr(0, kShortIdLength); }

/// With --json a list is one record for each element.
void print_records(Terminal& terminal, const Json& list) {
  for (size_t i = 0; i < list.size(); ++i) terminal.record(list.item(i).dump());
}

std::string cpu_text(uint32_t permille) { return permille == 0 ? "none" : fmt::format("{:g}%", permille / 10.0); }

}  // namespace

std::string when(uint64_t unix_seconds) {
  const uint64_t now = uint64_t(time(nullptr));
  return unix_seconds >= now ? "in " + format_seconds(unix_seconds - now) : format_seconds(now - unix_seconds) + " ago";
}

CommandResult run_peer_add(World& world, const PeerAddOptions& options) {
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(node::PeerAddRequest{options.ticket}));
  world.terminal.record(answer.dump());
  world.terminal.line("Added node " + answer.at("node").text() + ". selvedge peer list shows when it is connected.");
  return kExitOk;
}

CommandResult run_peer_list(World& world) {
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(node::PeerListRequest{}));
  print_records(world.terminal, answer.at("peers"));
  const auto list = TRY(read_answer<node::PeerListAnswer>(answer));
  Table table({"node", "owner", "state", "path", "address", "remark"});
  for (const node::PeerInfo& peer : list.peers) {
    const std::string state = peer.banned ? "banned" : peer.connected ? "connected" : "away";
    const std::string remark = peer.banned ? "gave a wrong result: gets no more work" : peer.connected ? "" : printable(peer.error);
    // The way through a relay is long and says little; its ticket has it whole.
    const std::string address = !peer.at.empty() ? peer.at : peer.addresses.empty() ? "" : printable(peer.addresses.front()).substr(0, 40);
    const std::string path = peer.ways > 1 ? fmt::format("{}, {} ways", peer.path, peer.ways) : peer.path;
    table.row({short_key(peer.node), short_key(peer.owner), state, path, address, remark});
  }
  if (table.empty()) world.terminal.line("No peers yet. Ask for a ticket (selvedge ticket on their machine), then: selvedge peer add TICKET");
  else table.print(world.terminal);
  return kExitOk;
}

namespace {

/// What a grant says of how gently it may be used; empty where it says no more than usual.
std::string manners_text(const object::Manners& manners) {
  const object::Manners usual;
  std::string out;
  const auto add = [&](const std::string& text) { out += (out.empty() ? "" : ", ") + text; };
  if (manners.network_kbps > 0) add(fmt::format("network {} kbit/s", manners.network_kbps));
  if (manners.burst_us != usual.burst_us) add("burst " + format_us(manners.burst_us));
  if (manners.wakeups_per_second != usual.wakeups_per_second) add(fmt::format("{} wake-ups/s", manners.wakeups_per_second));
  if (manners.heat_max != usual.heat_max) add(std::string("heat up to ") + work::level_name(work::Level(manners.heat_max)));
  if (manners.utility != usual.utility) add(fmt::format("utility {}", manners.utility));
  return out;
}

Result<object::Manners> manners_of(const GrantGiveOptions& options) {
  object::Manners out;
  if (!options.network.empty()) out.network_kbps = TRY(parse_kbps(options.network));
  out.burst_us = TRY(parse_us(options.burst));
  out.wakeups_per_second = options.wakeups;
  out.utility = options.utility;
  for (uint8_t level = 0; level <= uint8_t(work::Level::kLast); ++level) {
    if (options.heat == work::level_name(work::Level(level))) out.heat_max = level;
  }
  return out;
}

}  // namespace

CommandResult run_grant_give(World& world, const GrantGiveOptions& options) {
  node::GrantGiveRequest request;
  request.origin = options.origin;
  request.cpu_permille = TRY(parse_cpu_permille(options.cpu));
  request.memory_bytes = TRY(parse_bytes(options.memory));
  request.storage_bytes = TRY(parse_bytes(options.storage));
  request.seconds = TRY(parse_seconds(options.duration));
  request.device = options.device;
  request.battery_percent_min = options.battery_percent_min;
  request.only_while_charging = options.only_while_charging;
  request.manners = TRY(manners_of(options));
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(request));
  world.terminal.record(answer.dump());
  const auto grant = TRY(read_answer<node::GrantInfo>(answer));
  world.terminal.line(fmt::format("Granted to {}: {} of a processor, {} of memory, {} of storage, until {} from now.", short_key(grant.origin),
                                  cpu_text(grant.cpu_permille), format_bytes(grant.memory_bytes), format_bytes(grant.storage_bytes),
                                  format_seconds(request.seconds)));
  if (const std::string manners = manners_text(grant.manners); !manners.empty()) world.terminal.line("Bounds: " + manners + ".");
  world.terminal.line("Take it back at any time: selvedge lease revoke " + short_id(grant.id));
  return kExitOk;
}

CommandResult run_grant_list(World& world) {
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(node::GrantListRequest{}));
  print_records(world.terminal, answer.at("grants"));
  const auto list = TRY(read_answer<node::GrantListAnswer>(answer));
  Table table({"grant", "direction", "with", "node", ">cpu", ">memory", ">storage", "state", "expires", "bounds"});
  for (const node::GrantInfo& grant : list.grants) {
    table.row({short_id(grant.id), grant.given ? "given" : "received", short_key(grant.given ? grant.origin : grant.owner), short_key(grant.node),
               cpu_text(grant.cpu_permille), format_bytes(grant.memory_bytes), format_bytes(grant.storage_bytes), grant.state, when(grant.expires), manners_text(grant.manners)});
  }
  if (table.empty()) world.terminal.line("No grants. Give one to an origin's owner: selvedge grant give KEY --cpu 50% --memory 256M --storage 1G --for 1h");
  else table.print(world.terminal);
  return kExitOk;
}

CommandResult run_lease_list(World& world) {
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(node::LeaseListRequest{}));
  print_records(world.terminal, answer.at("leases"));
  const auto list = TRY(read_answer<node::LeaseListAnswer>(answer));
  Table table({"lease", "origin", "state", "expires", ">tasks", ">fuel", ">cpu", ">stored", ">in", ">out"});
  for (const node::LeaseInfo& lease : list.leases) {
    table.row({short_id(lease.id), short_key(lease.origin), lease.state, when(lease.expires), std::to_string(lease.tasks), format_count(lease.fuel),
               format_us(lease.cpu_ns / 1000), format_bytes(lease.stored_bytes), format_bytes(lease.bytes_in), format_bytes(lease.bytes_out)});
  }
  if (table.empty()) world.terminal.line("No leases: nobody has been granted anything on this machine (selvedge grant give).");
  else table.print(world.terminal);
  return kExitOk;
}

CommandResult run_lease_change(World& world, const LeaseOptions& options) {
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(node::LeaseChangeRequest{options.lease, options.action}));
  world.terminal.record(answer.dump());
  const auto changed = TRY(read_answer<node::LeaseChangeAnswer>(answer));
  std::string text = "Lease " + short_id(changed.id) + " is " + changed.state + ".";
  if (options.action != node::LeaseAction::kResume) text += " Nothing of it ran any more after " + format_us(changed.stopped_us) + ".";
  world.terminal.line(text);
  if (options.action == node::LeaseAction::kRevoke) world.terminal.line("What it stored here stays until its owner has placed it elsewhere, then it is deleted.");
  return kExitOk;
}

CommandResult run_lease_throttle(World& world, const ThrottleOptions& options) {
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(node::LeaseThrottleRequest{options.lease, uint32_t(options.percent * 10 + 0.5)}));
  world.terminal.record(answer.dump());
  const auto throttled = TRY(read_answer<node::LeaseThrottleAnswer>(answer));
  world.terminal.line(fmt::format("Lease {} has at most {} % of one processor now.", short_id(throttled.id), double(throttled.cpu_permille) / 10));
  return kExitOk;
}

CommandResult run_domain_list(World& world) {
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(node::DomainListRequest{}));
  print_records(world.terminal, answer.at("domains"));
  const auto list = TRY(read_answer<node::DomainListAnswer>(answer));
  const uint64_t now = uint64_t(time(nullptr));
  Table table({"task", "lease", "origin", "program", "stage", ">for"});
  for (const node::DomainInfo& each : list.domains) {
    table.row({short_id(each.task), short_id(each.lease), short_key(each.origin), each.bundle.empty() ? each.module.text() : printable(each.bundle), each.stage, format_seconds(now > each.offered ? now - each.offered : 0)});
  }
  if (table.empty()) world.terminal.line("Nothing of others runs here.");
  else table.print(world.terminal);
  return kExitOk;
}

CommandResult run_task_list(World& world) {
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(node::TaskListRequest{}));
  print_records(world.terminal, answer.at("tasks"));
  const auto list = TRY(read_answer<node::TaskListAnswer>(answer));
  Table table({"task", "machine", "state", ">for", ">kept at", ">kept", ">moves"});
  for (const node::TaskInfo& task : list.tasks) {
    table.row({short_id(task.task), short_key(task.node), task.committed ? "done, not shown" : "running", format_seconds(task.seconds),
               task.state_bytes == 0 ? "nothing" : format_count(task.fuel) + " fuel", format_bytes(task.state_bytes), std::to_string(task.moves)});
  }
  if (table.empty()) world.terminal.line("Nothing is under way.");
  else table.print(world.terminal);
  return kExitOk;
}

CommandResult run_task_move(World& world, const TaskOptions& options) {
  const auto client = TRY(Client::connect(world.home, nullptr));
  world.terminal.record(TRY(client->ask_json(node::TaskMoveRequest{options.task, options.node})).dump());
  world.terminal.line("It was offered to that machine (selvedge task list shows where it is).");
  return kExitOk;
}

namespace {

struct ReceiptSum {
  uint64_t tasks = 0, accepted = 0, fuel = 0, cpu_ns = 0, bytes_in = 0, bytes_out = 0, wakeups = 0, frozen_ms = 0, violations = 0;
  uint64_t resident_peak_bytes = 0;
  uint32_t degraded = 0;
};

/// "2026-11-26", in universal time.
std::string day_of(uint64_t unix_ms) {
  const time_t seconds = time_t(unix_ms / 1000);
  tm date{};
  gmtime_r(&seconds, &date);
  return fmt::format("{:04}-{:02}-{:02}", date.tm_year + 1900, date.tm_mon + 1, date.tm_mday);
}

/// What receipts can be summed by: the name, the value in full for programs, and what a table shows of it.
struct Grouping {
  const char* name;
  std::string (*full)(const object::Receipt& receipt);
  std::string (*brief)(const object::Receipt& receipt);
};
constexpr Grouping kGroupings[] = {
    {"host", [](const object::Receipt& r) { return codec::key_text(r.owner); }, [](const object::Receipt& r) { return short_key(r.owner); }},
    {"origin", [](const object::Receipt& r) { return codec::key_text(r.origin); }, [](const object::Receipt& r) { return short_key(r.origin); }},
    {"lease", [](const object::Receipt& r) { return r.grant.hex(); }, [](const object::Receipt& r) { return r.grant.hex().substr(0, kShortIdLength); }},
    {"day", [](const object::Receipt& r) { return day_of(r.finished_ms); }, [](const object::Receipt& r) { return day_of(r.finished_ms); }},
    {"module", [](const object::Receipt& r) { return r.module.text(); }, [](const object::Receipt& r) { return r.module.text(); }},
};

/// Errors: kInvalid for a name that is none of the groupings.
Result<std::vector<const Grouping*>> groupings_of(const std::vector<std::string>& names) {
  std::vector<const Grouping*> out;
  for (const std::string& name : names) {
    const auto found = std::find_if(std::begin(kGroupings), std::end(kGroupings), [&](const Grouping& g) { return g.name == name; });
    if (found == std::end(kGroupings)) return fail(Errc::kInvalid, "receipts cannot be summed by " + name + ", only by host, origin, lease, day and module");
    out.push_back(found);
  }
  return out;
}

void add_receipt(ReceiptSum& sum, const node::ReceiptInfo& each) {
  const object::Receipt& r = each.receipt;
  ++sum.tasks;
  sum.accepted += each.accepted ? 1 : 0;
  sum.fuel += r.fuel;
  sum.cpu_ns += r.cpu_ns;
  sum.bytes_in += r.bytes_in;
  sum.bytes_out += r.bytes_out;
  sum.wakeups += r.wakeups;
  sum.frozen_ms += r.frozen_ms;
  sum.violations += r.violations;
  sum.resident_peak_bytes = std::max(sum.resident_peak_bytes, r.resident_peak_bytes);
  sum.degraded |= r.degraded;
}

void print_receipt_sums(Terminal& terminal, const std::vector<node::ReceiptInfo>& receipts, const std::vector<const Grouping*>& by) {
  struct Row { ReceiptSum sum; std::vector<std::string> brief; };
  std::map<std::vector<std::string>, Row> sums;
  for (const node::ReceiptInfo& each : receipts) {
    std::vector<std::string> key, brief;
    for (const Grouping* grouping : by) key.push_back(grouping->full(each.receipt)), brief.push_back(grouping->brief(each.receipt));
    Row& row = sums[key];
    row.brief = brief;
    add_receipt(row.sum, each);
  }
  std::vector<std::string> headers;
  for (const Grouping* grouping : by) headers.push_back(grouping->name);
  headers.insert(headers.end(), {">tasks", ">accepted", ">fuel", ">cpu", ">resident", ">in", ">out", ">wakeups", ">frozen", ">violations", "slowed by"});
  Table table(std::move(headers));
  for (const auto& [key, row] : sums) {
    const ReceiptSum& sum = row.sum;
    std::vector<std::string> cells = row.brief;
    const std::string slowed = work::degraded_text(sum.degraded);
    cells.insert(cells.end(), {std::to_string(sum.tasks), std::to_string(sum.accepted), format_count(sum.fuel), format_us(sum.cpu_ns / 1000),
                               format_bytes(sum.resident_peak_bytes), format_bytes(sum.bytes_in), format_bytes(sum.bytes_out), std::to_string(sum.wakeups),
                               format_us(sum.frozen_ms * 1000), std::to_string(sum.violations), slowed.empty() ? "-" : slowed});
    table.row(std::move(cells));
    Record record;
    for (size_t i = 0; i < by.size(); ++i) record.text(by[i]->name, key[i]);
    terminal.record(record.number("tasks", sum.tasks).number("accepted", sum.accepted).number("fuel", sum.fuel).number("cpu_ns", sum.cpu_ns)
                        .number("resident_peak_bytes", sum.resident_peak_bytes).number("bytes_in", sum.bytes_in).number("bytes_out", sum.bytes_out)
                        .number("wakeups", sum.wakeups).number("frozen_ms", sum.frozen_ms).number("violations", sum.violations)
                        .text("slowed", slowed).json());
  }
  if (table.empty()) terminal.line("No receipts: nothing has run here for others, and others have run nothing for this node's owner.");
  else table.print(terminal);
}

}  // namespace

CommandResult run_receipts(World& world, const ReceiptsOptions& options) {
  const std::vector<const Grouping*> by = TRY(groupings_of(options.by.empty() ? std::vector<std::string>{"host", "origin", "module"} : options.by));
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(node::ReceiptsRequest{}));
  if (world.terminal.json() && options.by.empty()) {
    print_records(world.terminal, answer.at("receipts"));
    return kExitOk;
  }
  const auto list = TRY(read_answer<node::ReceiptsAnswer>(answer));
  if (!options.all || !options.by.empty()) {
    print_receipt_sums(world.terminal, list.receipts, by);
    return kExitOk;
  }
  Table table({"task", "host's owner", "outcome", "accepted", ">fuel", ">cpu", ">memory", ">in", ">out", "output"});
  for (const node::ReceiptInfo& each : list.receipts) {
    const object::Receipt& r = each.receipt;
    table.row({r.task.hex().substr(0, kShortIdLength), short_key(r.owner), object::enum_name(r.outcome), each.accepted ? "yes" : "no", format_count(r.fuel),
               format_us(r.cpu_ns / 1000), format_bytes(r.memory_peak_bytes), format_bytes(r.bytes_in), format_bytes(r.bytes_out),
               r.output ? r.output->text() : "-"});
  }
  table.print(world.terminal);
  return kExitOk;
}

}  // namespace selvedge::cli
