// What nodes say to each other about who they are. Specified in docs/spec/identity.md.
#pragma once

#include <string>

#include "codec/message_set.h"
#include "object/identity.h"

namespace selvedge::node {

/// The receiver is asked for a token of at least this tier, for the owner of the sender as origin.
struct IdentityAsk {
  static constexpr uint8_t kType = 98;
  uint64_t request = 0;
  object::IdentityTier tier = object::IdentityTier::kSoftware;
  std::string purpose;
  template <class V> void visit(V& v) { v("request", request); v("tier", tier); v("purpose", purpose); }
};

/// error 0: a signed IdentityToken. Else an Errc.
struct IdentityGiven {
  static constexpr uint8_t kType = 99;
  uint64_t request = 0;
  uint8_t error = 0;
  std::string message;
  Bytes token;
  template <class V> void visit(V& v) { v("request", request); v("error", error); v("message", message); v("token", token); }
};

using IdentityMessages = codec::MessageSet<IdentityAsk, IdentityGiven>;

}  // namespace selvedge::node
