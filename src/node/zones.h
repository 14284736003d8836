// Zones: the owner's zones on this device: their policies, their keys by epoch, and which hosts know of which.
//
// The device that holds the owner's key makes zones, rotates them and seals each epoch's secret to the zone's members; the others open what
// was sealed to them. The members are who some list of the latest epoch named and nobody revoked, and whoever succeeds one of them; an
// epoch that names a revoked device is followed by another. tend() brings that about and is called whenever something about
// devices changed, so that two devices which both hold the owner's key end with the same. A host is told a zone's policy when that zone's data is
// to go there and not before, and is used for it once it says that it knows it (decision 0011).
#pragma once

#include <functional>

#include "node/core.h"
#include "object/policy.h"

namespace selvedge::node {

inline constexpr uint64_t kPolicyTtl = 30 * object::kDay;
inline constexpr uint64_t kPolicyRenewBefore = 10 * object::kDay;

using DeviceRecords = std::map<NodeKey, object::Signed<object::NodeRecord>>;

/// What a host was told, so that it is told again when it comes back.
struct HostZones {
  std::vector<object::ZoneId> zones;
  template <class V> void visit(V& v) { v("zones", zones); }
};

class Zones {
 public:
  explicit Zones(Core& core) : core_(core) {}

  /// The devices of this owner that are in good standing, this one among them.
  std::function<const DeviceRecords&()> devices;
  /// Called with what the owner's other devices should know: a policy, a zone key.
  std::function<void(Turn&, const Bytes&)> tell_devices;
  /// Called when something can be stored or read that could not before.
  std::function<void(Turn&)> on_changed;

  void restore(Turn& turn);
  /// With the owner's key: makes the default zones, renews policies that end soon, and brings each epoch's list of devices in order.
  /// `then` is called when all of it is written down.
  void tend(Turn& turn, Core::OnStatus then = nullptr);

  // ---- what the owner does; each needs the owner's key
  using OnZone = std::function<void(Turn&, Result<object::ZoneId>)>;
  void create(Turn& turn, const std::string& name, OnZone then);
  /// A policy in place of the one there is: serial and times are filled in here. Errors: kUnauthorized, or what validate() says.
  void publish(Turn& turn, object::ZonePolicy policy, uint64_t seconds, OnZone then);
  using OnRotated = std::function<void(Turn&, Result<uint64_t>)>;
  void rotate(Turn& turn, const object::ZoneId& zone, const std::string& reason, OnRotated then);
  /// One more member of these zones; its record is among devices(). Every epoch is sealed to it.
  void admit(Turn& turn, const NodeKey& device, const std::vector<object::ZoneId>& zones, Core::OnStatus then);

  // ---- what other devices bring
  void on_zone_key(Turn& turn, const Bytes& bytes);
  /// A policy of this owner's was taken in: its zone may be new.
  void on_own_policy(const object::Signed<object::ZonePolicy>& policy);
  /// Everything about zones that another device of this owner should know.
  std::vector<Bytes> records_for_device() const;

  // ---- hosts
  /// Sends the zone's policy to every connected host that does not know it. Ready once they have said so.
  void tell_hosts(Turn& turn, const object::ZoneId& zone);
  void tell_host(Turn& turn, const NodeKey& host, const object::ZoneId& zone);
  /// What `host` was told in earlier sessions, and the default zone: told again.
  void greet_host(Turn& turn, const NodeKey& host);
  /// A restored home has no policy to show, and a host gives nothing out without one: the owner's own zone has the same one for every owner,
  /// so this much is signed before the index is found.
  void begin_owner_zone(Turn& turn, const NodeKey& host);
  void on_known(Turn& turn, const NodeKey& host, const std::vector<object::ObjectId>& objects);
  void on_peer_down(const NodeKey& host);
  bool ready(const NodeKey& host, const object::ZoneId& zone) const;
  /// The successor of a host knows what the host knew.
  void rename_host(Turn& turn, const NodeKey& old_host, const NodeKey& fresh);

  /// Zones whose keys a device has, by the lists of their latest epochs.
  std::vector<object::ZoneId> zones_of(const NodeKey& device) const;
  const object::Signed<object::ZoneKeyEpoch>* latest(const object::ZoneId& zone) const;
  std::vector<const object::Signed<object::ZoneKeyEpoch>*> epochs(const object::ZoneId& zone) const;
  void on_deadline(Turn& turn) { if (renew_at_ <= turn.now) tend(turn); }
  Instant next_deadline() const { return core_.holds_root() ? renew_at_ : Instant::never(); }

 private:
  using EpochName = std::pair<object::ZoneId, uint64_t>;

  void make_defaults(Turn& turn);
  void renew_policies(Turn& turn);
  void mend_zone(Turn& turn, const object::ZoneId& zone, const std::shared_ptr<struct Waiting>& waiting);
  /// Members in good standing whose record is known.
  std::set<NodeKey> members(const object::ZoneId& zone, Instant now) const;
  object::Signed<object::ZoneKeyEpoch> make_epoch(const object::ZoneId& zone, uint64_t epoch, const std::set<NodeKey>& nodes, const std::string& reason, Instant now);
  /// Keeps an epoch here, written down and told to the other devices.
  void keep(Turn& turn, object::Signed<object::ZoneKeyEpoch> epoch, Core::OnStatus then);
  void sign_policy(Turn& turn, object::ZonePolicy policy, uint64_t seconds, Core::OnStatus then);
  void next_epoch(Turn& turn, const object::ZoneId& zone, const std::string& reason, OnRotated then);
  void rebuild(const object::ZoneId& zone);
  void remember_told(Turn& turn, const NodeKey& host, const object::ZoneId& zone);

  Core& core_;
  std::map<EpochName, object::Signed<object::ZoneKeyEpoch>> epochs_;
  std::map<object::ZoneId, std::set<NodeKey>> listed_;    // by any list of a latest epoch that was seen, or admitted
  std::map<NodeKey, std::set<object::ZoneId>> told_;      // over sessions
  std::map<NodeKey, std::set<object::ObjectId>> asked_;   // policies sent in this session
  std::map<NodeKey, std::set<object::ZoneId>> ready_;
  Instant renew_at_ = Instant::never();
};

}  // namespace selvedge::node
