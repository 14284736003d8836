// selvedge audit: what was decided and done on this machine, and proof of it for others.
#include <fmt/format.h>
#include <time.h>

#include <filesystem>

#include "cli/audit_files.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/shared.h"
#include "cli/units.h"
#include "codec/multibase.h"

namespace selvedge::cli {

namespace {

constexpr size_t kShortSubject = 16;
constexpr int kExportTries = 8;

std::string root_text(const crypto::Digest& root) { return root.hex(); }

void print_entry(Table& table, const node::AuditEntryInfo& entry) {
  table.row({std::to_string(entry.index), when(entry.time_ms / 1000), object::enum_name(entry.kind), printable(entry.detail), entry.subject.hex().substr(0, kShortSubject)});
}

AuditTrust trust_of(const AuditVerifyOptions& options, Status& status) {
  AuditTrust trust{options.vkeys, options.quorum, std::nullopt};
  if (options.log.empty()) return trust;
  const Result<crypto::PublicKey> key = codec::parse_key(options.log);
  if (key.ok()) trust.log = *key;
  else status = key.error();
  return trust;
}

void add_head(Record& record, const TrustedCheckpoint& head) {
  std::string signers = "[";
  for (const AuditSigner& signer : head.signers) {
    Record one;
    one.text("name", signer.name).number("time", signer.time);
    signers += (signers.size() > 1 ? "," : "") + one.json();
  }
  record.text("origin", head.checkpoint.origin).number("size", head.checkpoint.size).text("root", head.checkpoint.root.hex()).raw("signers", signers + "]");
}

void print_head(Terminal& terminal, const TrustedCheckpoint& head) {
  terminal.line("  log   " + printable(head.checkpoint.origin));
  terminal.line(fmt::format("  size  {} entries, root {}", head.checkpoint.size, root_text(head.checkpoint.root)));
  for (const AuditSigner& signer : head.signers) {
    terminal.line("  by    " + printable(signer.name) + (signer.time == 0 ? "" : ", cosigned " + when(signer.time)));
  }
}

CommandResult verify_directory(World& world, const AuditVerifyOptions& options, const AuditTrust& trust) {
  std::string old_note;
  if (!options.since.empty()) old_note = to_string(TRY(read_whole(options.since, codec::kNoteSizeMax)));
  const VerifiedLog log = TRY(verify_log_directory(options.path, trust, old_note, {}));
  Record record;
  record.text("kind", "log").text("path", options.path).number("files", log.files);
  add_head(record, log.head);
  if (log.old_size) record.number("since_size", *log.old_size);
  world.terminal.record(record.json());
  world.terminal.line(fmt::format("Valid: every entry, hash and signature in {} ({} files).", options.path, log.files));
  print_head(world.terminal, log.head);
  if (log.old_size) world.terminal.line(fmt::format("  begins with the {} entries of the earlier checkpoint, unchanged", *log.old_size));
  return kExitOk;
}

CommandResult verify_proof(World& world, const AuditVerifyOptions& options, const AuditTrust& trust) {
  if (!options.since.empty()) return fail(Errc::kInvalid, "one proof does not say what came before: --since needs an exported folder");
  std::optional<Bytes> wanted;
  if (!options.entry.empty()) wanted = TRY(read_whole(options.entry, object::kLogEntrySizeMax));
  const VerifiedProof proof = TRY(verify_proof_file(options.path, wanted, trust));
  Record record;
  record.text("kind", "proof").text("path", options.path).number("index", proof.index);
  add_head(record, proof.head);
  const Result<object::AuditEntry> entry = object::open_unsigned<object::AuditEntry>(proof.entry);
  record.raw("entry", entry.ok() ? codec::to_json_text(*entry) : "\"" + to_hex(proof.entry) + "\"");
  world.terminal.record(record.json());
  world.terminal.line(fmt::format("Valid: entry {} is in the log.", proof.index));
  print_head(world.terminal, proof.head);
  if (!entry.ok()) {
    world.terminal.line(fmt::format("  entry {} bytes, not of a Selvedge node", proof.entry.size()));
    return kExitOk;
  }
  world.terminal.line(fmt::format("  entry {}: {}, {}", object::enum_name(entry->kind), printable(entry->detail), when(entry->time_ms / 1000)));
  world.terminal.line("  about " + entry->subject.hex() + (entry->bytes ? fmt::format(" (within, {} bytes)", entry->bytes->size()) : ", SHA-256 " + entry->digest.hex()));
  return kExitOk;
}

Result<node::AuditExportAnswer> export_once(Client& client, const std::string& dir) {
  const auto head = TRY(client.ask(node::AuditHeadRequest{}));
  if (head.size == 0) return fail(Errc::kUnavailable, "nothing is in the log yet");
  TRY(make_log_folders(dir, head.size));
  return client.ask(node::AuditExportRequest{dir, head.size});
}

}  // namespace

CommandResult run_audit_head(World& world) {
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(node::AuditHeadRequest{}));
  world.terminal.record(answer.dump());
  const auto head = TRY(read_answer<node::AuditHeadAnswer>(answer));
  if (world.terminal.json()) return head.alerts.empty() ? kExitOk : kExitCheckFailed;
  world.terminal.line("log        " + head.origin);
  world.terminal.line(fmt::format("size       {} entries{}", head.size, head.waiting > 0 ? fmt::format(", {} on their way to the disk", head.waiting) : ""));
  world.terminal.line("root       " + root_text(head.root));
  if (head.cosigners.empty()) world.terminal.line("cosigned   by nobody: other nodes of this owner do it when they are connected");
  for (const node::AuditCosignerInfo& each : head.cosigners) {
    world.terminal.line("cosigned   by node " + codec::key_text(each.node) + ", " + when(each.time));
  }
  if (head.quorum > 0) {
    world.terminal.line(fmt::format("quorum     {} of {}; {}", head.cosigners.size(), head.quorum,
                                    head.complete_size == head.size ? "complete" : head.complete_size > 0 ? fmt::format("last complete at size {}", head.complete_size) : "never complete so far"));
  }
  world.terminal.line("vkey       " + head.vkey);
  for (const std::string& alert : head.alerts) world.terminal.line("ALERT      " + printable(alert));
  return head.alerts.empty() ? kExitOk : kExitCheckFailed;
}

