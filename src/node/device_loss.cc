// What is done about a lost device, in order, each step told as it is done: it is revoked, the zones it could read get new keys, what was
// issued for it is withdrawn, what it held is placed anew, and the owner's other devices are alerted. spec: FM 17
#include <algorithm>

#include "node/devices.h"

namespace selvedge::node {

const char* enum_name(LossStep step) {
  switch (step) {
    case LossStep::kRevoked: return "revoked";
    case LossStep::kRotated: return "rotated";
    case LossStep::kWithdrawn: return "withdrawn";
    case LossStep::kPlaced: return "placed";
    case LossStep::kAlerted: return "alerted";
  }
  return "?";
}

// The one place where a step becomes known: to the audit log, to whoever asked, and to the log for people.
void Devices::note_step(Turn& turn, Loss& loss, LossStep step, const std::string& text) {
  core_.audit(turn, {object::AuditKind::kDevice, convert<crypto::Digest>(loss.node), std::string("lost, ") + enum_name(step) + ": " + text, AuditBytes::kWithin}, ByteView{});
  core_.trace(turn, "device " + loss.node.brief() + " lost: " + text);
  if (loss.step) loss.step(turn, {step, text});
}

void Devices::lose(Turn& turn, const std::string& device, OnLossStep step, OnLost then) {
  const Status root = core_.need_root("selvedge device lost NODE");
  if (!root.ok()) return then(turn, root.error());
  const Result<NodeKey> node = find(device);
  if (!node.ok()) return then(turn, node.error());
  if (*node == core_.self()) return then(turn, fail(Errc::kInvalid, "that is the device this command speaks to; give it on another device that holds the owner's key"));
  auto loss = std::make_shared<Loss>();
  loss->node = *node;
  loss->answer.node = *node;
  loss->answer.label = label_of(*node);
  loss->step = std::move(step);
  loss->then = std::move(then);
  loss->answer.devices_told = uint32_t(connected(turn.now).size()) - (is_device(*node, turn.now) && core_.sessions.up(*node) ? 1 : 0);
  for (const auto& [key, peer] : core_.sessions.peers()) {
    loss->answer.hosts_told += core_.sessions.up(key) && core_.authority.granted_by(turn.now, key, 0) != nullptr && !is_device(key, turn.now) ? 1 : 0;
  }
  // Asked before it is revoked: revoking takes it off the lists.
  const std::vector<object::ZoneId> zones = zones_.zones_of(*node);
  const Library::Held held = library_.held_by(turn.now, *node);
  loss->answer.objects_held = held.objects;
  loss->answer.objects_thin = held.thin.size();
  loss->thin = held.thin;
  if (core_.revoked_device(*node, core_.owner(), turn.now)) {
    note_step(turn, *loss, LossStep::kRevoked, "it was revoked before");
    return loss_rotate(turn, loss, zones);
  }
  revoke_as(turn, object::RevocationTarget::kDevice, *node, object::RevocationReason::kDeviceLoss, [this, loss, zones](Turn& t, const Status& kept) {
    if (!kept.ok()) return loss->then(t, fail(kept.code(), "it is revoked now, but that could not be written down and a restart would forget it: " + kept.error().message));
    note_step(t, *loss, LossStep::kRevoked, "revoked; " + std::to_string(loss->answer.devices_told) + " devices and " +
                                                std::to_string(loss->answer.hosts_told) + " hosts were told, the others hear of it when they connect");
    loss_rotate(t, loss, zones);
  });
}

void Devices::loss_rotate(Turn& turn, std::shared_ptr<Loss> loss, std::vector<object::ZoneId> zones) {
  // Revoking it has given new keys to every zone whose latest epoch named it, and they are written down.
  for (const object::ZoneId& zone : zones) {
    const auto* last = zones_.latest(zone);
    if (last == nullptr) continue;
    loss->answer.zones_rotated.push_back(core_.zone_name(zone));
    note_step(turn, *loss, LossStep::kRotated, "zone " + core_.zone_name(zone) + " has new keys (epoch " + std::to_string(last->body.epoch) + "), sealed to " +
                                                   std::to_string(last->body.devices.size()) + " devices without it");
  }
  if (zones.empty()) note_step(turn, *loss, LossStep::kRotated, "it had the keys of no zone");
  loss_withdraw(turn, loss);
}

void Devices::loss_withdraw(Turn& turn, std::shared_ptr<Loss> loss) {
  std::vector<object::ObjectId> issued;
  for (const store::RecordRef& record : core_.records(Record::kDeviceGrant)) {
    const auto grant = object::open_object<object::Grant>(*record.value, core_.authority.verifier());
    if (grant.ok() && grant->body.node == loss->node) issued.push_back(grant->id);
  }
  for (const auto& [id, grant] : core_.authority.all_received()) {
    const bool own = grant.body.owner == core_.owner() && grant.body.node == loss->node;
    if (own && std::find(issued.begin(), issued.end(), id) == issued.end()) issued.push_back(id);
  }
  for (const object::ObjectId& id : capabilities_of(loss->node)) issued.push_back(id);
  loss->answer.grants_withdrawn = uint32_t(issued.size());
  auto left = std::make_shared<size_t>(issued.size() + 1);
  const auto settle = [this, loss, left](Turn& t, const Status& kept) {
    if (!kept.ok()) core_.trace(t, "ALERT: a withdrawal is not on disk: " + kept.error().message);
    if (--*left > 0) return;
    note_step(t, *loss, LossStep::kWithdrawn, std::to_string(loss->answer.grants_withdrawn) + " grants and capabilities that were issued for it are withdrawn");
    loss_place(t, loss);
  };
  for (const object::ObjectId& id : issued) revoke_as(turn, object::RevocationTarget::kCapability, id, object::RevocationReason::kDeviceLoss, settle);
  settle(turn, ok());
}

void Devices::loss_place(Turn& turn, std::shared_ptr<Loss> loss) {
  note_step(turn, *loss, LossStep::kPlaced, std::to_string(loss->answer.objects_held) + " objects had symbols there, " + std::to_string(loss->answer.objects_thin) +
                                                " of them are below coverage without it and are placed anew");
  library_.repair(turn);
  loss->give_up = turn.now + kLossWaitMax;
  losses_.push_back(loss);
  loss_alert(turn, loss);
}

void Devices::loss_alert(Turn& turn, std::shared_ptr<Loss> loss) {
  object::Alert alert;
  alert.owner = core_.owner();
  alert.issuer = core_.self();
  alert.kind = object::AlertKind::kDeviceLost;
  alert.subject.bytes = loss->node.bytes;
  alert.issued = turn.now.unix_seconds();
  alert.text = "device " + (loss->answer.label.empty() ? loss->node.brief() : loss->answer.label) + " was lost: it is revoked, " +
               std::to_string(loss->answer.zones_rotated.size()) + " zones have new keys, " + std::to_string(loss->answer.grants_withdrawn) + " grants were withdrawn";
  const auto made = object::sign_object(*core_.config.node, alert);
  if (made.ok()) on_alert(turn, made->bytes);
  note_step(turn, *loss, LossStep::kAlerted, "this owner's other devices are alerted");
  watch_loss(turn);
}

// Answers when what the device held is safe again, or when that takes too long.
void Devices::watch_loss(Turn& turn) {
  const std::vector<std::shared_ptr<Loss>> waiting = losses_;
  for (const std::shared_ptr<Loss>& loss : waiting) {
    loss->answer.objects_waiting = library_.still_thin(loss->thin);
    if (loss->answer.objects_waiting > 0 && loss->give_up > turn.now) continue;
    std::erase(losses_, loss);
    loss->then(turn, loss->answer);
  }
}

}  // namespace selvedge::node
