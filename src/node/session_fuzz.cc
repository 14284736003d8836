// A node with an established session and a grant in force, fed whatever a peer may send, in sequences.
//
// Signatures count as genuine here, so that what is behind them is reached: the peer of this fuzzer may say anything in
// anybody's name. What must hold: no CHECK fails, nothing is read out of bounds, the node comes to rest, and nothing
// runs or is stored beyond what the grant allows.
//
// Input: pieces of one byte kind, two bytes length, content. kind % 8: 0-3 control message of the origin's node, 4
// frame, 5 control message of a stranger, 6 time passes (by the content's first byte in seconds), 7 what runs answers.
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>

#include "codec/multibase.h"
#include "crypto/hash.h"
#include "node/node.h"

namespace {

using namespace selvedge;

constexpr size_t kPiecesMax = 64;
constexpr size_t kEffectsPerPieceMax = 20'000;
constexpr uint64_t kStorageGranted = 4u << 20;
using node::LinkId;
constexpr LinkId kOriginLink = 1, kStrangerLink = 2;

class TrustingVerifier final : public crypto::Verifier {
 public:
  bool verify(const crypto::PublicKey&, ByteView, const crypto::Signature&) const override { return true; }
};

crypto::Seed seed_of(std::string_view name) { return crypto::Seed::from(crypto::sha256(view(name))).value(); }

struct Keys {
  explicit Keys(const std::string& name) : owner(seed_of("owner " + name)), node(seed_of("node " + name)), seal(seed_of("seal " + name)) {}
  crypto::Ed25519Signer owner;
  crypto::Ed25519Signer node;
  crypto::SealKeyPair seal;
  Bytes hello(Instant now) const {
    object::NodeRecord record;
    record.owner = owner.public_key();
    record.node = node.public_key();
    record.seal_key = seal.public_key();
    record.issued = now.unix_seconds();
    record.expires = record.issued + object::kDay;
    record.serial = 1;
    return mesh::MeshMessages::encode(mesh::Hello{{mesh::kProtocolVersion}, uint32_t(mesh::kFrameBytesMax), object::sign_object(owner, record).value().bytes});
  }
};

const Keys& keys(int which) {
  static const Keys host("host"), origin("origin"), stranger("stranger");
  return which == 0 ? host : which == 1 ? origin : stranger;
}

class World {
 public:
  World() : node_(config()) {
    CHECK(node_.start(now_, out_).ok());
    settle();
    node_.on_link_opened(now_, kOriginLink, keys(1).node.public_key(), out_);
    node_.on_message(now_, kOriginLink, keys(1).hello(now_), out_);
    node_.on_link_opened(now_, kStrangerLink, keys(2).node.public_key(), out_);
    node_.on_message(now_, kStrangerLink, keys(2).hello(now_), out_);
    node::GrantGiveRequest give;
    give.origin = codec::key_text(keys(1).owner.public_key());
    give.storage_bytes = kStorageGranted;
    node_.on_request(now_, 1, give, out_);
    settle();
    node_.on_message(now_, kOriginLink, mesh::MeshMessages::encode(mesh::Records{{policy()}}), out_);
    settle();
  }

  void feed(uint8_t kind, ByteView content) {
    switch (kind % 8) {
      case 4: node_.on_symbols(now_, kOriginLink, to_bytes(content), out_); break;
      case 5: node_.on_message(now_, kStrangerLink, content, out_); break;
      case 6: pass(content); break;
      case 7: end_tasks(content); break;
      default: node_.on_message(now_, kOriginLink, content, out_); break;
    }
    settle();
    CHECK(stored_ <= kStorageGranted);
  }

