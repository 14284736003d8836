// For the tests of this room: a few nodes whose links, disks, workers and domains answer at once and in order, unless a
// test holds them back. Time stands still between calls. Everything that is chance or trouble is in sim/.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <set>

#include "codec/multibase.h"
#include "codec/ticket.h"
#include "crypto/hash.h"
#include "node/node.h"

namespace selvedge::node::testing {

inline crypto::Seed seed_of(std::string_view name) { return crypto::Seed::from(crypto::sha256(view(name))).value(); }

/// The smallest module that the rewriter takes.
inline Bytes tiny_module() {
  return {0, 'a', 's', 'm', 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 5, 3, 1, 0, 1,
          7, 19, 2, 6, '_', 's', 't', 'a', 'r', 't', 0, 0, 6, 'm', 'e', 'm', 'o', 'r', 'y', 2, 0, 10, 4, 1, 2, 0, 0x0b};
}

class Group {
 public:
  // Defined in the .cc file, as all that is large: each test would compile it anew.
  Group();
  ~Group();
  Group& operator=(Group&& other) noexcept;
  struct Machine {
    explicit Machine(const std::string& machine_name, const std::string& owner_name);
    ~Machine();
    std::string name;
    std::string owner_named;
    crypto::Ed25519Signer owner;
    crypto::Ed25519Signer signer;
    crypto::SealKeyPair seal;
    std::unique_ptr<Node> node;
    bool holds_root = true;
    Birth birth = Birth::kKnown;
    Bytes record;                          // of a device without the owner's key
    std::optional<NodeKey> succeeds;
    std::vector<object::Holder> hosts;
    int life = 0;
    std::map<std::pair<store::Column, Bytes>, Bytes> disk;
    std::vector<store::DiskWrite> held_writes;
    bool hold_disk = false;
    std::map<std::string, Bytes> files;
    std::map<RequestId, std::string> answers;
    std::map<RequestId, Error> refusals;
    std::vector<std::string> progress;
    std::vector<DialPeer> dials;           // asked for; links are the test's to open
    std::vector<work::RunDomain> tasks;    // started and not answered
    bool hold_tasks = false;
    std::map<uint64_t, work::SetPace> paces;  // by lease number
    int reclaims = 0;
    std::vector<StopTasks> stops;          // asked for and not answered
    bool hold_stops = false;
    bool deaf = false;                     // messages to it get lost; what a test makes it say counts
    object::Attestor* chip = nullptr;      // set before start()
    std::vector<Attest> attestations;      // asked for and not answered
    bool hold_attestations = false;
    std::vector<std::string> traces;
    std::map<LinkId, std::pair<size_t, LinkId>> links;
    PathPolicy paths = PathPolicy::kRelayOk;
    bool in_machines = false;              // offers the stronger isolation
    std::map<uint64_t, work::HttpReply> replies;  // to requests of services
    std::vector<CancelTask> cancelled;
    std::vector<JobTold> heard;            // of what it asked a site as a page does
    std::vector<ConnectSocket> connects;
    std::vector<Bytes> received;           // control messages, as they came
    std::vector<Bytes> frames;             // bulk frames, as they came
    const NodeKey& key() const { return signer.public_key(); }
  };

  size_t add(const std::string& name) { return add(name, name); }
  size_t add(const std::string& name, const std::string& owner_name);
  /// A further device of an owner, without the owner's key. It starts once it is enrolled.
  size_t add_device(const std::string& name, const std::string& owner_name);
  std::string request_of(size_t n, const std::string& label, const crypto::Signer* old_key = nullptr);
  /// As its owner would: the request is carried to `root`, the answer back.
  void enroll(size_t root, size_t n, const std::string& label, std::vector<std::string> zones = {}, const crypto::Signer* old_key = nullptr);
  Machine& at(size_t n) { return *machines_[n]; }

  Status start(size_t n);
  void stop(size_t n);
  /// Opens a link and lets both say hello.
  std::pair<LinkId, LinkId> link(size_t a, size_t b);
  void close(size_t n, LinkId id);
  RequestId ask(size_t n, ApiRequest request);
  /// The answer's JSON, or "refused: code".
  std::string answer(size_t n, ApiRequest request);
  static std::string field(const std::string& json, const std::string& name);
  /// The lease's id.
  std::string grant(size_t host, size_t origin, GrantGiveRequest shape = {});
  /// Starts an origin and machines that hold what they are given to run and lend it computing and storage. By machine, the lease.
  std::map<size_t, std::string> start_lenders(size_t origin, const std::vector<size_t>& hosts);
  /// A message on the link from `from` to `to`, as if `from`'s node had sent it.
  void inject(size_t from, size_t to, Bytes message);
  void other_answered(size_t n, const NodeKey& peer, const std::string& address, const NodeKey& shown);
  void inject_frame(size_t from, size_t to, Bytes frame);
  void release_disk(size_t n);
  void release_stops(size_t n);
  void release_attestations(size_t n);
  /// The domain of one held task answers, showing this handle.
  void finish_task_with(size_t n, const work::RunDomain& run, const object::Handle& lease_cap);
  void finish_tasks(size_t n);
  /// Lets time go by, with every deadline on the way.
  void pass(Duration time);
  /// An input of the machine's surroundings.
  using Input = std::function<void(Node&, Node::Out&)>;
  void feed(size_t n, const Input& input) {
    give(n, input);
    settle();
  }
  void put_file(size_t n, const std::string& path, Bytes content) { at(n).files[path] = std::move(content); }
  FileName file(size_t n, const std::string& path) { return {path, path.substr(path.rfind('/') + 1), at(n).files.at(path).size()}; }

  Instant now = Instant::from_unix_seconds(1'790'000'000);

 private:
  struct Travelling { size_t to; LinkId link; Bytes bytes; bool bulk; };

  void give(size_t n, const Input& input);
  void persist(size_t n, store::DiskWrite write);
  void end_attestation(size_t n, const Attest& attest);
  void end_task(size_t n, const work::RunDomain& run) { end_task(n, run, run.lease_cap); }
  void end_task(size_t n, const work::RunDomain& run, const object::Handle& lease_cap);
  void take(size_t n, Node::Out& out);
  void settle();
  void act(size_t n, Effect& effect);
  /// What is only written down.
  static void note(Machine& m, Effect& effect);

  crypto::Ed25519Verifier verifier_;
  std::vector<std::unique_ptr<Machine>> machines_;
  std::deque<std::pair<size_t, Effect>> pending_;
  std::deque<Travelling> travelling_;
  LinkId last_link_ = 0;
  RequestId last_request_ = 0;
  bool settling_ = false;
};

}  // namespace selvedge::node::testing
