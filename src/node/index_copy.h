// IndexCopy: keeps a sealed copy of the owner's index on hosts, and finds it again with nothing but the owner's root.
//
// The device that holds the root and leads writes what is new as a batch of pieces, merging small batches into the next (each batch holds at
// least half of what the one before it does, so writing an entry is repeated log n times at most), and then a head that lists them all
// (index_head.h). The old head stays until the new one is on a host's disk, the old pieces until it is written down here. A host's own
// head is looked at before anything is written to it: who was restored, or comes second of two devices with the root, takes in what is
// there and goes on from it. What is kept is as old as the last save: status says how much has changed since.
#pragma once

#include "node/devices.h"
#include "node/index_head.h"

namespace selvedge::node {

/// Changes are gathered for so long, and at most so long, before they are saved.
constexpr Duration kCopyPause = seconds(2);
constexpr Duration kCopyPauseMax = seconds(30);
constexpr Duration kCopyRetry = seconds(10);
constexpr Duration kCopyAnswerMax = seconds(15);
/// Symbols expire after 29 days: all of it is written again well before.
constexpr uint64_t kCopyRenewSeconds = 10 * object::kDay;
/// A restored home that finds no index on the hosts it reaches waits so long for others before it begins anew.
constexpr Duration kCopySearchMax = seconds(20);
constexpr size_t kCopyPieceBytesMax = 6u << 20;
constexpr size_t kCopyPieceEntriesMax = 30'000;
/// Pairs of piece and holder that are to be forgotten there.
constexpr size_t kCopyPlacesMax = 4096;

class IndexCopy {
 public:
  IndexCopy(Core& core, Index& index, Zones& zones, Library& library, Devices& devices)
      : core_(core), index_(index), zones_(zones), library_(library), devices_(devices) {}

  void restore(Turn& turn);
  /// Signed objects of this owner from a copy: taken in as if a device had brought them.
  std::function<void(Turn&, const Bytes&)> take_record;
  /// The index is here, or there is none to be found.
  std::function<void(Turn&)> on_found;

  /// A host holds something and does not give it out.
  std::function<void(Turn&, const NodeKey&)> on_refused;

  /// Something is new that belongs into the copy.
  void on_changed(Turn& turn);
  /// A host can be asked and written to.
  void on_host(Turn& turn, const NodeKey& host);
  /// There are other hosts than there were.
  void on_hosts_changed(Turn& turn);
  void on_peer_down(Turn& turn, const NodeKey& host);
  /// A host has another key from now on.
  void rename_host(Turn& turn, const NodeKey& old_host, const NodeKey& fresh);
  /// True when the frame or the end of an answer was asked for here.
  bool on_frame(Turn& turn, const NodeKey& from, const mesh::FrameView& frame);
  bool on_end(Turn& turn, const NodeKey& from, const mesh::SymbolEnd& end);
  bool on_drop_ack(Turn& turn, const NodeKey& from, const mesh::DropAck& ack);
  void on_deadline(Turn& turn);
  Instant next_deadline() const;

  /// Entries that are in no copy yet.
  uint64_t pending() const;
  uint64_t saved() const { return state_.saved; }

 private:
  static constexpr uint64_t kRequestsFrom = uint64_t(1) << 63;
  /// What one host was asked about its slots.
  struct Check {
    std::set<uint64_t> waiting;               // requests, one for each slot
    std::optional<CopyState> best;
    Instant give_up;
  };
  /// A copy that is being read: the owner's records first, then the entries.
  struct Reading {
    CopyState state;
    size_t next = 0;
    size_t pieces() const;
    const CopyPiece& piece(size_t index) const;
  };
  /// A copy that is being written.
  struct Writing {
    CopyState state;
    std::vector<std::shared_ptr<const Bytes>> contents;   // of the pieces that are not placed yet: records, then the last batch
    size_t records = 0;                                   // how many of them are records
    size_t next = 0;
    bool anew = false;                                    // everything is placed again, because hosts changed or symbols age
    std::vector<NodeKey> hosts;
    std::map<uint64_t, NodeKey> drops;                    // request to host whose slot is being cleared
    size_t heads_left = 0;
    std::vector<NodeKey> heads;                           // hosts whose slot holds the new head
    Instant give_up = Instant::never();                   // of the drops
  };

  object::ZoneId zone() const { return object::zone_id(core_.owner(), "owner"); }
  Result<object::ObjectKey> key_of(const object::BlockGroup& group) const;
  IndexSeen saved_upto() const;

  // ---- index_copy_read.cc
  void ask(Turn& turn, const NodeKey& host);
  void answered(Turn& turn, const NodeKey& host, uint64_t request);
  void checked(Turn& turn, const NodeKey& host, const std::optional<CopyState>& best);
  void read(Turn& turn, CopyState state);
  void read_next(Turn& turn);
  void piece_read(Turn& turn, Result<Bytes> bytes);
  void read_ended(Turn& turn, const Status& status);

  // ---- index_copy_write.cc
  bool may_write(Instant now) const;
  /// Whether what was saved lies well where it is.
  bool well_placed(Instant now) const;
  /// Whether all hosts that have the head still store for this owner.
  bool heads_stand(Instant now) const;
  std::vector<NodeKey> hosts(Instant now) const;
  void write_soon(Instant now);
  void write(Turn& turn);
  void plan_batch(Writing& writing, const IndexSeen& upto) const;
  static std::vector<std::shared_ptr<const Bytes>> cut_entries(const std::vector<IndexEntry>& entries);
  std::vector<std::shared_ptr<const Bytes>> cut_records(crypto::Digest& digest) const;
  void place_next(Turn& turn);
  void place_piece(Turn& turn, const object::BlockGroup& group);
  void piece_placed(Turn& turn, const object::BlockGroup& group, mesh::Placement placement, const mesh::Spread& spread);
  void keep_piece(CopyPiece piece);
  void write_heads(Turn& turn);
  void write_head(Turn& turn, const NodeKey& host);
  void head_written(Turn& turn, const NodeKey& host, bool placed);
  void written(Turn& turn);
  void give_up(Turn& turn, const std::string& why);

  Core& core_;
  Index& index_;
  Zones& zones_;
  Library& library_;
  Devices& devices_;
  CopyState state_;
  std::map<NodeKey, Check> checks_;
  std::set<NodeKey> checked_;               // in this session
  bool head_stale_ = false;                 // the state changed without anything new to place
  std::optional<Reading> reading_;
  std::optional<Writing> writing_;
  std::set<std::pair<object::ObjectId, NodeKey>> strays_;   // what copies that were begun and not ended left on hosts
  uint64_t last_request_ = kRequestsFrom;   // above all numbers of the Fetcher's
  Instant write_at_ = Instant::never();
  Instant changed_at_ = Instant::never();   // the first change that is not saved
  Instant search_until_ = Instant::never();
  Instant ask_again_at_ = Instant::never();
};

}  // namespace selvedge::node
