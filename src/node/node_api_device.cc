// Answers about devices, zones, and what crosses between zones.
#include <algorithm>

#include "node/node.h"

namespace selvedge::node {

Result<Blob> Node::find_blob(const codec::Cid& cid, const std::string& zone) const {
  if (zone.empty()) return library_.find(cid);
  std::optional<Blob> blob = library_.find(TRY(core_.zone_named(zone)), cid);
  if (!blob) return fail(Errc::kNotFound, "this owner stored nothing named " + cid.text() + " in zone " + zone + "; selvedge blob list shows what there is");
  return std::move(*blob);
}

// ---- devices

void Node::answer_to(Turn& turn, RequestId id, const DeviceListRequest&) { answer(turn, id, DeviceListAnswer{devices_.list(turn.now)}); }

void Node::answer_to(Turn& turn, RequestId id, const DeviceEnrollRequest& request) {
  devices_.enroll(turn, request, [this, id](Turn& t, Result<DeviceEnrollAnswer> enrolled) { answer_or_refuse(t, id, enrolled); });
}

void Node::answer_to(Turn& turn, RequestId id, const DeviceLostRequest& request) {
  devices_.lose(
      turn, request.device, [id](Turn& t, const DeviceLostProgress& step) { t.out.push(Progress{id, codec::to_json_text(step)}); },
      [this, id](Turn& t, Result<DeviceLostAnswer> lost) { answer_or_refuse(t, id, lost); });
}

// ---- zones

ZoneInfo Node::zone_info(const object::ZoneId& zone) const {
  ZoneInfo info;
  info.id = convert<crypto::Digest>(zone);
  if (const OwnZone* own = core_.find_zone(zone)) {
    info.zone = own->name;
    info.epoch = own->epoch;
    for (const auto* epoch : zones_.epochs(zone)) info.epochs_here += own->keys->has_epoch(epoch->body.epoch) ? 1 : 0;
  }
  if (const auto* policy = core_.authority.policy(zone)) {
    info.trust_level = policy->body.trust_level;
    info.policy_expires = policy->body.expires;
  }
  if (const auto* last = zones_.latest(zone)) info.devices = uint32_t(last->body.devices.size());
  const Library::Totals totals = library_.totals(zone);
  info.blobs = totals.blobs;
  info.bytes = totals.bytes;
  return info;
}

void Node::answer_to(Turn& turn, RequestId id, const ZoneListRequest&) {
  ZoneListAnswer list;
  for (const auto& [zone, own] : core_.zones) list.zones.push_back(zone_info(zone));
  std::sort(list.zones.begin(), list.zones.end(), [](const ZoneInfo& a, const ZoneInfo& b) {
    return std::tie(b.trust_level, a.zone) < std::tie(a.trust_level, b.zone);  // the most trusted first
  });
  answer(turn, id, list);
}

void Node::answer_to(Turn& turn, RequestId id, const ZoneShowRequest& request) {
  const Result<object::ZoneId> zone = core_.zone_named(request.zone);
  if (!zone.ok()) {
    turn.out.push(Refuse{id, zone.error()});
    return;
  }
  ZoneShowAnswer show;
  show.zone = zone_info(*zone);
  show.policy = core_.authority.policy(*zone)->body;
  for (const auto* epoch : zones_.epochs(*zone)) {
    ZoneEpochInfo info{epoch->body.epoch, epoch->body.issued, epoch->body.reason, core_.find_zone(*zone)->keys->has_epoch(epoch->body.epoch), {}};
    for (const object::SealedEpoch& device : epoch->body.devices) info.devices.push_back(device.node);
    show.epochs.push_back(std::move(info));
  }
  answer(turn, id, show);
}

void Node::answer_to(Turn& turn, RequestId id, const ZoneCreateRequest& request) {
  zones_.create(turn, request.zone, [this, id](Turn& t, Result<object::ZoneId> zone) {
    if (zone.ok()) answer(t, id, zone_info(*zone));
    else t.out.push(Refuse{id, zone.error()});
  });
}

void Node::answer_to(Turn& turn, RequestId id, const ZoneRotateRequest& request) {
  const Result<object::ZoneId> zone = core_.zone_named(request.zone);
  if (!zone.ok()) {
    turn.out.push(Refuse{id, zone.error()});
    return;
  }
  zones_.rotate(turn, *zone, request.reason, [this, id, zone = *zone](Turn& t, Result<uint64_t> epoch) {
    if (epoch.ok()) answer(t, id, zone_info(zone));
    else t.out.push(Refuse{id, epoch.error()});
  });
}

// ---- crossing

Result<Node::Bridge> Node::plan_bridge(Instant now, const ZoneBridgeRequest& request) const {
  const Result<codec::Cid> cid = codec::Cid::parse(request.cid);
  if (!cid.ok()) return fail(Errc::kInvalid, request.cid + " is not a content id: " + cid.error().message);
  const Blob blob = TRY(find_blob(*cid, request.from));
  const object::ZoneId to = TRY(core_.zone_named(request.to));
  const auto* from_policy = core_.authority.policy(blob.zone);
  const auto* to_policy = core_.authority.policy(to);
  if (from_policy == nullptr || to_policy == nullptr) return fail(Errc::kUnavailable, "the policy of one of the zones is not here yet: connect to another device of yours");
  std::optional<object::Signed<object::Provenance>> before;
  if (!blob.provenance.empty()) before.emplace(TRY(object::open_object<object::Provenance>(blob.provenance, core_.authority.verifier())));
  const object::Provenance provenance =
      TRY(object::cross(*cid, before ? &before->body : nullptr, *from_policy, *to_policy, core_.self(), now));
  auto signed_way = TRY(object::sign_object(*core_.config.node, provenance));
  return Bridge{blob, to, std::move(signed_way)};
}

void Node::answer_to(Turn& turn, RequestId id, const ZoneBridgeRequest& request) {
  const Result<Bridge> bridge = plan_bridge(turn.now, request);
  if (!bridge.ok()) {
    turn.out.push(Refuse{id, bridge.error()});
    return;
  }
  ZoneBridgeAnswer done;
  done.cid = bridge->blob.ref.cid;
  done.from = core_.zone_name(bridge->blob.zone);
  done.to = core_.zone_name(bridge->to);
  done.size = bridge->blob.ref.size;
  done.taint = bridge->provenance.body.taint;
  done.path.push_back(core_.zone_name(bridge->provenance.body.origin_zone));
  for (const object::Crossing& crossing : bridge->provenance.body.crossings) done.path.push_back(core_.zone_name(crossing.to));
  PutItem item{{"", bridge->blob.name, bridge->blob.ref.size}, nullptr, std::make_shared<const Blob>(bridge->blob), bridge->provenance.bytes};
  const Instant started = turn.now;
  auto ended = std::make_shared<bool>(false);
  const uint64_t transfer = library_.put(
      turn, bridge->to, {std::move(item)}, [id](Turn& t, const TransferProgress& progress) { t.out.push(Progress{id, codec::to_json_text(progress)}); },
      [this, id, started, ended, done, provenance = bridge->provenance.bytes, provenance_id = bridge->provenance.id](Turn& t, PutOutcome put) mutable {
        *ended = true;
        transfers_.erase(id);
        done.milliseconds = uint64_t((t.now - started).ms());
        if (put.status.ok()) {
          core_.audit(t, {object::AuditKind::kPolicy, convert<crypto::Digest>(provenance_id), "content crossed from zone " + done.from + " to " + done.to, AuditBytes::kWithin}, provenance);
          answer(t, id, done);
        }
        else t.out.push(Refuse{id, put.status.error()});
      });
  if (!*ended) transfers_[id] = transfer;
}

}  // namespace selvedge::node
