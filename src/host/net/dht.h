// Dht: PKARR packets on the Mainline DHT (BEP 5), as mutable items without salt (BEP 44), through libtorrent.
//
// The node asks and stores, and answers nobody (BEP 43): a machine serves strangers only by grant. libtorrent has a thread of its own; what it
// found comes on the loop thread. It checks signatures; whoever asked checks them again. Lives on the loop thread; owned by HintClient.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "crypto/types.h"
#include "host/loop/loop.h"

namespace libtorrent { class session; }

namespace selvedge::host {

/// A lookup goes through several strangers, of whom many are gone. The finder waits a little longer (mesh::kDhtPatience), to hear why there is none.
inline constexpr Duration kDhtTimeout = seconds(12);
inline constexpr size_t kDhtQuestionsMax = 256;

class Dht {
 public:
  /// `bootstrap`: "HOST:PORT" of a node of the network; empty: the public one, as the library knows it. Errors: kIo.
  static Result<std::unique_ptr<Dht>> create(Loop& loop, const std::string& bootstrap);
  ~Dht();
  Dht(const Dht&) = delete;
  Dht& operator=(const Dht&) = delete;

  /// The newest payload that was found. Errors: kNotFound, kTimeout (nobody of the network answers), kLimit.
  void ask(const crypto::PublicKey& node, std::function<void(Result<Bytes>)> then);
  /// `payload` is signed by `node`. Errors: kExists (the network has a later one), kUnavailable (nobody took it), kTimeout, kInvalid, kLimit.
  void tell(const crypto::PublicKey& node, Bytes payload, std::function<void(Status)> then);

 private:
  struct Get {
    std::vector<std::function<void(Result<Bytes>)>> then;
    Bytes best;              // the newest so far
    uint64_t micros = 0;
    Instant until;
  };
  struct Put {
    std::function<void(Status)> then;
    Bytes payload;
    uint64_t micros = 0;
    Instant until;
    Instant again;           // nobody took it; never: it is under way
  };
  Dht(Loop& loop, std::unique_ptr<libtorrent::session> session);
  void start_get(const crypto::PublicKey& node);
  void start_put(const crypto::PublicKey& node, const Put& put);
  void on_alerts();
  void on_joined();
  void on_item(const crypto::PublicKey& node, Bytes payload, uint64_t micros, bool last);
  void on_put(const crypto::PublicKey& node, uint64_t micros, size_t nodes);
  void on_deadline();
  void arm();

  Loop& loop_;
  std::unique_ptr<libtorrent::session> session_;
  bool joined_ = false;      // the library is ready; until then questions wait, as it would lose them
  std::map<crypto::PublicKey, Get> gets_;
  std::map<crypto::PublicKey, Put> puts_;
  Loop::Timer deadline_;
  std::shared_ptr<Dht*> alive_;   // posted callbacks hold it weakly
};

}  // namespace selvedge::host
