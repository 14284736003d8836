// Verbs about who trusts whom: peers, grants, leases, receipts.
#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <map>

#include "cli/commands.h"
#include "cli/shared.h"
#include "cli/units.h"

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
  Table table({"node", "owner", "state", "address", "remark"});
  for (const node::PeerInfo& peer : list.peers) {
    const std::string state = peer.banned ? "banned" : peer.connected ? "connected" : "away";
    const std::string remark = peer.banned ? "gave a wrong result: gets no more work" : peer.connected ? "" : printable(peer.error);
    table.row({short_key(peer.node), short_key(peer.owner), state,
               peer.addresses.empty() ? "" : printable(peer.addresses.front()), remark});
  }
  if (table.empty()) world.terminal.line("No peers yet. Ask for a ticket (selvedge ticket on their machine), then: selvedge peer add TICKET");
  else table.print(world.terminal);
  return kExitOk;
}

CommandResult run_grant_give(World& world, const GrantGiveOptions& options) {
  node::GrantGiveRequest request;
  request.origin = options.origin;
  request.cpu_permille = TRY(parse_cpu_permille(options.cpu));
  request.memory_bytes = TRY(parse_bytes(options.memory));
  request.storage_bytes = TRY(parse_bytes(options.storage));
  request.seconds = TRY(parse_seconds(options.duration));
  request.device = options.device;
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(request));
  world.terminal.record(answer.dump());
  const auto grant = TRY(read_answer<node::GrantInfo>(answer));
  world.terminal.line(fmt::format("Granted to {}: {} of a processor, {} of memory, {} of storage, until {} from now.", short_key(grant.origin),
                                  cpu_text(grant.cpu_permille), format_bytes(grant.memory_bytes), format_bytes(grant.storage_bytes),
                                  format_seconds(request.seconds)));
  world.terminal.line("Take it back at any time: selvedge lease revoke " + short_id(grant.id));
  return kExitOk;
}

CommandResult run_grant_list(World& world) {
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(node::GrantListRequest{}));
  print_records(world.terminal, answer.at("grants"));
  const auto list = TRY(read_answer<node::GrantListAnswer>(answer));
  Table table({"grant", "direction", "with", "node", ">cpu", ">memory", ">storage", "state", "expires"});
  for (const node::GrantInfo& grant : list.grants) {
    table.row({short_id(grant.id), grant.given ? "given" : "received", short_key(grant.given ? grant.origin : grant.owner), short_key(grant.node),
               cpu_text(grant.cpu_permille), format_bytes(grant.memory_bytes), format_bytes(grant.storage_bytes), grant.state, when(grant.expires)});
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
  uint64_t tasks = 0, accepted = 0, fuel = 0, cpu_ns = 0, bytes_in = 0, bytes_out = 0;
};

void print_receipt_sums(Terminal& terminal, const std::vector<node::ReceiptInfo>& receipts) {
  using Key = std::tuple<crypto::PublicKey, crypto::PublicKey, std::string>;
  std::map<Key, ReceiptSum> sums;
  for (const node::ReceiptInfo& each : receipts) {
    ReceiptSum& sum = sums[{each.receipt.owner, each.receipt.origin, each.receipt.module.text()}];
    ++sum.tasks;
    sum.accepted += each.accepted ? 1 : 0;
    sum.fuel += each.receipt.fuel;
    sum.cpu_ns += each.receipt.cpu_ns;
    sum.bytes_in += each.receipt.bytes_in;
    sum.bytes_out += each.receipt.bytes_out;
  }
  Table table({"host's owner", "origin", ">tasks", ">accepted", ">fuel", ">cpu", ">in", ">out", "module"});
  for (const auto& [key, sum] : sums) {
    table.row({short_key(std::get<0>(key)), short_key(std::get<1>(key)), std::to_string(sum.tasks), std::to_string(sum.accepted), format_count(sum.fuel),
               format_us(sum.cpu_ns / 1000), format_bytes(sum.bytes_in), format_bytes(sum.bytes_out), std::get<2>(key)});
  }
  if (table.empty()) terminal.line("No receipts: nothing has run here for others, and others have run nothing for this node's owner.");
  else table.print(terminal);
}

}  // namespace

CommandResult run_receipts(World& world, const ReceiptsOptions& options) {
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(node::ReceiptsRequest{}));
  print_records(world.terminal, answer.at("receipts"));
  if (world.terminal.json()) return kExitOk;
  const auto list = TRY(read_answer<node::ReceiptsAnswer>(answer));
  if (!options.all) {
    print_receipt_sums(world.terminal, list.receipts);
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
