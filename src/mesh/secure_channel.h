// SecureChannel: two nodes know each other by key, over a transport that carries packets and proves nothing.
//
// QUIC brings TLS along; a browser's WebSocket ends its TLS, if it has one, wherever the page's owner put a proxy. So what passes there is sealed from
// node to node: an ephemeral X25519 exchange, then each side's Ed25519 key with its signature over all that was said so far, inside what the exchange
// keeps secret (SIGMA-I: H. Krawczyk, "SIGMA: the SIGn-and-MAc approach", 2003, section 5.2). Whoever listens learns no key, who answers shows its own first,
// nothing recorded opens later, and what was said in one channel means nothing in another.
//
// Above it are the two channels of every connection, control and bulk: messages of up to 4 MiB, in pieces. The other end says which it has.
//
// Pure. One for each connection; owned by the host, below mesh/trunk.h. Specified in docs/spec/wire.md.
#pragma once

#include <optional>
#include <variant>

#include "base/outbox.h"
#include "base/result.h"
#include "crypto/drbg.h"
#include "crypto/sign.h"
#include "crypto/types.h"

namespace selvedge::mesh {

constexpr size_t kChannelRecordBytesMax = 128u << 10;   // of one packet
constexpr size_t kChannelMessageBytesMax = 4u << 20;

enum class ChannelSide : uint8_t { kDialler, kAcceptor };

struct SendRecord { Bytes record; };                                // one packet, as it is
struct ChannelOpened { crypto::PublicKey peer; };                   // both keys are proved
struct ChannelReceived { bool bulk; Bytes message; };
struct ChannelDelivered { bool bulk; uint64_t messages; };          // the other end has the first `messages` of all that were sent
struct ChannelFailed { Error why; };                                // nothing follows
using ChannelEffect = std::variant<SendRecord, ChannelOpened, ChannelReceived, ChannelDelivered, ChannelFailed>;

class SecureChannel {
 public:
  using Out = Outbox<ChannelEffect>;
  /// `self` outlives it. `expected`: the only key that a dialler takes; an acceptor takes any, and says in ChannelOpened whose it is.
  SecureChannel(ChannelSide side, const crypto::Signer& self, std::optional<crypto::PublicKey> expected, crypto::Drbg drbg);

  /// The packets can go.
  void start(Out& out);
  /// A packet came. Whatever is wrong with it ends in ChannelFailed: kUnauthorized for a key that is not the expected one or not proved, kIntegrity, kInvalid, kLimit.
  void on_record(Bytes record, Out& out);
  /// One message. Errors: kInvalid (it is empty or too long), kNotFound (the channel is not open).
  Status send(bool bulk, ByteView message, Out& out);
  bool open() const { return stage_ == Stage::kOpen; }

 private:
  enum class Stage : uint8_t { kNew, kHello, kProof, kOpen, kFailed };   // what is waited for
  static constexpr size_t kChannels = 2;
  struct Way {                       // one direction
    crypto::AeadKey key;
    uint64_t records = 0;
  };
  Result<crypto::PublicKey> open_proof(ByteView sealed, ChannelSide whose);
  void append_proof(Bytes& to);
  Status agree(const crypto::SealPublicKey& theirs);
  Status on_hello(ByteView record, Out& out);
  Status on_proof(ByteView record, Out& out);
  Status on_sealed(Bytes record, Out& out);
  Status on_ack(ByteView body, Out& out);
  void said(ByteView bytes);
  void seal_and_send(Bytes plain, Out& out);

  const ChannelSide side_;
  const crypto::Signer& self_;
  const std::optional<crypto::PublicKey> expected_;
  Stage stage_ = Stage::kNew;
  crypto::Seed ephemeral_;
  crypto::Digest transcript_;
  Way sending_, receiving_;
  Bytes partial_[kChannels];
  uint64_t sent_[kChannels] = {0, 0};       // messages
  uint64_t received_[kChannels] = {0, 0};
  uint64_t delivered_[kChannels] = {0, 0};  // of sent_
};

}  // namespace selvedge::mesh
