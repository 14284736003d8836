// LAN discovery by multicast DNS (RFC 6762): one node asks for another's TXT record under ".local", and that one answers with its signed packet.
//
// The asker is a one-shot querier (5.1): it asks from a port of its own and is answered there. The responder shares port 5353 with others on
// this machine, answers for one name only, and not more often than it may. Nothing that comes in is trusted: the packet inside is signed.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/token_bucket.h"
#include "codec/pkarr.h"
#include "crypto/types.h"
#include "host/loop/loop.h"

namespace selvedge::host {

/// How long answers are waited for.
inline constexpr Duration kLanPatience = milliseconds(1500);
inline constexpr uint32_t kLanAnswersPerSecond = 20;

/// A payload signed by `node` from somebody on the same network. Blocking, any thread; gives up early once `stopping` is set.
/// Errors: kNotFound (nobody answered), kIo (no network that takes multicasts).
Result<Bytes> query_lan(const crypto::PublicKey& node, const std::atomic<bool>& stopping);

class LanResponder {
 public:
  /// Errors: kIo (the port cannot be shared, or no network takes multicasts).
  static Result<std::unique_ptr<LanResponder>> create(Loop& loop, const crypto::PublicKey& node, ByteView payload);
  ~LanResponder();
  LanResponder(const LanResponder&) = delete;
  LanResponder& operator=(const LanResponder&) = delete;
  /// What it answers with from now on.
  void set_payload(const crypto::PublicKey& node, ByteView payload);

 private:
  LanResponder(Loop& loop, int fd);
  void on_readable();

  Loop& loop_;
  const int fd_;
  std::string name_;
  std::vector<std::string> texts_;
  TokenBucket bucket_;
  std::unique_ptr<Loop::Watch> watch_;
};

}  // namespace selvedge::host
