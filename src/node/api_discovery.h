// The local API about finding nodes by their keys, and being found. Part of api.h, which includes it.
#pragma once

#include <string>
#include <vector>

#include "crypto/types.h"

namespace selvedge::node {

/// What a source that was told of a node says when all is well.
inline constexpr const char* kKeepsIt = "keeps it";

struct SourceAnswer {
  std::string source;
  std::string said;
  template <class V> void visit(V& v) { v("source", source); v("said", said); }
};
struct FindAnswer {
  crypto::PublicKey node;
  std::vector<std::string> addresses;
  uint64_t expires = 0;            // unix seconds
  std::vector<SourceAnswer> asked;
  template <class V> void visit(V& v) { v("node", node); v("addresses", addresses); v("expires", expires); v("asked", asked); }
};
/// Asks the sources that the node was started with where a node is, by its key.
struct FindRequest {
  static constexpr const char* kMethod = "peer.find";
  using Answer = FindAnswer;
  std::string key;
  template <class V> void visit(V& v) { v("key", key); }
};

struct AnnounceAnswer {
  bool on = false;
  bool own_addresses = false;      // besides ways through relays
  std::vector<std::string> addresses;
  uint64_t expires = 0;            // of what was signed last, unix seconds
  std::vector<SourceAnswer> to;
  std::string name;                // for a zone file: this, a suffix, and a TXT record of these strings
  std::vector<std::string> texts;
  template <class V> void visit(V& v) {
    v("on", on); v("own_addresses", own_addresses); v("addresses", addresses); v("expires", expires); v("to", to); v("name", name); v("texts", texts);
  }
};
/// Tells PKARR relays where this node is, from now on and anew before it expires. Without relays: signs it for a zone file alone.
struct AnnounceRequest {
  static constexpr const char* kMethod = "announce.on";
  using Answer = AnnounceAnswer;
  std::vector<std::string> to;     // "pkarr:https://RELAY", "dht", "lan"
  bool own_addresses = false;
  template <class V> void visit(V& v) { v("to", to); v("own_addresses", own_addresses); }
};
struct AnnounceShowRequest {
  static constexpr const char* kMethod = "announce.show";
  using Answer = AnnounceAnswer;
  template <class V> void visit(V&) {}
};
/// Nothing is told any more; what was told expires.
struct AnnounceOffRequest {
  static constexpr const char* kMethod = "announce.off";
  using Answer = AnnounceAnswer;
  template <class V> void visit(V&) {}
};

}  // namespace selvedge::node
