// Audit logs and proofs as files: read, checked without any node, and kept tidy.
//
// Nothing in the files is believed: entries, tiles and root are computed anew (object/tlog_check.h). Whose log it is follows from its name
// where that is "selvedge/<key>"; for the logs of others the keys are given.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "object/audit_head.h"
#include "object/tlog_check.h"

namespace selvedge::cli {

/// What must be true besides, of whoever signed.
struct AuditTrust {
  std::vector<std::string> vkeys;      // keys that must have signed
  uint64_t quorum = 0;                 // so many of them are enough; 0: all
  std::optional<crypto::PublicKey> log;  // it must be the log of this node
};

struct AuditSigner {
  std::string name;
  uint64_t time = 0;  // of a cosignature
};

/// A checkpoint whose signatures hold.
struct TrustedCheckpoint {
  object::Checkpoint checkpoint;
  std::vector<AuditSigner> signers;  // those whose keys are known, the log first
};

/// Errors: kInvalid, kIntegrity, kUnauthorized (a key that must have signed did not), kUnavailable (too few did).
Result<TrustedCheckpoint> trust_checkpoint(const std::string& note, const AuditTrust& trust);

struct VerifiedLog {
  TrustedCheckpoint head;
  uint64_t files = 0;
  std::optional<uint64_t> old_size;  // it begins with the log of this size
};
/// A whole directory. `old_note` is an earlier checkpoint that it must go on from; empty for none.
/// Errors: as trust_checkpoint and object::check_log; kIntegrity for a file that belongs to no log.
Result<VerifiedLog> verify_log_directory(const std::string& dir, const AuditTrust& trust, const std::string& old_note, const object::LogVisitor& visit);

struct VerifiedProof {
  TrustedCheckpoint head;
  uint64_t index = 0;
  Bytes entry;
};
/// A proof file. `entry` is what it must be about; nullopt takes it from the proof. Errors: as trust_checkpoint and check_inclusion;
/// kInvalid when the proof does not hold its entry and none is given.
Result<VerifiedProof> verify_proof_file(const std::string& path, const std::optional<Bytes>& entry, const AuditTrust& trust);

/// Makes every folder of a log of `size` entries. Errors: kIo, kLimit.
Status make_log_folders(const std::string& dir, uint64_t size);
/// Removes partial tiles that a log of `size` entries does not have any more. Errors: kIo, kLimit.
Status remove_old_tiles(const std::string& dir, uint64_t size);
/// Whether there is nothing at `dir`, or an empty folder. Errors: kIo.
Result<bool> is_new_folder(const std::string& dir);

}  // namespace selvedge::cli
