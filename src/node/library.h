// Library: the blobs this node's owner has stored on other machines.
//
// A blob is cut into groups; each group is named, encoded and sealed by workers, spread over every host that granted
// storage so that any one of them may vanish, and written down here once enough hosts have it on disk. Coming back, each
// group is fetched from any holders, decoded and checked against its name. When a host takes its grant back, its symbols
// are made anew from the others' and given to the hosts that remain; only then is the host told to forget its own.
#pragma once

#include <functional>
#include <set>

#include "node/api.h"
#include "node/index.h"
#include "node/index_records.h"
#include "node/zones.h"

namespace selvedge::node {

constexpr uint64_t kPutBytesInFlightMax = 24u << 20;
constexpr size_t kPutGroupsInFlightMax = 128;
constexpr size_t kGetGroupsInFlightMax = 4;
constexpr size_t kRepairsInFlightMax = 16;
constexpr size_t kTransfersMax = 64;
/// A put waits this long for connected hosts that are still agreeing on terms, so that its symbols go to all of them.
constexpr Duration kHostsSettleMax = seconds(3);
constexpr Duration kRepairRetry = seconds(5);
constexpr Duration kRepairRetryMax = seconds(160);

/// Something to put: a file of this machine, bytes already here, or a blob of another zone.
struct PutItem {
  FileName file;
  std::shared_ptr<const Bytes> content;  // when set, `file.path` is not read
  std::shared_ptr<const Blob> source;    // when set, its groups are fetched, and sealed anew under the keys of where they go
  Bytes provenance;                      // signed, of what crosses
};
struct PutOutcome {
  Status status;
  std::vector<BlobInfo> files;   // in the order given
  uint64_t bytes = 0;
  uint64_t bytes_sealed = 0;
  std::vector<NodeKey> holders;
};

class Library {
 public:
  Library(Core& core, Index& index, Zones& zones) : core_(core), index_(index), zones_(zones) {}

  using OnPut = std::function<void(Turn&, PutOutcome)>;
  using OnTransferProgress = std::function<void(Turn&, const TransferProgress&)>;
  /// Returns the transfer's number, for withdraw().
  uint64_t put(Turn& turn, const object::ZoneId& zone, std::vector<PutItem> items, OnTransferProgress progress, OnPut then);

  /// Calls `piece` with consecutive parts of the content, then `then`. Every part was checked against its group's tag;
  /// the whole was checked against the Cid when `then` gets success.
  using OnPiece = std::function<void(Turn&, uint64_t offset, Bytes bytes, bool last)>;
  uint64_t get(Turn& turn, Blob blob, OnPiece piece, Core::OnStatus then);
  /// Ends a transfer that nobody waits for any more; its continuation gets kCancelled. What hosts took of it by then has no
  /// record here and expires there.
  void withdraw(Turn& turn, uint64_t transfer);

  std::optional<Blob> find(const object::ZoneId& zone, const codec::Cid& cid) const;
  /// In whichever zone this device can read it. Errors: kNotFound, kUnauthorized (it is in a zone whose keys are not here).
  Result<Blob> find(const codec::Cid& cid) const;
  std::vector<BlobInfo> list() const;
  /// Key and holders of a group, for an offer or a fetch.
  Result<object::ObjectKey> key_of(const object::BlockGroup& group) const;
  std::vector<NodeKey> holders_of(const object::ObjectId& object) const;

  /// A machine began or ceased to serve this owner.
  void on_hosts_changed(Turn& turn);
  /// Hosts that would be given symbols of this zone now, in key order.
  std::vector<NodeKey> storage_hosts(Instant now, const object::ZoneId& zone) const;
  /// Looks at every object for holders that took their grant back and for too few holders, and makes those whole again.
  void repair(Turn& turn);
  /// A host that was away or new holds symbols for this owner from now on.
  void on_host_serving(Turn& turn);
  void on_deadline(Turn& turn);
  Instant next_deadline() const;
  size_t repairs_pending() const { return thin_.size(); }
  struct Totals { uint64_t blobs = 0; uint64_t bytes = 0; };
  Totals totals() const;
  Totals totals(const object::ZoneId& zone) const;

  // ---- for the owner's devices
  /// Whether repairing is this device's to do. Unset: yes.
  std::function<bool(Instant)> leads;
  /// Called when an object is placed anew, or nothing more can be done about it now.
  std::function<void(Turn&)> on_repaired;
  struct Held { uint64_t objects = 0; std::set<object::ObjectId> thin; };
  /// What has symbols on `holder`, and which of that any one further holder may not vanish from when it is gone.
  Held held_by(Instant now, const NodeKey& holder) const;
  size_t still_thin(const std::set<object::ObjectId>& objects) const;
  /// A blob came with the index: is it thin?
  void note_blob(Turn& turn, const Blob& blob);
  /// The holder has another key from now on.
  void rename_holder(Turn& turn, const NodeKey& old_holder, const NodeKey& fresh);

