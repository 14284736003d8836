// Devices: the machines of this node's owner, and what they tell each other.
//
// A device is an owner's when a NodeRecord of theirs says so and no Revocation of theirs takes it back. Devices bring each other every
// signed object that concerns their owner (records, policies, zone keys, revocations, alerts, grants for each other), pass on what is new,
// and keep the same index (index.h). Only the device with the owner's key enrols, renews and revokes. What a lost device may still
// do is what it knew: it gets no key that is made later, hosts that have heard of it give it nothing, and its word counts for nothing.
#pragma once

#include <functional>

#include "node/api.h"
#include "node/enrolment.h"
#include "node/index.h"
#include "node/library.h"
#include "node/zones.h"
#include "object/permission.h"

namespace selvedge::node {

constexpr size_t kAlertsMax = 256;
/// How long an alert is shown.
constexpr uint64_t kAlertShownSeconds = 7 * object::kDay;
/// A device's record is renewed when it has less left than this.
constexpr uint64_t kRecordRenewBefore = 60 * object::kDay;
/// The answer about a lost device waits at most so long for what it held to be placed anew; the placing goes on.
constexpr Duration kLossWaitMax = seconds(60);

class Devices {
 public:
  Devices(Core& core, Zones& zones, Index& index, Library& library) : core_(core), zones_(zones), index_(index), library_(library) {}

  /// At start, when revocations are known and before zones are.
  void restore(Turn& turn);
  /// After the zones are there, too.
  void started(Turn& turn);
  /// The devices in good standing, this one among them.
  const DeviceRecords& standing() const { return standing_; }
  /// Whether a session peer is a device of this owner in good standing.
  bool is_device(const NodeKey& peer, Instant now) const;
  std::vector<NodeKey> connected(Instant now) const;
  /// Whether what one device should do for all is this one's to do.
  bool leads(Instant now) const;

  void on_peer_up(Turn& turn, const NodeKey& peer);
  void on_peer_down(const NodeKey& peer) { index_.on_device_down(peer); }
  /// A record by this owner, from wherever: the signature is what counts.
  void on_record(Turn& turn, object::Signed<object::NodeRecord> record);
  /// A revocation by this owner or one of their devices that was not known before counts from now on.
  void take_effect(Turn& turn, const object::Signed<object::Revocation>& revocation);
  /// Sends it to the other devices and to the machines that serve this owner.
  void pass_on(Turn& turn, const object::Signed<object::Revocation>& revocation);
  /// Whether `key` is this owner's, or one of their devices' (revoked ones among them).
  bool speaks_for_owner(const crypto::PublicKey& key) const { return key == core_.owner() || devices_.count(key) > 0; }
  void on_alert(Turn& turn, const Bytes& bytes);
  /// An address of a node came with the index.
  void on_peer_record(Turn& turn, const NodeKey& node, const PeerRecord& peer);
  /// Every signed object that a restored home of this owner needs.
  std::vector<Bytes> own_records() const;
  /// Called with every change of them.
  std::function<void(Turn&)> on_records_changed;
  /// Sends a signed object to every connected device.
  void tell(Turn& turn, const Bytes& bytes);

  // ---- what the owner does; enrol and lose need the owner's key
  using OnEnrolled = std::function<void(Turn&, Result<DeviceEnrollAnswer>)>;
  void enroll(Turn& turn, const DeviceEnrollRequest& request, OnEnrolled then);
  using OnLossStep = std::function<void(Turn&, const DeviceLostProgress&)>;
  using OnLost = std::function<void(Turn&, Result<DeviceLostAnswer>)>;
  void lose(Turn& turn, const std::string& device, OnLossStep step, OnLost then);
  /// A device by its name, its key, or the beginning of its key. Errors: kNotFound, kInvalid (several).
  Result<NodeKey> find(const std::string& text) const;
  std::vector<DeviceInfo> list(Instant now) const;
  std::vector<AlertInfo> alerts(Instant now) const;
  /// Signs, keeps and spreads a revocation by this owner (the node's way of doing it); when `then` is called, zones that named a revoked device
  /// have new keys. Errors (to `then`): kUnauthorized without the owner's key, kLimit, or of the disk.
  std::function<void(Turn&, object::Revocation, Core::OnStatus)> revoke;
  /// A device was enrolled in place of another: `old_key`, `fresh`.
  std::function<void(Turn&, const NodeKey&, const NodeKey&)> on_replaced;
  /// Something that was waited for is placed anew.
  void on_repaired(Turn& turn) { watch_loss(turn); }
  /// Capabilities that were made out to a node and are known here.
  std::function<std::vector<object::ObjectId>(const NodeKey&)> capabilities_of;

  void on_deadline(Turn& turn);
  Instant next_deadline() const;

 private:
  struct Loss {
    NodeKey node;
    DeviceLostAnswer answer;
    std::set<object::ObjectId> thin;
    OnLossStep step;
    OnLost then;
    Instant give_up;
  };

  void keep_record(Turn& turn, object::Signed<object::NodeRecord> record, Core::OnStatus then);
  void judge_standing(Instant now);
  void renew_records(Turn& turn);
  void publish_self(Turn& turn);
  std::vector<Bytes> records_for(const NodeKey& device, Instant now) const;
  void revoke_as(Turn& turn, object::RevocationTarget kind, ByteView target, object::RevocationReason reason, Core::OnStatus then);
  std::string label_of(const NodeKey& node) const;
  std::optional<PeerRecord> peer_record(const NodeKey& node) const;
  Result<object::Signed<object::NodeRecord>> sign_record(const EnrolRequest& request, uint64_t now) const;
  std::vector<object::Holder> hosts_for(Instant now) const;

  // ---- the steps of a loss, in order
  void loss_rotate(Turn& turn, std::shared_ptr<Loss> loss, std::vector<object::ZoneId> zones);
  void loss_withdraw(Turn& turn, std::shared_ptr<Loss> loss);
  void loss_place(Turn& turn, std::shared_ptr<Loss> loss);
  void loss_alert(Turn& turn, std::shared_ptr<Loss> loss);
  void note_step(Turn& turn, Loss& loss, LossStep step, const std::string& text);
  void watch_loss(Turn& turn);

  Core& core_;
  Zones& zones_;
  Index& index_;
  Library& library_;
  DeviceRecords devices_;      // revoked ones among them
  DeviceRecords standing_;
  std::map<object::ObjectId, object::Signed<object::Alert>> alerts_;
  std::vector<std::shared_ptr<Loss>> losses_;   // waiting for what the device held to be placed anew
  Instant renew_at_ = Instant::never();
};

}  // namespace selvedge::node
