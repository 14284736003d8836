// What nodes say to each other about oracles. Specified in docs/spec/oracles.md.
#pragma once

#include "codec/message_set.h"
#include "object/kinds.h"

namespace selvedge::node {

struct OracleAsk {
  static constexpr uint8_t kType = 96;
  uint64_t request = 0;
  std::string name;
  object::Unique nonce;
  template <class V> void visit(V& v) { v("request", request); v("name", name); v("nonce", nonce); }
};

/// error 0: a signed OracleAnswer. Else an Errc.
struct OracleReply {
  static constexpr uint8_t kType = 97;
  uint64_t request = 0;
  uint8_t error = 0;
  Bytes answer;
  template <class V> void visit(V& v) { v("request", request); v("error", error); v("answer", answer); }
};

using OracleMessages = codec::MessageSet<OracleAsk, OracleReply>;

}  // namespace selvedge::node
