// MessageSet: the closed list of messages that one machine speaks, each with a type number.
//
// On the wire a message is its type number (one byte) and its body in deterministic CBOR. A machine declares its
// messages once; unknown numbers are an error of the peer, never of ours.
#pragma once

#include <optional>
#include <variant>

#include "codec/schema.h"

namespace selvedge::codec {

template <class... Ms>
class MessageSet {
 public:
  using Message = std::variant<Ms...>;

  static constexpr bool knows(uint8_t type) { return ((Ms::kType == type) || ...); }

  template <class M>
  static Bytes encode(const M& message) {
    Bytes out{M::kType};
    append(out, codec::encode(message));
    return out;
  }

  /// Errors: kUnsupported for a type number not in the set; else what codec::decode says.
  static Result<Message> decode(ByteView bytes) {
    if (bytes.empty()) return fail(Errc::kInvalid, "empty message");
    std::optional<Result<Message>> out;
    (void)((Ms::kType == bytes[0] ? (out = decode_as<Ms>(bytes.subspan(1)), true) : false) || ...);
    if (!out) return fail(Errc::kUnsupported, "message type " + std::to_string(bytes[0]) + " is not known to this node");
    return std::move(*out);
  }

 private:
  template <class M>
  static Result<Message> decode_as(ByteView body) {
    Result<M> message = codec::decode<M>(body);
    if (!message.ok()) return std::move(message).error();
    return Message(std::move(message).value());
  }
};

}  // namespace selvedge::codec
