// The local API of the audit log: methods of the form audit.*, and their answers. Part of api.h, which lists every request.
#pragma once

#include <string>
#include <vector>

#include "codec/schema.h"
#include "object/audit_entry.h"

namespace selvedge::node {

inline constexpr size_t kAuditListMax = 1000;

struct AuditHeadRequest { static constexpr const char* kMethod = "audit.head"; template <class V> void visit(V&) {} };
/// Newest first.
struct AuditListRequest {
  static constexpr const char* kMethod = "audit.list";
  std::string kind;                      // empty: all
  uint64_t since_ms = 0;                 // Unix time
  uint64_t before = 0;                   // not 0: entries with a lower index only, for the next piece
  uint64_t count_max = kAuditListMax;    // at most kAuditListMax
  template <class V> void visit(V& v) { v("kind", kind); v("since_ms", since_ms); v("before", before); v("count_max", count_max); }
};
struct AuditProveRequest {
  static constexpr const char* kMethod = "audit.prove";
  std::string entry;                     // an index, or the id of the object it is about (a prefix of 8 digits or more): its newest entry
  template <class V> void visit(V& v) { v("entry", entry); }
};
/// Writes the log as a tlog-tiles directory. The folders are there already (cli/commands_audit.cc).
struct AuditExportRequest {
  static constexpr const char* kMethod = "audit.export";
  std::string path;                      // absolute
  uint64_t size = 0;                     // of the newest checkpoint, as audit.head gave it
  template <class V> void visit(V& v) { v("path", path); v("size", size); }
};

struct AuditCosignerInfo {
  crypto::PublicKey node;
  uint64_t time = 0;                     // Unix seconds
  template <class V> void visit(V& v) { v("node", node); v("time", time); }
};
struct AuditHeadAnswer {
  crypto::PublicKey node;
  std::string origin;
  std::string vkey;                      // to check the checkpoint with other tools
  uint64_t size = 0;
  crypto::Digest root;
  uint64_t waiting = 0;                  // entries that are not on disk yet
  std::string checkpoint;                // the signed note; empty before the first
  uint64_t made = 0;                     // when it was signed or restored, Unix seconds
  std::vector<AuditCosignerInfo> cosigners;
  uint32_t quorum = 0;                   // cosigners that the policy asks for
  uint64_t complete_size = 0;            // of the newest head that has them
  std::vector<std::string> alerts;
  template <class V> void visit(V& v) {
    v("node", node); v("origin", origin); v("vkey", vkey); v("size", size); v("root", root); v("waiting", waiting);
    v("checkpoint", checkpoint); v("made", made); v("cosigners", cosigners); v("quorum", quorum); v("complete_size", complete_size);
    v("alerts", alerts);
  }
};
struct AuditEntryInfo {
  uint64_t index = 0;
  uint64_t time_ms = 0;
  object::AuditKind kind = object::AuditKind::kNode;
  crypto::Digest subject;
  std::string detail;
  crypto::Digest digest;
  bool within = false;                   // the object's bytes are in the entry
  template <class V> void visit(V& v) {
    v("index", index); v("time_ms", time_ms); v("kind", kind); v("subject", subject); v("detail", detail); v("digest", digest); v("within", within);
  }
};
struct AuditListAnswer {
  std::vector<AuditEntryInfo> entries;
  uint64_t size = 0;                     // of the log
  uint64_t next_before = 0;              // not 0: there may be more, ask with this `before`
  template <class V> void visit(V& v) { v("entries", entries); v("size", size); v("next_before", next_before); }
};
struct AuditProveAnswer {
  AuditEntryInfo entry;
  uint64_t size = 0;                     // of the checkpoint
  uint64_t cosigners = 0;
  std::string proof;                     // a tlog-proof file; its extra data is the entry
  template <class V> void visit(V& v) { v("entry", entry); v("size", size); v("cosigners", cosigners); v("proof", proof); }
};
struct AuditExportAnswer {
  uint64_t size = 0;
  crypto::Digest root;
  uint64_t files = 0;
  template <class V> void visit(V& v) { v("size", size); v("root", root); v("files", files); }
};

}  // namespace selvedge::node
