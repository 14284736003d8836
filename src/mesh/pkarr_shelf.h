// PkarrShelf: what a PKARR relay keeps for whoever asks: the latest packet of each key, as long as somebody renews it.
//
// A packet is signed by the key that it is about, so the shelf can keep one back or lose it, and cannot change it; it takes nothing that is older than
// what it has. What it keeps is bounded: of too many keys, those go first that were renewed longest ago. Whoever asks or puts too often waits.
// Pure. Used by host/daemon/pkarr_relay.
#pragma once

#include <map>
#include <set>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "base/token_bucket.h"
#include "crypto/sign.h"

namespace selvedge::mesh {

inline constexpr size_t kShelfKeysMax = 16'384;
inline constexpr Duration kShelfKeeps = seconds(24 * 3600);         // since it was last put
inline constexpr uint32_t kShelfTtlMin = 300, kShelfTtlMax = 86'400;  // seconds that others may keep an answer
inline constexpr size_t kShelfClientsMax = 4096;
inline constexpr uint32_t kShelfPutBurst = 10, kShelfGetBurst = 100;
inline constexpr Duration kShelfPutEvery = milliseconds(500), kShelfGetEvery = milliseconds(50);

class PkarrShelf {
 public:
  struct Kept {
    Bytes payload;
    uint64_t micros = 0;       // when it was made, as it says itself
    uint32_t ttl = 0;          // seconds
    Instant put;
  };
  explicit PkarrShelf(const crypto::Verifier& verifier) : verifier_(verifier) {}

  /// Whether `client` may put (or get) one more now. Errors: kBusy, with how long to wait.
  Status admit(Instant now, const std::string& client, bool put);
  /// Errors: kInvalid (no packet, or no DNS reply in it), kIntegrity (not signed by `key`), kExists (a later one is here).
  Status put(Instant now, const crypto::PublicKey& key, ByteView payload);
  /// Null: not here, or not renewed for so long.
  const Kept* get(Instant now, const crypto::PublicKey& key);
  size_t size() const { return kept_.size(); }

 private:
  void make_room(Instant now);
  struct Client {
    TokenBucket puts{kShelfPutBurst, kShelfPutEvery}, gets{kShelfGetBurst, kShelfGetEvery};
  };

  const crypto::Verifier& verifier_;
  std::map<crypto::PublicKey, Kept> kept_;
  std::set<std::pair<Instant, crypto::PublicKey>> by_age_;
  std::map<std::string, Client> clients_;
};

}  // namespace selvedge::mesh
