// Tab: a node in a browser's tab, without the browser.
//
// It is node::Node, the same code as everywhere, between the page's connections, workers and key: what host/ is on a machine with an operating system.
// Compiled to WebAssembly (abi.cc) it runs in a worker of the page; compiled like the rest it runs in tests. Nothing here is kept: the store is in memory,
// so each tab is a node of its own, with a key of its own, and a tab that closes is a machine that is gone for good.
//
// The owner is the visitor. Their key never comes here: it stays where the browser keeps keys that no script can read, and signs what is asked by SignThis.
//
// Pure, as the node is. Order: the constructor, on_signed() for the first SignThis (the node's record), which starts it; then anything.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "mesh/secure_channel.h"
#include "mesh/trunk.h"
#include "node/node.h"

namespace selvedge::tab {

/// A tab is lent for so long at most before its visitor is asked again.
constexpr uint64_t kRecordSeconds = 86'400;
constexpr size_t kTabConnectionsMax = 8;
/// What a page may be at once under way with, to one node.
constexpr uint64_t kTabWindowBytes = 1u << 20;
constexpr uint64_t kTabStoreBytesMax = 64u << 20;

// ---- effects
struct SignThis { uint64_t number; Bytes message; };              // by the owner's key: on_signed
struct SendPacket { uint64_t connection; Bytes packet; };
struct ClosePage { uint64_t connection; std::string reason; };    // of a connection; on_closed follows
struct RunProgram { work::RunDomain run; };                       // on_ran
struct StopProgram { work::TaskId task; };                        // on_ran still follows, once
struct StopPrograms { uint64_t token; uint64_t lease_number; };   // on_stopped, when none runs any more
struct PacePrograms { uint64_t lease_number; uint32_t permille; Duration burst; };
struct JobHeard { uint64_t request; Bytes told; };                // a node::JobTold of what ask_job was for; empty: there is no session (any more)
struct Reply { uint64_t request; bool ok; std::string json; };
struct Say { std::string text; };                                 // for a log
using TabEffect = std::variant<SignThis, SendPacket, ClosePage, RunProgram, StopProgram, StopPrograms, PacePrograms, JobHeard, Reply, Say>;

/// What the visitor agreed to.
struct Consent {
  crypto::PublicKey origin;       // whose work it is
  uint32_t cpu_permille = 0;
  uint64_t memory_bytes = 0;
  uint64_t seconds = 0;
  uint32_t network_kbps = 0;      // 0: no bound of its own
  std::vector<std::string> tasks;  // which programs (node/workshop.h, takes); empty: all
  template <class V> void visit(V& v) {
    v("origin", origin); v("cpu_permille", cpu_permille); v("memory_bytes", memory_bytes); v("seconds", seconds); v("network_kbps", network_kbps);
    v("tasks", tasks);
  }
};

class Tab {
 public:
  using Out = Outbox<TabEffect>;
  /// `random`: from the browser's generator. `owner`: the visitor's public key.
  Tab(Instant now, crypto::Seed random, const crypto::PublicKey& owner, std::string version, Out& out);

  /// The owner's signature of a SignThis. Errors: kNotFound, kUnauthorized (it is not theirs).
  Status on_signed(Instant now, uint64_t number, const crypto::Signature& signature, Out& out);
  /// Lends this tab: signed first, in force once that came. Errors: kInvalid.
  Status lend(Instant now, const Consent& consent, Out& out);
  /// Takes back whatever was lent to `origin`. Errors: kNotFound.
  Status take_back(Instant now, const crypto::PublicKey& origin, Out& out);

  /// What was lent to `origin` rests, or goes on: nothing new is begun meanwhile, and what runs stands still. Errors: kNotFound.
  Status hold(Instant now, const crypto::PublicKey& origin, bool rests, Out& out);

  /// A connection of the page to a node's door, which has to prove `peer`. Errors: kLimit, kExists.
  Status on_open(Instant now, uint64_t connection, const mesh::NodeKey& peer, Out& out);
  void on_packet(Instant now, uint64_t connection, Bytes packet, Out& out);
  void on_closed(Instant now, uint64_t connection, const Error& why, Out& out);

