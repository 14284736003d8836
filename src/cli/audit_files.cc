#include "cli/audit_files.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "cli/files.h"
#include "cli/shared.h"

namespace selvedge::cli {

namespace {

namespace fs = std::filesystem;

// A bundle of 256 entries of the largest size, and their lengths.
constexpr uint64_t kLogFileSizeMax = 256 * (object::kLogEntrySizeMax + 2);

Error io_error(const std::string& what, const std::error_code& code) { return fail(Errc::kIo, what + ": " + code.message()); }

/// The files below `dir`, by their path within it. Errors: kIo, kLimit.
Result<std::set<std::string>> files_below(const std::string& dir) {
  constexpr size_t kFilesMax = 4'000'000;
  std::set<std::string> out;
  std::error_code code;
  for (fs::recursive_directory_iterator it(dir, code), end; !code && it != end; it.increment(code)) {
    if (it->is_directory() && !it->is_symlink()) continue;
    if (out.size() == kFilesMax) return fail(Errc::kLimit, dir + " has more files than any log");
    out.insert(fs::path(it->path()).lexically_relative(dir).string());
  }
  if (code) return io_error("cannot read the folder " + dir, code);
  return out;
}

// Names of the form "selvedge/<key>" say which key is theirs, so these signatures are checked without being told of anybody.
std::vector<codec::NoteKey> keys_in_names(const codec::SignedNote& note, const std::string& origin) {
  std::vector<codec::NoteKey> keys;
  const auto add = [&](codec::NoteKey key) {
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(std::move(key));
  };
  if (const auto log = object::audit_name_key(origin)) add(object::audit_log_key(*log));
  for (const codec::NoteSignature& each : note.signatures) {
    const auto node = object::audit_name_key(each.name);
    if (node && each.key_id == object::audit_witness_key(*node).id()) add(object::audit_witness_key(*node));
  }
  return keys;
}

}  // namespace

Result<TrustedCheckpoint> trust_checkpoint(const std::string& text, const AuditTrust& trust) {
  const codec::SignedNote note = TRY(codec::parse_note(text));
  TrustedCheckpoint out;
  out.checkpoint = TRY(object::parse_checkpoint(note.text));
  const std::string& origin = out.checkpoint.origin;
  const auto log = object::audit_name_key(origin);
  if (trust.log && log != trust.log) return fail(Errc::kUnauthorized, "this is the log of " + origin + ", not of the node you named");
  if (!log && trust.vkeys.empty()) return fail(Errc::kUnauthorized, "the log " + origin + " is not that of a Selvedge node: name its key with --vkey");
  std::vector<codec::NoteKey> keys = keys_in_names(note, origin);
  std::vector<codec::NoteKey> wanted;
  for (const std::string& vkey : trust.vkeys) {
    wanted.push_back(TRY(codec::parse_vkey(vkey)));
    if (std::find(keys.begin(), keys.end(), wanted.back()) == keys.end()) keys.push_back(wanted.back());
  }
  const crypto::Ed25519Verifier verifier;
  const std::vector<codec::NoteSigner> signers = TRY(codec::verify_note(note, keys, verifier));
  std::set<crypto::PublicKey> agreed;  // distinct keys, whatever their names
  for (const codec::NoteSigner& signer : signers) {
    const codec::NoteKey& key = keys[signer.key];
    out.signers.push_back({key.name, signer.time});
    if (std::find(wanted.begin(), wanted.end(), key) != wanted.end()) agreed.insert(key.key);
  }
  if (log && (signers.empty() || keys[signers.front().key] != object::audit_log_key(*log))) {
    return fail(Errc::kUnauthorized, "the log " + origin + " did not sign this checkpoint itself");
  }
  const uint64_t needed = trust.quorum == 0 ? wanted.size() : trust.quorum;
  if (agreed.size() < needed) {
    return fail(Errc::kUnavailable, "only " + std::to_string(agreed.size()) + " of the " + std::to_string(needed) + " keys that must have signed did");
  }
  return out;
}

Result<VerifiedLog> verify_log_directory(const std::string& dir, const AuditTrust& trust, const std::string& old_note, const object::LogVisitor& visit) {
  std::optional<TrustedCheckpoint> old;
  if (!old_note.empty()) old = TRY(trust_checkpoint(old_note, {{}, 0, trust.log}));
  const auto read = [&dir](const std::string& path) -> Result<Bytes> { return read_whole(dir + "/" + path, kLogFileSizeMax); };
  const object::CheckedLog checked = TRY(object::check_log(read, old ? std::optional<uint64_t>(old->checkpoint.size) : std::nullopt, visit));
  for (const std::string& path : TRY(files_below(dir))) {
    if (!checked.paths.count(path)) return fail(Errc::kIntegrity, path + " in " + dir + " belongs to no log of " + std::to_string(checked.checkpoint.size) + " entries");
  }
  VerifiedLog out;
  out.head = TRY(trust_checkpoint(codec::note_text(checked.note), trust));
  out.files = checked.paths.size();
  if (!old) return out;
  out.old_size = old->checkpoint.size;
  if (old->checkpoint.origin != out.head.checkpoint.origin) return fail(Errc::kInvalid, "the earlier checkpoint is of another log: " + old->checkpoint.origin);
  if (checked.old_root != old->checkpoint.root) {
    return fail(Errc::kIntegrity, "the log does not begin with the " + std::to_string(old->checkpoint.size) + " entries that the earlier checkpoint signed: it was rewritten");
  }
  return out;
}

Result<VerifiedProof> verify_proof_file(const std::string& path, const std::optional<Bytes>& entry, const AuditTrust& trust) {
  const object::ProofFile proof = TRY(object::parse_proof_file(to_string(TRY(read_whole(path, object::kProofFileSizeMax)))));
  if (!entry && !proof.extra) return fail(Errc::kInvalid, path + " does not hold the entry it is about: name the file with it, --entry FILE");
  VerifiedProof out;
  out.index = proof.index;
  out.entry = entry ? *entry : *proof.extra;
  out.head = TRY(trust_checkpoint(proof.checkpoint, trust));
  const object::Checkpoint& head = out.head.checkpoint;
  TRY(object::check_inclusion(object::merkle_leaf(out.entry), proof.index, head.size, proof.hashes, head.root));
  return out;
}

Status make_log_folders(const std::string& dir, uint64_t size) {
  std::set<std::string> folders = {dir};
  const std::vector<std::string> paths = TRY(object::log_paths(size));
  for (const std::string& path : paths) folders.insert(dir + "/" + path.substr(0, path.rfind('/')));
  for (const std::string& folder : folders) TRY(make_dirs(folder));
  return ok();
}

Status remove_old_tiles(const std::string& dir, uint64_t size) {
  const std::vector<std::string> listed = TRY(object::log_paths(size));
  const std::set<std::string> paths(listed.begin(), listed.end());
  for (const std::string& path : TRY(files_below(dir))) {
    const Result<object::TilePath> tile = object::parse_tile_path(path);
    if (paths.count(path) || !tile.ok() || tile->width == object::kTileWidth) continue;
    std::error_code code;
    fs::remove(dir + "/" + path, code);
    if (!code) fs::remove(fs::path(dir + "/" + path).parent_path(), code);  // "000.p", which stays while something is in it
  }
  return ok();
}

Result<bool> is_new_folder(const std::string& dir) {
  std::error_code code;
  if (!fs::exists(dir, code)) return true;
  if (!fs::is_directory(dir, code)) return fail(Errc::kIo, dir + " is no folder");
  const bool empty = fs::is_empty(dir, code);
  if (code) return io_error("cannot read the folder " + dir, code);
  return empty;
}

}  // namespace selvedge::cli