 private:
  struct FilePut {
    PutItem item;
    uint64_t next_offset = 0;
    uint64_t size = 0;
    size_t groups_left = 0;
    std::vector<std::vector<codec::ChunkRef>> chunks;   // per group
    std::vector<object::BlockGroup> groups;
  };
  struct Put {
    object::ZoneId zone;
    std::vector<FilePut> files;
    size_t next_file = 0;
    uint64_t bytes_in_flight = 0;
    size_t groups_in_flight = 0;
    size_t files_left = 0;
    TransferProgress progress;
    PutOutcome outcome;
    std::set<NodeKey> holders;
    OnTransferProgress on_progress;
    OnPut then;
    Instant last_progress{0};
    bool pumping = false;
    Instant start_by;          // until then it may wait for hosts
    bool started = false;
  };
  struct Get {
    Blob blob;
    size_t next_group = 0;      // to fetch
    size_t next_piece = 0;      // to hand out
    uint64_t offset = 0;
    size_t in_flight = 0;
    std::map<size_t, std::shared_ptr<Bytes>> ready;
    std::vector<codec::ChunkRef> chunks;
    OnPiece piece;
    Core::OnStatus then;
  };

  void begin_put(Turn& turn, uint64_t id, const object::ZoneId& zone, std::vector<PutItem> items, OnTransferProgress progress, OnPut then);
  void begin_get(Turn& turn, uint64_t id, Blob blob, OnPiece piece, Core::OnStatus then);
  /// Why nothing can be stored in the zone from here. ok(): it can.
  Status check_zone(const object::ZoneId& zone) const;
  bool hosts_settled(Instant now, const object::ZoneId& zone) const;
  void fetch_source(Turn& turn, uint64_t id, size_t file, size_t group, uint64_t bytes);
  void start_put(Turn& turn, uint64_t id);
  void pump(Turn& turn, uint64_t id);
  void start_group(Turn& turn, uint64_t id, size_t file, size_t group, uint64_t bytes);
  void group_read(Turn& turn, uint64_t id, size_t file, size_t group, uint64_t expected, Result<Bytes> bytes);
  void group_named(Turn& turn, uint64_t id, size_t file, size_t group, std::shared_ptr<const Bytes> bytes, Described described);
  void group_spread(Turn& turn, uint64_t id, size_t file, size_t group, mesh::Placement placement, object::BlockGroup described,
                    const mesh::Spread& spread);
  void group_done(Turn& turn, uint64_t id, size_t file, uint64_t bytes, const Status& status);
  void finish_file(Turn& turn, uint64_t id, size_t file);
  void finish_put(Turn& turn, uint64_t id);
  void fail_put(Turn& turn, uint64_t id, const Error& error);

  void pump_get(Turn& turn, uint64_t id);
  void get_group(Turn& turn, uint64_t id, size_t group, Result<Bytes> bytes);
  void get_checked(Turn& turn, uint64_t id, size_t group, std::shared_ptr<Bytes> bytes, Described described);
  void end_get(Turn& turn, uint64_t id, const Status& status);

  void repair_next(Turn& turn);
  void start_repair(Turn& turn, const object::ObjectId& object, const object::BlockGroup& group);
  struct Repair {
    object::BlockGroup group;
    mesh::Placement plan;             // what stays, before anything is added; its next_esi is already the later one
    std::vector<mesh::Share> added;
    std::vector<NodeKey> lost;
  };
  void repair_fetched(Turn& turn, const object::ObjectId& object, object::BlockGroup group, Result<Bytes> bytes);
  void repair_spread(Turn& turn, const object::ObjectId& object, Repair repair, const mesh::Spread& spread);
  void repair_ended(Turn& turn, const object::ObjectId& object, const Status& status);
  void rest(Turn& turn, const object::ObjectId& object);
  // library_hosts.cc
  bool may_place(const object::ZonePolicy& policy, Instant now, const NodeKey& host) const;
  crypto::PublicKey owner_of(Instant now, const NodeKey& host) const;
  std::vector<NodeKey> hosts_for(Instant now, const object::BlockGroup& group, const mesh::Placement& placement) const;
  /// Keeps the list of thin objects in step with a placement.
  void note_coverage(Turn& turn, const mesh::Placement& placement, const object::BlockGroup& group);
  bool covered(Instant now, const mesh::Placement& placement, const object::BlockGroup& group, const NodeKey* without = nullptr) const;
  bool any_lost(Instant now, const mesh::Placement& placement) const;
  bool host_lost(Instant now, const NodeKey& host) const;

  std::optional<mesh::Placement> placement(const object::ObjectId& object) const;
  mesh::EncodeJob encode_job(Turn& turn, std::shared_ptr<const Bytes> bytes, const object::BlockGroup& group, std::vector<mesh::Share> shares) const;

  Core& core_;
  Index& index_;
  Zones& zones_;
  uint64_t next_id_ = 1;
  std::map<uint64_t, Put> puts_;
  std::map<uint64_t, Get> gets_;
  std::map<object::ObjectId, object::BlockGroup> thin_;      // on too few holders, or on one that is lost
  std::set<object::ObjectId> repairing_;
  std::set<object::ObjectId> resting_;                       // thin, and the last try failed
  Instant retry_at_ = Instant::never();
  Duration retry_pause_ = kRepairRetry;
  bool choosing_ = false;
};

/// The shares of `placement` on holders that failed, taken out; true when what is left decodes.
bool keep_placed(mesh::Placement& placement, const object::BlockGroup& group, const std::vector<NodeKey>& kept);

}  // namespace selvedge::node
