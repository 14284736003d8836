// OracleAnswer: one thing of the world that a program asked to know, as a node vouches for it.
//
// A deterministic program cannot look at the world. What it is to know of it is asked before it runs, once, of nodes that its owner names; the signed answers
// are an input of the task like any other, so every execution and every replay has the same ones. spec: docs/spec/oracles.md, WF 7.5
#pragma once

#include <string>

#include "crypto/vrf.h"
#include "object/envelope.h"
#include "object/kinds.h"

namespace selvedge::object {

inline constexpr size_t kOracleValueSizeMax = 1024;

/// The oracles of a node. spec: docs/spec/oracles.md
inline constexpr std::string_view kOracleTime = "time";      // Unix seconds, decimal
inline constexpr std::string_view kOracleHeight = "height";  // entries of the node's audit log, and its root
inline constexpr std::string_view kOracleBeacon = "beacon";  // 64 random bytes that nobody could know before, and the node could not choose

struct OracleAnswer {
  static constexpr std::string_view kName = "OracleAnswer";
  static constexpr uint16_t kVersion = 1;
  PublicKey node;    // whose word it is
  PublicKey origin;  // the owner for whom it was asked
  std::string name;
  Unique nonce;      // drawn by whoever asked: an answer to nobody else's question, and none from before
  std::string value; // one line, as the program reads it
  Bytes proof;       // of a beacon: VRF key (32) and proof (80); else empty
  uint64_t issued = 0;

  template <class V>
  void visit(V& v) {
    v("node", node);
    v("origin", origin);
    v("name", name);
    v("nonce", nonce);
    v("value", value);
    v("proof", proof);
    v("issued", issued);
  }
  const PublicKey& author() const { return node; }
  /// Also that the value is the one its proof proves.
  Status validate() const;
};

/// What the VRF is computed over.
Bytes oracle_beacon_input(const PublicKey& origin, const Unique& nonce);
/// Fills value and proof. Errors: those of VrfKeyPair::prove.
Status prove_beacon(const crypto::VrfKeyPair& key, OracleAnswer& answer);

}  // namespace selvedge::object
