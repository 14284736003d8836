// Carry: what is to reach nodes that are never online together with this one, and what came from them.
//
// Outgoing parcels are kept, in this node's custody, until the recipient's signed word comes back that it has them, or until they expire; meanwhile
// they are handed to every link that asks, the urgent first. Incoming ones are opened, checked and handed up once: what comes again is acknowledged
// again and otherwise ignored, because the acknowledgement may be what got lost. An acknowledgement leaves only after the caller says that the
// content is synced (on_accepted). Acknowledgements are parcels too, are gathered until a link asks, and are not themselves acknowledged.
//
// When the memory of what came is full, new parcels are refused instead of old ones forgotten: the sender keeps what is refused, so nothing is
// lost, and nothing is handed up twice. Pure: no I/O, no clock. Specified in docs/spec/carry.md.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <variant>
#include <vector>

#include "base/outbox.h"
#include "base/rng.h"
#include "mesh/parcel.h"

namespace selvedge::mesh {

constexpr size_t kCarryPeersMax = 256;
constexpr size_t kCarryOutMax = 1024;                        // parcels in custody
constexpr uint64_t kCarryOutBytesMax = 64u << 20;
constexpr size_t kCarrySeenPerPeerMax = 4096;
constexpr size_t kCustodyIdsMax = 1024;                      // in one acknowledgement
constexpr Duration kCustodyLifetime = seconds(30 * 86'400);
/// A link that is always there (a radio) is given a parcel again after this long, doubling up to the second.
constexpr Duration kCarryRetryMin = seconds(30);
constexpr Duration kCarryRetryMax = seconds(3'600);

/// How an outgoing parcel is kept over a restart.
struct KeptParcel {
  crypto::PublicKey to;
  uint64_t ends = 0;
  uint8_t priority = 0;
  Bytes sealed;
  template <class V> void visit(V& v) { v("to", to); v("ends", ends); v("priority", priority); v("sealed", sealed); }
};
/// That a parcel came, kept until it would have expired.
struct SeenParcel {
  crypto::PublicKey from;
  uint64_t ends = 0;
  template <class V> void visit(V& v) { v("from", from); v("ends", ends); }
};

struct CarryKeep { ParcelId id; KeptParcel parcel; };        // sync before it is handed to a link
struct CarryForget { ParcelId id; };                         // custody ended: acknowledged or expired
struct CarryForgetSeen { ParcelId id; };
struct CarryHandOver { ParcelId id; std::shared_ptr<const Bytes> sealed; };   // to the link that asked
struct CarryDeliver { ParcelId id; SeenParcel seen; Parcel parcel; };         // sync what follows of it and `seen`, then on_accepted
struct CarryCustody { ParcelId id; crypto::PublicKey by; };  // the recipient has it
struct CarryExpired { ParcelId id; crypto::PublicKey to; };  // nobody said that it arrived
using CarryEffect = std::variant<CarryKeep, CarryForget, CarryForgetSeen, CarryHandOver, CarryDeliver, CarryCustody, CarryExpired>;

/// What a link was not given, for want of room.
struct CarryLeft {
  size_t parcels = 0;
  uint64_t bytes = 0;
};

class Carry {
 public:
  using Out = Outbox<CarryEffect>;
  /// All three references outlive it.
  Carry(const crypto::Signer& self, const crypto::SealKeyPair& keys, const crypto::Verifier& verifier, crypto::Drbg drbg, uint64_t seed)
      : self_(self), keys_(keys), verifier_(verifier), drbg_(std::move(drbg)), rng_(seed) {}

  /// Parcels come from and go to peers only. Errors: kLimit.
  Status add_peer(const ParcelAddress& peer);
  void restore(const ParcelId& id, KeptParcel kept);
  void restore_seen(const ParcelId& id, const SeenParcel& seen);

  /// Errors: kNotFound (no such peer), kLimit (as many or as much in custody as there may be), and those of seal_parcel.
  Result<ParcelId> send(Instant now, const crypto::PublicKey& to, ParcelPriority priority, Duration lifetime, Bytes payload, Out& out);
  /// A link is here (a stick was put in): hands over what it does not have (`present`), while it has room, in at most `room` bytes.
  CarryLeft load(Instant now, const std::set<ParcelId>& present, uint64_t room, Out& out);
  /// The same for a link that is always there: what is due, no sooner again than the retry says.
  void load_due(Instant now, uint64_t room, Out& out);
  /// A link brought this. Errors: those of open_parcel; kUnauthorized (from a stranger), kExpired, kInvalid (made in the future), kLimit (too much of that
  /// sender's is remembered). A parcel that came before is no error.
  Status on_parcel(Instant now, Bytes sealed, Out& out);
  /// What CarryDeliver said is on disk: this node has custody now, and will say so.
  void on_accepted(Instant now, const ParcelId& id);
  void on_deadline(Instant now, Out& out);
  Instant next_deadline() const;

  size_t in_custody() const { return out_.size(); }
  uint64_t bytes_in_custody() const { return out_bytes_; }

 private:
  struct Waiting {
    crypto::PublicKey to;
    uint64_t ends = 0;
    ParcelPriority priority = ParcelPriority::kNormal;
    uint64_t order = 0;                       // older first among equals
    std::shared_ptr<const Bytes> sealed;
    Instant due{0};                           // for load_due
    Duration retry = kCarryRetryMin;
  };
  struct Seen {
    crypto::PublicKey from;
    uint64_t ends = 0;
    bool accepted = false;
  };
  void on_custody(const Parcel& parcel, Out& out);
  Status on_cargo(const ParcelId& id, Parcel parcel, Out& out);
  void hand_over_custody(Instant now, uint64_t& room, Out& out);
  std::vector<std::map<ParcelId, Waiting>::iterator> by_rank();
  void forget(std::map<ParcelId, Waiting>::iterator it, Out& out);

  const crypto::Signer& self_;
  const crypto::SealKeyPair& keys_;
  const crypto::Verifier& verifier_;
  crypto::Drbg drbg_;
  Rng rng_;
  std::map<crypto::PublicKey, crypto::SealPublicKey> peers_;
  std::map<ParcelId, Waiting> out_;
  uint64_t out_bytes_ = 0;
  uint64_t last_order_ = 0;
  std::map<ParcelId, Seen> seen_;
  std::map<crypto::PublicKey, size_t> seen_of_;
  std::map<crypto::PublicKey, std::set<ParcelId>> owed_;   // acknowledgements, each in seen_
};

}  // namespace selvedge::mesh