 private:
  node::NodeConfig config() {
    node::NodeConfig config;
    config.owner = &keys(0).owner;
    config.node = &keys(0).node;
    config.seal = &keys(0).seal;
    config.verifier = &verifier_;
    config.started = now_;
    config.zone_root = seed_of("zones host");
    config.random = seed_of("random host1");
    config.version = "fuzz";
    return config;
  }
  // Without the origin's word on its zone nothing of it is held or run.
  Bytes policy() const {
    object::ZonePolicy policy = *object::default_policy(keys(1).owner.public_key(), node::kZoneName);
    policy.issued = now_.unix_seconds();
    policy.expires = policy.issued + object::kDay;
    policy.serial = 1;
    return object::sign_object(keys(1).owner, policy).value().bytes;
  }
  void pass(ByteView content) {
    now_ = now_ + seconds(content.empty() ? 1 : content[0]);
    for (int i = 0; i < 100 && node_.next_deadline() <= now_; ++i) {
      node_.on_deadline(now_, out_);
      settle();
    }
  }
  void end_tasks(ByteView content) {
    for (const work::RunDomain& run : std::exchange(tasks_, {})) {
      work::DomainResult result;
      result.outcome = object::Outcome(content.empty() ? 0 : content[0] % (uint8_t(object::Outcome::kLast) + 1));
      result.output = to_bytes(content);
      node_.on_domain(now_, run.task, run.lease_cap, std::move(result), out_);
    }
  }
  void settle() {
    std::deque<node::Effect> effects;
    for (size_t count = 0;; ++count) {
      CHECK(count < kEffectsPerPieceMax);
      for (node::Effect& effect : out_.take()) effects.push_back(std::move(effect));
      if (effects.empty()) return;
      node::Effect effect = std::move(effects.front());
      effects.pop_front();
      act(effect);
    }
  }
  void act(node::Effect& effect) {
    if (auto* use = std::get_if<node::UseDisk>(&effect)) use_disk(use->effect);
    else if (auto* work = std::get_if<node::Compute>(&effect)) node_.on_computed(now_, work->token, node::compute(work->job), out_);
    else if (auto* task = std::get_if<node::StartTask>(&effect)) tasks_.push_back(std::move(task->run));
    else if (auto* stop = std::get_if<node::StopTasks>(&effect)) node_.on_tasks_stopped(now_, stop->token, out_);
    else if (auto* dial = std::get_if<node::DialPeer>(&effect)) node_.on_dial_failed(now_, dial->peer, fail(Errc::kTimeout, "nobody"), out_);
    else if (auto* close = std::get_if<node::ClosePeer>(&effect)) reopen(close->link);
  }
  // A peer that broke the rules comes back, as peers do, and begins anew under the same link for simplicity.
  void reopen(LinkId link) {
    if (link != kOriginLink && link != kStrangerLink) return;
    const Keys& peer = keys(link == kOriginLink ? 1 : 2);
    node_.on_link_closed(now_, link, fail(Errc::kCancelled, "closed"), out_);
    node_.on_link_opened(now_, link, peer.node.public_key(), out_);
    if (++reopened_ < 32) node_.on_message(now_, link, peer.hello(now_), out_);
  }
  void use_disk(store::Effect& effect) {
    if (auto* write = std::get_if<store::DiskWrite>(&effect)) {
      for (store::Write& each : write->writes) {
        auto at = disk_.find({each.column, each.key});
        if (at != disk_.end()) {
          if (each.column == store::Column::kSymbols) stored_ -= at->second.size();
          disk_.erase(at);
        }
        if (!each.value) continue;
        if (each.column == store::Column::kSymbols) stored_ += each.value->size();
        disk_[{each.column, each.key}] = std::move(*each.value);
      }
      node_.on_persisted(now_, write->token, out_);
      return;
    }
    const auto& read = std::get<store::DiskRead>(effect);
    std::vector<std::optional<Bytes>> values;
    for (const Bytes& key : read.keys) {
      auto at = disk_.find({read.column, key});
      values.push_back(at == disk_.end() ? std::nullopt : std::optional<Bytes>(at->second));
    }
    node_.on_loaded(now_, read.token, std::move(values), out_);
  }

  TrustingVerifier verifier_;
  Instant now_ = Instant::from_unix_seconds(1'790'000'000);
  node::Node node_;
  node::Node::Out out_;
  std::map<std::pair<store::Column, Bytes>, Bytes> disk_;
  uint64_t stored_ = 0;
  std::vector<work::RunDomain> tasks_;
  int reopened_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  World world;
  ByteView rest(data, size);
  for (size_t piece = 0; piece < kPiecesMax && rest.size() >= 3; ++piece) {
    const uint8_t kind = rest[0];
    const size_t length = std::min<size_t>(load_u16(rest.data() + 1), rest.size() - 3);
    world.feed(kind, rest.subspan(3, length));
    rest = rest.subspan(3 + length);
  }
  return 0;
}