  void on_ran(Instant now, const work::TaskId& task, work::DomainResult result, Out& out);
  void on_stopped(Instant now, uint64_t token, Out& out);
  /// Has the node `site`, to which there is a session, have something done: JobHeard follows, the last of which says done or refused, or is empty.
  void ask_job(Instant now, const mesh::NodeKey& site, const node::JobAsk& ask, Out& out);
  void drop_job(Instant now, const mesh::NodeKey& site, uint64_t request, Out& out);
  /// Of the local API; answered by one Reply.
  void on_request(Instant now, uint64_t request, node::ApiRequest what, Out& out);
  void on_deadline(Instant now, Out& out);
  Instant next_deadline() const;
  const mesh::NodeKey& key() const { return node_key_.public_key(); }
  bool started() const { return node_ != nullptr; }

 private:
  // Stands in for the owner's key while an object is made: it keeps what is to be signed, and gives the signature that came.
  class Pen final : public crypto::Signer {
   public:
    explicit Pen(const crypto::PublicKey& owner) : owner_(owner) {}
    const crypto::PublicKey& public_key() const override { return owner_; }
    crypto::Signature sign(ByteView message) const override { asked = to_bytes(message); return given; }
    mutable Bytes asked;
    crypto::Signature given;
   private:
    crypto::PublicKey owner_;
  };
  using Signed = std::function<Status(Instant, Bytes object, Out&)>;
  struct Unsigned {
    Bytes message;
    std::function<Result<Bytes>(const crypto::Signer&)> make;
    Signed then;
  };
  template <class T>
  Status have_signed(T body, Signed then, Out& out);
  Status start(Instant now, Bytes record, Out& out);
  /// One input of the node, and everything that follows from it.
  template <class Input>
  void feed(Instant now, Input input, Out& out);
  template <class Input>
  void feed_trunks(Instant now, Input input, Out& out);
  void drain(Instant now, Out& out);
  void carry_out(Instant now, mesh::Trunks::Out& effects, Out& out);
  void carry_out(Instant now, uint64_t connection, mesh::SecureChannel::Out& effects, Out& out);
  void tell(mesh::TrunkEffect& effect, node::Node::Out& out, Instant now);
  void use_disk(Instant now, store::Effect& effect);

  void perform(Instant now, node::DialPeer& effect, Out& out);
  void perform(Instant now, node::DialAsNobody& effect, Out& out);
  void perform(Instant now, node::SendMessage& effect, Out& out);
  void perform(Instant now, node::SendSymbols& effect, Out& out);
  void perform(Instant now, node::ClosePeer& effect, Out& out);
  void perform(Instant now, node::UseDisk& effect, Out& out);
  void perform(Instant now, node::Compute& effect, Out& out);
  void perform(Instant now, node::StartTask& effect, Out& out);
  void perform(Instant now, node::CancelTask& effect, Out& out);
  void perform(Instant now, node::PaceTasks& effect, Out& out);
  void perform(Instant now, node::StopTasks& effect, Out& out);
  void perform(Instant now, node::ReadFile& effect, Out& out);
  void perform(Instant now, node::WriteFile& effect, Out& out);
  void perform(Instant now, node::Attest& effect, Out& out);
  void perform(Instant now, node::AskHintSource& effect, Out& out);
  void perform(Instant now, node::TellHintSource& effect, Out& out);
  void perform(Instant now, node::ListenLocal& effect, Out& out);
  void perform(Instant now, node::ConnectSocket& effect, Out& out);
  void perform(Instant now, node::JobNews& effect, Out& out);
  void perform(Instant now, node::OpenDash& effect, Out& out);
  void perform(Instant now, node::Answer& effect, Out& out);
  void perform(Instant now, node::Refuse& effect, Out& out);
  void perform(Instant now, node::Trace& effect, Out& out);
  template <class Other>
  void perform(Instant, Other&, Out&) {}   // of what a tab never has: circuits, sockets, requests to services

  crypto::Drbg drbg_;
  const crypto::PublicKey owner_;
  const std::string version_;
  crypto::Ed25519Signer node_key_;
  crypto::SealKeyPair seal_;
  crypto::Ed25519Verifier verifier_;
  std::unique_ptr<node::Node> node_;
  mesh::Trunks trunks_;
  std::map<uint64_t, std::unique_ptr<mesh::SecureChannel>> channels_;
  std::map<uint64_t, Unsigned> unsigned_;
  uint64_t last_unsigned_ = 0;
  std::map<std::pair<store::Column, Bytes>, Bytes> disk_;
  std::map<work::TaskId, object::Handle> running_;
  // Inputs that follow from effects, one after the other.
  std::deque<std::function<void(node::Node::Out&)>> inputs_;
  bool draining_ = false;
};

}  // namespace selvedge::tab
