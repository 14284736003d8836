// HintClient: asks PKARR relays by HTTP (libcurl), the DHT (libtorrent) and DNS servers (c-ares) where a node is, and tells the former two.
//
// The libraries block on threads of its own, so that neither the loop nor its workers wait for strangers. What comes back is bounded, and is checked by
// whoever asked: nothing here is trusted. Answers come on the loop thread. Lives on the loop thread; owned by the daemon.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/result.h"
#include "crypto/types.h"
#include "host/loop/loop.h"
#include "host/net/dht.h"
#include "host/net/lan.h"
#include "mesh/finder.h"

namespace selvedge::host {

inline constexpr size_t kHintThreads = 4;
inline constexpr size_t kHintJobsMax = 256;
/// A source that has said nothing for so long is given up; the finder has gone on by then.
inline constexpr Duration kHintTimeout = seconds(6);

class HintClient {
 public:
  explicit HintClient(Loop& loop);
  ~HintClient();
  HintClient(const HintClient&) = delete;
  HintClient& operator=(const HintClient&) = delete;

  /// Readies what takes long to be ready. Errors: kIo.
  Status prepare(const mesh::HintSource& source);
  /// A PKARR payload as the source has it. Errors: kNotFound (it does not know the node), kUnavailable, kTimeout, kInvalid (not what a source
  /// says), kLimit (too many questions are under way).
  void ask(const mesh::HintSource& source, const crypto::PublicKey& node, std::function<void(Result<Bytes>)> then);
  /// To a LAN: answers with it from now on; nothing more with an empty one. Errors: as ask(), kExists (the relay has a newer one), kIo.
  void tell(const mesh::HintSource& to, const crypto::PublicKey& node, Bytes payload, std::function<void(Status)> then);

 private:
  /// False where too much is under way.
  bool enqueue(std::function<void()> job);
  void later(std::function<void()> what);
  Status answer_lan(const crypto::PublicKey& node, ByteView payload);
  /// Joins it where that was not done yet.
  Result<Dht*> dht(const std::string& bootstrap);
  void work();

  Loop& loop_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_;
  std::atomic<bool> stopping_{false};
  std::unique_ptr<LanResponder> responder_;   // on the loop thread
  std::map<std::string, std::unique_ptr<Dht>> dhts_;   // by bootstrap; at most as many as there are sources
  std::vector<std::thread> threads_;
  std::shared_ptr<HintClient*> alive_;   // posted callbacks hold it weakly
};

// ---- blocking, any thread; both give up early once `stopping` is set

Result<Bytes> fetch_pkarr(const std::string& url, const crypto::PublicKey& node, const std::atomic<bool>& stopping);
Status put_pkarr(const std::string& url, const crypto::PublicKey& node, ByteView payload, const std::atomic<bool>& stopping);
/// Any file by HTTP: `take` gets the body piece by piece, and ends it with an error. The status. Errors: kUnavailable, or what `take` said.
Result<long> http_get(const std::string& url, const std::function<Status(ByteView)>& take);
/// The strings of the TXT record of `name`. `server`: "ADDR" or "ADDR:PORT"; empty is the system's.
Result<std::vector<std::string>> query_txt(const std::string& name, const std::string& server, const std::atomic<bool>& stopping);

}  // namespace selvedge::host
