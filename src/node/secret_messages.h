// What nodes say to each other about shares of secrets. On the control channel, after the session is up; docs/spec/secrets.md.
#pragma once

#include <string>
#include <vector>

#include "codec/message_set.h"
#include "object/secret.h"

namespace selvedge::node {

/// A share for the receiver to hold. It counts only when it was settled, so that a generation comes into force everywhere or nowhere.
struct ShareStore {
  static constexpr uint8_t kType = 64;
  uint64_t request = 0;
  Bytes manifest;  // signed SecretManifest
  Bytes share;     // signed SecretShare
  template <class V> void visit(V& v) { v("request", request); v("manifest", manifest); v("share", share); }
};

/// Answers ShareStore and ShareSettle, after the disk has synced.
struct ShareStored {
  static constexpr uint8_t kType = 65;
  uint64_t request = 0;
  uint8_t error = 0;  // 0 or an Errc
  std::string message;
  template <class V> void visit(V& v) { v("request", request); v("error", error); v("message", message); }
};

enum class SettleAction : uint8_t {
  kKeep,    // this generation is in force: erase those before it
  kDrop,    // it will not come into force: erase it
  kForget,  // the secret is no longer held here: erase all generations up to this one
  kLast = kForget
};
inline const char* enum_name(SettleAction action) {
  switch (action) {
    case SettleAction::kKeep: return "keep";
    case SettleAction::kDrop: return "drop";
    case SettleAction::kForget: return "forget";
  }
  return "unknown";
}

struct ShareSettle {
  static constexpr uint8_t kType = 66;
  uint64_t request = 0;
  object::SecretId secret;
  uint64_t generation = 0;
  SettleAction action = SettleAction::kKeep;
  template <class V> void visit(V& v) { v("request", request); v("secret", secret); v("generation", generation); v("action", action); }
};

struct ShareAsk {
  static constexpr uint8_t kType = 67;
  uint64_t request = 0;
  Bytes release;  // signed SecretRelease
  std::vector<Bytes> capabilities;  // when the asker is not one of the owner's nodes: signed, the one it holds first, the root last
  template <class V> void visit(V& v) { v("request", request); v("release", release); v("capabilities", capabilities); }
};

struct ShareGiven {
  static constexpr uint8_t kType = 68;
  uint64_t request = 0;
  uint8_t number = 0;
  Bytes sealed;    // to the reply key of the request
  uint8_t error = 0;
  std::string message;
  Bytes manifest;  // the one in force, when the request named another generation
  template <class V> void visit(V& v) {
    v("request", request); v("number", number); v("sealed", sealed); v("error", error); v("message", message); v("manifest", manifest);
  }
};

struct ReshareAsk {
  static constexpr uint8_t kType = 69;
  uint64_t request = 0;
  Bytes order;  // signed SecretReshare
  template <class V> void visit(V& v) { v("request", request); v("order", order); }
};

struct ReshareDealt {
  static constexpr uint8_t kType = 70;
  uint64_t request = 0;
  uint8_t dealer = 0;
  std::vector<object::CommitmentBytes> commitments;
  std::vector<Bytes> pieces;  // one for each receiver of the order, in its order
  uint8_t error = 0;
  std::string message;
  template <class V> void visit(V& v) {
    v("request", request); v("dealer", dealer); v("commitments", commitments); v("pieces", pieces); v("error", error); v("message", message);
  }
};

/// The owner lets the receiver ask for a secret: its manifest, and a signed Capability for the receiver.
struct SecretOffer {
  static constexpr uint8_t kType = 71;
  Bytes manifest;
  Bytes capability;
  template <class V> void visit(V& v) { v("manifest", manifest); v("capability", capability); }
};

using SecretMessages = codec::MessageSet<ShareStore, ShareStored, ShareSettle, ShareAsk, ShareGiven, ReshareAsk, ReshareDealt, SecretOffer>;

}  // namespace selvedge::node
