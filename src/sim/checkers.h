// Checkers: what must be true of the whole world, each watched by a class of its own from outside.
//
// They know the ground truth, which no node does, and trust nothing that a node says about itself. Each remembers what
// it saw since it was made, across the lives of every node; attach them before the first node starts.
#pragma once

#include <set>

#include "mesh/frame.h"
#include "sim/world.h"

namespace selvedge::sim {

/// No acknowledged symbol is lost: what a holder acknowledges is on its disk, and stays there until its origin drops it,
/// or its grant has been taken back for long enough.
class DurabilityChecker final : public Observer {
 public:
  explicit DurabilityChecker(World& world) : world_(world) {}
  void started(NodeIndex n) override;
  void requested(NodeIndex n, node::RequestId id, const node::ApiRequest& request) override;
  void delivered(NodeIndex to, NodeIndex from, Channel channel, ByteView bytes) override;
  void acted(NodeIndex n, const node::Effect& effect) override;
  void persisted(NodeIndex n, const store::DiskWrite& write) override;
  void finished() override;
  size_t acknowledged() const { return acknowledged_; }

 private:
  struct Symbol {
    object::ObjectId object;
    uint8_t block;
    uint32_t esi;
    auto operator<=>(const Symbol&) const = default;
  };
  using Transfer = std::tuple<NodeIndex, NodeIndex, uint64_t>;   // holder, sender, transfer
  struct Frames {
    std::vector<std::vector<Symbol>> frames;
    size_t acknowledged = 0;
  };
  static std::vector<Symbol> symbols_of(const mesh::FrameView& frame);
  bool durable(NodeIndex n, const std::vector<Symbol>& symbols) const;
  void note(NodeIndex n, const Bytes& disk_key, ByteView value);

  World& world_;
  std::map<Transfer, Frames> transfers_;
  std::map<NodeIndex, std::map<Symbol, uint32_t>> durable_;
  std::map<std::pair<NodeIndex, Bytes>, std::vector<Symbol>> by_disk_key_;
  std::set<std::pair<NodeIndex, Symbol>> promised_;
  std::set<std::pair<NodeIndex, object::ObjectId>> released_;
  std::map<NodeIndex, Instant> revoked_at_;
  size_t acknowledged_ = 0;
};

/// Every accepted output is the true one, every file comes back exactly as it was put, and every failure is a clean error.
class TruthChecker final : public Observer {
 public:
  explicit TruthChecker(World& world) : world_(world) {}
  void requested(NodeIndex n, node::RequestId id, const node::ApiRequest& request) override;
  void replied(NodeIndex n, node::RequestId id, const Reply& reply) override;
  size_t outputs_checked() const { return outputs_checked_; }
  size_t files_checked() const { return files_checked_; }

 private:
  void check_run(NodeIndex n, node::RequestId id, const Reply& reply);
  World& world_;
  struct ExpectedRun { std::vector<std::string> outputs; bool fails = false; };
  std::map<node::RequestId, ExpectedRun> runs_;
  std::map<node::RequestId, node::PutRequest> puts_;
  std::map<node::RequestId, node::GetRequest> gets_;
  std::map<std::string, Bytes> contents_;      // by content id
  size_t outputs_checked_ = 0;
  size_t files_checked_ = 0;
};

/// Nothing runs without a grant in force, and after a revocation or a pause nothing runs beyond the preempt bound.
class ConsentChecker final : public Observer {
 public:
  explicit ConsentChecker(World& world) : world_(world) {}
  void requested(NodeIndex n, node::RequestId id, const node::ApiRequest& request) override;
  void replied(NodeIndex n, node::RequestId id, const Reply& reply) override;
  void started(NodeIndex n) override;
  void acted(NodeIndex n, const node::Effect& effect) override;
  void delivered(NodeIndex to, NodeIndex from, Channel channel, ByteView bytes) override;
  void turn_ended(NodeIndex n) override;
  void task_ended(NodeIndex n, const Running& running, const work::DomainResult& result) override;
  size_t tasks_checked() const { return tasks_checked_; }

 private:
  struct Consent {
    NodeIndex host;
    crypto::PublicKey origin;
    uint64_t expires;
    std::string id;                  // once the host has said it
    bool stopped = false;            // revoked or paused, in this life of the host or for good
    bool for_good = false;           // the host has confirmed it
    Instant stopped_at;
  };
  bool allowed(NodeIndex host, const crypto::PublicKey& origin) const;
  void check_stopped(NodeIndex n, const work::TaskId& task);
  World& world_;
  std::map<node::RequestId, Consent> asked_;
  std::vector<Consent> consents_;
  std::map<node::RequestId, std::pair<std::string, node::LeaseAction>> changes_;
  std::map<work::TaskId, crypto::PublicKey> origin_of_;
  size_t tasks_checked_ = 0;
};

/// A receipt is on disk before a result is shown, tells what was really run, and is the same the origin gets. Nobody is
/// asked to show a result before `agree` machines are bound to one.
class ReceiptChecker final : public Observer {
 public:
  ReceiptChecker(World& world, size_t agree) : world_(world), agree_(agree) {}
  void task_ended(NodeIndex n, const Running& running, const work::DomainResult& result) override;
  void persisted(NodeIndex n, const store::DiskWrite& write) override;
  void acted(NodeIndex n, const node::Effect& effect) override;
  void delivered(NodeIndex to, NodeIndex from, Channel channel, ByteView bytes) override;
  size_t receipts_checked() const { return receipts_checked_; }

 private:
  struct Account { uint64_t fuel; object::Outcome outcome; uint64_t output_bytes; };
  World& world_;
  size_t agree_;
  std::map<std::pair<NodeIndex, work::TaskId>, std::vector<Account>> ran_;
  std::set<std::pair<NodeIndex, crypto::Digest>> on_disk_;
  std::map<work::TaskId, std::set<NodeIndex>> committed_;
  size_t receipts_checked_ = 0;
};

/// Queues stay within their bounds.
class BoundsChecker final : public Observer {
 public:
  explicit BoundsChecker(World& world) : world_(world) {}
  void turn_ended(NodeIndex n) override;

 private:
  World& world_;
};

/// The plaintext of an owner's file is in no message, and on no disk but that owner's.
class SecrecyChecker final : public Observer {
 public:
  SecrecyChecker(World& world, Bytes canary, const crypto::PublicKey& owner) : world_(world), canary_(std::move(canary)), owner_(owner) {}
  void acted(NodeIndex n, const node::Effect& effect) override;
  size_t bytes_searched() const { return bytes_searched_; }

 private:
  bool contains(ByteView bytes);
  World& world_;
  Bytes canary_;
  crypto::PublicKey owner_;
  size_t bytes_searched_ = 0;
};

/// All of them but SecrecyChecker, attached to a world.
struct Checkers {
  explicit Checkers(World& world, size_t agree = 2);
  DurabilityChecker durability;
  TruthChecker truth;
  ConsentChecker consent;
  ReceiptChecker receipts;
  BoundsChecker bounds;
};

}  // namespace selvedge::sim
