#include <algorithm>

#include "codec/multibase.h"
#include "codec/ticket.h"
#include "node/node.h"
#include "node/parts.h"

namespace selvedge::node {

template <class R>
static constexpr bool kAnsweredByAPage = std::is_same_v<R, StatusRequest> || std::is_same_v<R, LeaseListRequest> || std::is_same_v<R, LeaseChangeRequest> ||
                                         std::is_same_v<R, LeaseThrottleRequest> || std::is_same_v<R, DomainListRequest> || std::is_same_v<R, PeerListRequest> ||
                                         std::is_same_v<R, ReceiptsRequest> || std::is_same_v<R, AuditHeadRequest> || std::is_same_v<R, AuditListRequest> ||
                                         std::is_same_v<R, AuditProveRequest>;

void Node::on_request(Instant now, RequestId id, ApiRequest request, Out& out) {
  Turn turn{now, out};
  std::visit([&]<class R>(const R& each) {
    if constexpr (kWholeNode || kAnsweredByAPage<R>) answer_to(turn, id, each);
    else out.push(Refuse{id, fail(Errc::kUnsupported, "a page's node does not do this; a node on a machine does (selvedge up)")});
  }, request);
  finish(turn);
}

void Node::on_request_withdrawn(Instant now, RequestId id, Out& out) {
  Turn turn{now, out};
  contractor_.cancel(turn, id);
  if constexpr (kWholeNode) {
    services_.withdrawn(turn, id);
    deployer_.withdrawn(id);
  }
  const auto transfer = transfers_.find(id);
  if (transfer != transfers_.end()) library_.withdraw(turn, transfer->second);
  finish(turn);
}

void Node::answer_to(Turn& turn, RequestId id, const StatusRequest&) {
  StatusAnswer status;
  status.version = core_.config.version;
  status.node = core_.self();
  status.owner = core_.owner();
  status.uptime_s = uint64_t((turn.now - started_).ns / 1'000'000'000);
  status.addresses = core_.config.addresses;
  for (const auto& [key, peer] : core_.sessions.peers()) {
    ++status.peers_known;
    status.peers_connected += core_.sessions.up(key) ? 1 : 0;
  }
  for (const auto& [lease_id, lease] : workshop_.leases().all()) status.leases_active += lease.usable() ? 1 : 0;
  const store::Usage held = core_.store.total_usage();
  status.objects_held = held.objects;
  status.bytes_held = held.bytes;
  const Library::Totals owned = library_.totals();
  status.blobs_owned = owned.blobs;
  status.bytes_owned = owned.bytes;
  status.jobs_running = uint32_t(contractor_.running());
  status.repairs_pending = uint32_t(library_.repairs_pending());
  status.owner_key_here = core_.holds_root();
  status.record_expires = core_.record.body.expires;
  status.revoked = core_.revoked_device(core_.self(), core_.owner(), turn.now);
  status.awaiting_index = core_.awaiting_index;
  status.index_pending = copy_.pending();
  status.index_saved = copy_.saved();
  status.devices_connected = uint32_t(devices_.connected(turn.now).size());
  if (core_.config.roles & kRoleRelay) status.roles.push_back("relay");
  if (core_.config.roles & kRoleRendezvous) status.roles.push_back("rendezvous");
  if (core_.config.roles & kRolePkarrRelay) status.roles.push_back("pkarr-relay");
  status.announced = discovery_.show().addresses;
  status.services = uint32_t(services_.list().services.size());
  status.isolation = core_.config.isolation_text;
  status.alerts = devices_.alerts(turn.now);
  answer(turn, id, status);
}

void Node::answer_to(Turn& turn, RequestId id, const TicketRequest& request) {
  const std::vector<std::string> relayed = meetings_.addresses();
  if (request.relay_only && relayed.empty()) return turn.out.push(Refuse{id, fail(Errc::kUnavailable, "this node uses no relay; name one first: selvedge relay use TICKET")});
  codec::Ticket ticket{core_.self(), core_.owner(), request.relay_only ? std::vector<std::string>{} : core_.config.addresses, std::nullopt};
  ticket.addresses.insert(ticket.addresses.end(), relayed.begin(), relayed.end());
  const Result<std::string> text = codec::ticket_text(ticket);
  if (!text.ok()) {
    turn.out.push(Refuse{id, text.error()});
    return;
  }
  answer(turn, id, TicketAnswer{*text});
}

void Node::answer_to(Turn& turn, RequestId id, const PeerAddRequest& request) {
  if (const Result<crypto::PublicKey> key = codec::parse_key(request.ticket); key.ok()) {
    if (*key == core_.self()) return turn.out.push(Refuse{id, fail(Errc::kInvalid, "this is this node's own key: give it to another node")});
    return discovery_.find(turn, *key, [this, id, key = *key](Turn& t, Result<FindAnswer> found) {
      if (!found.ok()) return t.out.push(Refuse{id, found.error()});
      add_peer(t, id, key, crypto::PublicKey{}, found->addresses);
    });
  }
  const Result<codec::Ticket> ticket = codec::parse_ticket(request.ticket);
  if (!ticket.ok()) {
    turn.out.push(Refuse{id, ticket.error()});
    return;
  }
  if (ticket->expires && *ticket->expires <= turn.now.unix_seconds()) {
    turn.out.push(Refuse{id, fail(Errc::kExpired, "the ticket has expired; ask for a new one (selvedge ticket)")});
    return;
  }
  if (ticket->node == core_.self()) {
    turn.out.push(Refuse{id, fail(Errc::kInvalid, "this is this node's own ticket: give it to another node")});
    return;
  }
  add_peer(turn, id, ticket->node, ticket->owner, ticket->addresses);
}

void Node::add_peer(Turn& turn, RequestId id, const NodeKey& node, const crypto::PublicKey& owner, std::vector<std::string> addresses) {
  core_.want_peer(turn, node, addresses, Instant::never());
  PeerRecord peer{{}, std::move(addresses), owner, {}, false};
  if (peer.addresses.size() > mesh::kAddressesPerPeerMax) peer.addresses.resize(mesh::kAddressesPerPeerMax);
  index_.put(turn, IndexKind::kPeer, node, peer, [this, id, node](Turn& t, const Status& kept) {
    if (kept.ok()) answer(t, id, PeerAddAnswer{node});
    else t.out.push(Refuse{id, kept.error()});
  });
}

void Node::answer_to(Turn& turn, RequestId id, const PeerListRequest&) {
  PeerListAnswer list;
  for (const auto& [key, peer] : core_.sessions.peers()) {
    PeerInfo info;
    info.node = key;
    if (peer.record) info.owner = peer.record->body.owner;
    info.connected = core_.sessions.up(key);
    info.banned = contractor_.banned(key);
    info.addresses = peer.addresses;
    info.error = peer.last_error;
    const std::string at = info.connected ? core_.address_of(*core_.sessions.link_of(key)) : "";
    if (!at.empty()) info.path = at == kCircuitAddress ? "relay" : "direct";
    if (info.path == "direct") info.at = at;
    if (!at.empty()) info.ways = uint32_t(core_.link_ways.at(*core_.sessions.link_of(key)).size());
    list.peers.push_back(std::move(info));
  }
  answer(turn, id, list);
}

GrantInfo Node::grant_info(Instant now, const object::Signed<object::Grant>& grant, bool given) const {
  GrantInfo info;
  info.manners = grant.body.manners;
  info.id = convert<crypto::Digest>(grant.id);
  info.given = given;
  info.node = grant.body.node;
  info.owner = grant.body.owner;
  info.origin = grant.body.origin;
  info.cpu_permille = grant.body.cpu_permille;
  info.memory_bytes = grant.body.memory_bytes;
  info.storage_bytes = grant.body.storage_bytes;
  info.expires = grant.body.expires;
  const work::LeaseEntry* lease = given ? workshop_.leases().find(grant.id) : nullptr;
  if (core_.authority.revoked(grant, now)) info.state = "revoked";
  else if (grant.body.expires <= now.unix_seconds()) info.state = "expired";
  else if (given && grant.body.node != core_.self()) info.state = core_.sessions.up(grant.body.node) ? "active" : "away";
  else if (given) info.state = lease != nullptr ? work::lease_stage_name(lease->stage) : "ended";
  else if (!core_.sessions.up(grant.body.node)) info.state = "away";
  else info.state = core_.serving.count(grant.body.node) ? "active" : "waiting";
  return info;
}

void Node::answer_to(Turn& turn, RequestId id, const GrantGiveRequest& request) {
  const Result<NodeKey> machine = request.device.empty() ? Result<NodeKey>(core_.self()) : devices_.find(request.device);
  if (!machine.ok()) {
    turn.out.push(Refuse{id, machine.error()});
    return;
  }
  workshop_.give(turn, request, *machine, [this, id](Turn& t, Result<object::Signed<object::Grant>> grant) {
    if (grant.ok()) answer(t, id, grant_info(t.now, *grant, true));
    else t.out.push(Refuse{id, grant.error()});
  });
}

void Node::answer_to(Turn& turn, RequestId id, const GrantListRequest&) {
  GrantListAnswer list;
  for (const auto& [grant_id, grant] : core_.authority.all_given()) list.grants.push_back(grant_info(turn.now, grant, true));
  for (const store::RecordRef& record : core_.records(Record::kDeviceGrant)) {
    const auto grant = object::open_object<object::Grant>(*record.value, core_.authority.verifier());
    if (grant.ok()) list.grants.push_back(grant_info(turn.now, *grant, true));
  }
  for (const auto& [grant_id, grant] : core_.authority.all_received()) list.grants.push_back(grant_info(turn.now, grant, false));
  answer(turn, id, list);
}

void Node::answer_to(Turn& turn, RequestId id, const LeaseListRequest&) { answer(turn, id, LeaseListAnswer{workshop_.list()}); }

void Node::answer_to(Turn& turn, RequestId id, const LeaseChangeRequest& request) {
  workshop_.change(turn, request, [this, id](Turn& t, Result<LeaseChangeAnswer> changed) {
    if (changed.ok()) answer(t, id, *changed);
    else t.out.push(Refuse{id, changed.error()});
  });
}

void Node::answer_to(Turn& turn, RequestId id, const LeaseThrottleRequest& request) {
  workshop_.throttle(turn, request, [this, id](Turn& t, Result<LeaseThrottleAnswer> throttled) { answer_or_refuse(t, id, throttled); });
}

void Node::answer_to(Turn& turn, RequestId id, const DomainListRequest&) { answer(turn, id, workshop_.domains()); }
void Node::answer_to(Turn& turn, RequestId id, const DashOpenRequest&) { turn.out.push(OpenDash{id}); }

void Node::answer_to(Turn& turn, RequestId id, const TaskListRequest&) {
  TaskListAnswer list;
  for (const work::RunningTask& task : contractor_.tasks()) {
    list.tasks.push_back({convert<crypto::Digest>(task.task), task.node, task.committed, uint64_t((turn.now - task.since).ms() / 1000), task.fuel, task.state_bytes, task.moves});
  }
  answer(turn, id, list);
}

void Node::answer_to(Turn& turn, RequestId id, const TaskMoveRequest& request) {
  const Result<NodeKey> node = core_.find_node(request.node);
  const Status moved = node.ok() ? contractor_.move(turn, request.task, *node) : Status(node.error());
  if (moved.ok()) answer(turn, id, Empty{});
  else turn.out.push(Refuse{id, moved.error()});
}

void Node::answer_to(Turn& turn, RequestId id, const PutRequest& request) {
  if (request.files.size() > kFilesPerRequestMax) {
    turn.out.push(Refuse{id, fail(Errc::kLimit, "one put takes at most " + std::to_string(kFilesPerRequestMax) + " files; split it")});
    return;
  }
  const Result<object::ZoneId> zone = core_.awaiting_index ? Result<object::ZoneId>(core_.zone()) : core_.zone_named(request.zone);
  if (!zone.ok()) {
    turn.out.push(Refuse{id, zone.error()});
    return;
  }
  std::vector<PutItem> items;
  for (const FileName& file : request.files) items.push_back({file, nullptr, nullptr, {}});
  const Instant started = turn.now;
  auto ended = std::make_shared<bool>(false);
  const uint64_t transfer = library_.put(
      turn, *zone, std::move(items), [id](Turn& t, const TransferProgress& progress) { t.out.push(Progress{id, codec::to_json_text(progress)}); },
      [this, id, started, ended](Turn& t, PutOutcome put) {
        *ended = true;
        transfers_.erase(id);
        if (!put.status.ok()) {
          t.out.push(Refuse{id, put.status.error()});
          return;
        }
        answer(t, id, PutAnswer{std::move(put.files), put.bytes, put.bytes_sealed, uint64_t((t.now - started).ms()), std::move(put.holders)});
      });
  if (!*ended) transfers_[id] = transfer;
}

void Node::answer_to(Turn& turn, RequestId id, const GetRequest& request) {
  const Result<codec::Cid> cid = codec::Cid::parse(request.cid);
  if (!cid.ok()) {
    turn.out.push(Refuse{id, fail(Errc::kInvalid, request.cid + " is not a content id: " + cid.error().message)});
    return;
  }
  const Result<Blob> blob = find_blob(*cid, request.zone);
  if (!blob.ok()) {
    turn.out.push(Refuse{id, blob.error()});
    return;
  }
  struct Written {
    uint64_t bytes = 0;
    size_t waiting = 0;
    bool all_given = false;
    Status status;
    Instant started;
    uint64_t total = 0;
  };
  auto written = std::make_shared<Written>();
  written->started = turn.now;
  written->total = blob->ref.size;
  const auto settle = [this, id, written, name = *cid, path = request.path](Turn& t) {
    if (!written->all_given || written->waiting > 0) return;
    transfers_.erase(id);
    if (!written->status.ok() && written->bytes > 0) t.out.push(DiscardFile{path});
    if (!written->status.ok()) t.out.push(Refuse{id, written->status.error()});
    else answer(t, id, GetAnswer{name, written->bytes, uint64_t((t.now - written->started).ms())});
  };
  const uint64_t transfer = library_.get(
      turn, *blob,
      [this, id, written, settle, path = request.path](Turn& t, uint64_t offset, Bytes bytes, bool last) {
        written->bytes += bytes.size();
        ++written->waiting;
        t.out.push(Progress{id, codec::to_json_text(TransferProgress{written->bytes, written->total, 0, 1})});
        core_.write_file(t, path, offset, std::move(bytes), last, [written, settle](Turn& t2, const Status& status) {
          --written->waiting;
          if (!status.ok() && written->status.ok()) written->status = status;
          settle(t2);
        });
      },
      [written, settle](Turn& t, const Status& status) {
        if (!status.ok() && written->status.ok()) written->status = status;
        written->all_given = true;
        settle(t);
      });
  if (!written->all_given) transfers_[id] = transfer;
}

void Node::answer_to(Turn& turn, RequestId id, const BlobListRequest&) { answer(turn, id, BlobListAnswer{library_.list()}); }

void Node::answer_to(Turn& turn, RequestId id, const RunRequest& request) { contractor_.run(turn, id, request); }

void Node::answer_to(Turn& turn, RequestId id, const ReceiptsRequest&) {
  next_receipts(turn, id, std::make_shared<ReceiptsAnswer>(), core_.store.receipt_origins(nullptr, store::kColumnCount * 1024), 0);
}

// Reads one piece of one origin's log after the other; the answer goes out when the last log is read.
void Node::next_receipts(Turn& turn, RequestId id, std::shared_ptr<ReceiptsAnswer> so_far, std::vector<store::OriginId> origins, uint64_t from) {
  while (!origins.empty() && so_far->receipts.size() < kReceiptsPerAnswerMax) {
    const store::OriginId origin = origins.back();
    const store::Store::ReceiptRange range = core_.store.receipts(origin);
    const uint64_t at = std::max(from, range.first);
    if (at >= range.next) {
      origins.pop_back();
      from = 0;
      continue;
    }
    constexpr size_t kPiece = 256;
    const bool own = convert<crypto::PublicKey>(origin) == core_.owner();
    const uint64_t cookie = core_.expect_loaded([this, id, so_far, origins, own, at](Turn& t, store::Loaded loaded) {
      for (const store::LoadedReceipt& each : loaded.receipts) {
        Bytes bytes = each.bytes;
        bool accepted = true;
        if (own) {
          const Result<KeptReceipt> kept = codec::decode<KeptReceipt>(bytes);
          if (!kept.ok()) continue;
          bytes = kept->receipt;
          accepted = kept->accepted;
        }
        const auto receipt = object::open_object<object::Receipt>(bytes, core_.authority.verifier());
        if (receipt.ok()) so_far->receipts.push_back({convert<crypto::Digest>(receipt->id), receipt->body, accepted});
      }
      next_receipts(t, id, so_far, origins, at + kPiece);
    });
    Outbox<store::Effect> disk;
    const Result<size_t> asked = core_.store.read_receipts(origin, at, kPiece, cookie, disk);
    core_.route_disk(turn, disk);
    if (asked.ok() && *asked > 0) return;
    core_.forget_loaded(cookie);
    if (!asked.ok()) {
      turn.out.push(Refuse{id, asked.error()});
      return;
    }
    origins.pop_back();
    from = 0;
  }
  answer(turn, id, *so_far);
}

void Node::answer_to(Turn& turn, RequestId id, const ShutdownRequest&) {
  answer(turn, id, Empty{});
  meetings_.drain(turn);
  turn.out.push(Shutdown{});
}

}  // namespace selvedge::node
