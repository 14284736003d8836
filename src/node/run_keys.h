// RunKeys: a run whose inputs no one machine can open alone. Its secret is shared among n machines, k of which have to let an executor have it.
//
// The origin's side chooses n machines of other owners that have shown what hardware they run on, and gives each a share (secrets.h); an offer then carries,
// in place of the keys of the task's objects, those keys locked under the run's secret, and leave for that executor to ask the holders. The executor's side asks k
// of them, opens what was locked for it, and forgets the secret. The secret lives for one run, at most kRunEpochSeconds. spec: WF 11.5, docs/spec/confidential.md
#pragma once

#include <functional>

#include "node/identity_messages.h"
#include "node/registrar.h"
#include "node/secrets.h"
#include "object/zone_keys.h"

namespace selvedge::node {

constexpr uint64_t kRunEpochSeconds = 24 * 3600;
constexpr Duration kIdentityAskTimeout = seconds(10);
constexpr size_t kIdentityAsksMax = 256;
constexpr size_t kIdentitiesKeptMax = 1024;
constexpr size_t kSharedRunsMax = 64;

/// Who is to have to agree.
struct KeysAmong {
  uint32_t threshold = 0;  // k; 0: nobody, the executor gets the keys
  uint32_t holders = 0;    // n
  object::IdentityTier tier = object::IdentityTier::kHardwareBasic;  // that holders and executors have to prove; kSoftware: nothing is asked for
  std::vector<std::string> endorsers;  // IdentityCheckRequest
  bool believe_unendorsed = false;
};

class RunKeys {
 public:
  RunKeys(Core& core, Secrets& secrets, Registrar& registrar) : core_(core), secrets_(secrets), registrar_(registrar) {}

  // ---- the origin's side
  using OnShared = std::function<void(Turn&, Result<std::string>)>;
  /// Makes the secret of a run and brings it to its holders; answers with its name. Errors: kUnavailable (too few machines that qualify: says which do not
  /// and why), kInvalid, kUnauthorized (the owner's key is not on this device), kLimit.
  void share(Turn& turn, const KeysAmong& among, OnShared then);
  /// What goes into the offer of a task to this executor. Errors: kUnauthorized (it has not shown the tier), kNotFound (the run is over), kLimit.
  Result<object::KeyLeave> leave(Turn& turn, const std::string& run, const NodeKey& executor, const object::TaskId& task, const std::vector<object::ObjectKey>& keys);
  /// The run is over: its holders erase their shares.
  void forget(Turn& turn, const std::string& run);

  // ---- the executor's side
  using OnKeys = std::function<void(Turn&, Result<std::vector<object::ObjectKey>>)>;
  /// Errors: kUnavailable (too few holders answered, or not enough said yes), kIntegrity, as open_object.
  void open(Turn& turn, const object::KeyLeave& leave, const object::TaskId& task, OnKeys then);

  void on_message(Turn& turn, const NodeKey& from, const IdentityMessages::Message& message);
  void on_deadline(Turn& turn);
  Instant next_deadline() const;

 private:
  struct Shared {
    KeysAmong among;
    crypto::Secret<32> secret;
  };
  /// A question to many machines at once; `then` once all have answered, or time is over.
  struct Asking {
    std::map<uint64_t, NodeKey> open;
    Instant until;
    std::function<void(Turn&)> then;
  };
  struct Shown {
    Bytes token;
    uint64_t expires = 0;
  };

  bool qualifies_to_be_asked(Instant now, const NodeKey& node) const;
  void ask(Turn& turn, const std::vector<NodeKey>& nodes, object::IdentityTier tier, std::function<void(Turn&)> then);
  void given(Turn& turn, const NodeKey& from, const IdentityGiven& given);
  /// Whether that machine, and no other, has shown the tier. Errors: kUnauthorized with the reason.
  Status proves(Instant now, const NodeKey& node, const KeysAmong& among) const;
  Result<std::vector<NodeKey>> choose(Instant now, const KeysAmong& among) const;
  void bring(Turn& turn, const KeysAmong& among, const OnShared& then);

  Core& core_;
  Secrets& secrets_;
  Registrar& registrar_;
  std::map<std::string, Shared> runs_;  // by the name of the secret
  std::map<NodeKey, Shown> shown_;
  std::map<NodeKey, std::string> declined_;  // why a machine showed nothing, for the message
  std::map<uint64_t, Asking> askings_;
  uint64_t last_ask_ = 0, last_asking_ = 0;
};

}  // namespace selvedge::node
