// What a node keeps about the logs of others: the checkpoint it cosigned last, and proof that a log contradicted itself.
#pragma once

#include <string>

#include "codec/schema.h"

namespace selvedge::node {

/// Record::kAuditWitnessed, by the node whose log it is.
struct WitnessedRecord {
  uint64_t size = 0;
  crypto::Digest root;
  std::string note;  // as the log signed it, for evidence
  template <class V> void visit(V& v) { v("size", size); v("root", root); v("note", note); }
};

/// Record::kAuditEvidence, by the hash of log, first and second. Both notes are signed by the log, so whoever knows its key can judge.
struct EvidenceRecord {
  crypto::PublicKey log;
  uint64_t time = 0;   // Unix seconds, when this node saw the second one
  std::string why;
  std::string first;   // the checkpoint that was cosigned
  std::string second;  // the request that does not fit it (c2sp.org/tlog-witness, add-checkpoint)
  template <class V> void visit(V& v) { v("log", log); v("time", time); v("why", why); v("first", first); v("second", second); }
};

}  // namespace selvedge::node