CommandResult run_audit_list(World& world, const AuditListOptions& options) {
  const auto client = TRY(Client::connect(world.home, nullptr));
  node::AuditListRequest request;
  request.kind = options.kind;
  if (!options.since.empty()) request.since_ms = (uint64_t(time(nullptr)) - std::min(uint64_t(time(nullptr)), TRY(parse_seconds(options.since)))) * 1000;
  uint64_t left = options.all ? UINT64_MAX : options.count;
  Table table({">index", "when", "kind", "what", "about"});
  do {
    request.count_max = std::min<uint64_t>(left, node::kAuditListMax);
    const Json answer = TRY(client->ask_json(request));
    for (size_t i = 0; i < answer.at("entries").size(); ++i) world.terminal.record(answer.at("entries").item(i).dump());
    const auto list = TRY(read_answer<node::AuditListAnswer>(answer));
    for (const node::AuditEntryInfo& entry : list.entries) print_entry(table, entry);
    left -= std::min<uint64_t>(left, list.entries.size());
    request.before = list.next_before;
  } while (left > 0 && request.before != 0);
  if (table.empty()) world.terminal.line("No such entries.");
  else if (!world.terminal.json()) table.print(world.terminal);
  return kExitOk;
}

CommandResult run_audit_prove(World& world, const AuditProveOptions& options) {
  const auto client = TRY(Client::connect(world.home, nullptr));
  const auto proof = TRY(client->ask(node::AuditProveRequest{options.entry}));
  if (options.out == "-") return TRY(world.terminal.write_raw(proof.proof)), kExitOk;
  TRY(write_whole(options.out, view(proof.proof)));
  Record record;
  record.text("path", options.out).number("index", proof.entry.index).number("size", proof.size).number("cosigners", proof.cosigners);
  world.terminal.record(record.json());
  world.terminal.line(fmt::format("Wrote {}: entry {} ({}: {}) is in the log of {} entries, cosigned by {} witness{}.", options.out, proof.entry.index,
                                  object::enum_name(proof.entry.kind), printable(proof.entry.detail), proof.size, proof.cosigners, proof.cosigners == 1 ? "" : "es"));
  world.terminal.line("Anyone can check it, without a node: selvedge audit verify " + options.out);
  return kExitOk;
}

CommandResult run_audit_export(World& world, const AuditExportOptions& options) {
  std::string dir = TRY(absolute_path(options.dir));
  while (dir.size() > 1 && dir.ends_with('/')) dir.pop_back();
  std::string old_note;
  if (!TRY(is_new_folder(dir))) {
    const Result<Bytes> old = read_whole(dir + "/checkpoint", codec::kNoteSizeMax);
    if (!old.ok()) return fail(Errc::kExists, dir + " is not empty and holds no exported log: name a new folder");
    old_note = to_string(*old);
  }
  const auto client = TRY(Client::connect(world.home, nullptr));
  Result<node::AuditExportAnswer> exported = export_once(*client, dir);
  // The log of a busy node grows between two questions.
  for (int i = 1; i < kExportTries && !exported.ok() && exported.code() == Errc::kUnavailable; ++i) exported = export_once(*client, dir);
  if (!exported.ok()) return std::move(exported).error();
  TRY(remove_old_tiles(dir, exported->size));
  const VerifiedLog log = TRY(verify_log_directory(dir, {}, old_note, {}));
  Record record;
  record.text("path", dir).number("files", log.files);
  add_head(record, log.head);
  world.terminal.record(record.json());
  world.terminal.line(fmt::format("Wrote {} entries to {} ({} files), and checked all of it.", log.head.checkpoint.size, dir, log.files));
  if (log.old_size) world.terminal.line(fmt::format("It begins with the {} entries that were there before, unchanged.", *log.old_size));
  world.terminal.line("Anyone can check it: selvedge audit verify " + dir + "    (or any reader of c2sp.org/tlog-tiles)");
  return kExitOk;
}

CommandResult run_audit_verify(World& world, const AuditVerifyOptions& options) {
  Status status;
  const AuditTrust trust = trust_of(options, status);
  TRY(std::move(status));
  std::error_code code;
  if (std::filesystem::is_directory(options.path, code)) return verify_directory(world, options, trust);
  return verify_proof(world, options, trust);
}

}  // namespace selvedge::cli
