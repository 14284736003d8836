// What the owner asks of the audit log: its head, its entries, proofs, and the whole of it as files.
#include <algorithm>

#include "codec/multibase.h"
#include "node/audit_evidence.h"
#include "node/auditor.h"

namespace selvedge::node {

namespace {

constexpr size_t kSubjectPrefixMin = 8;

AuditEntryInfo entry_info(uint64_t index, ByteView bytes) {
  AuditEntryInfo info;
  info.index = index;
  const Result<object::AuditEntry> entry = object::open_unsigned<object::AuditEntry>(bytes);
  if (!entry.ok()) {
    info.detail = "an entry of a kind this version does not know";
    return info;
  }
  info.time_ms = entry->time_ms;
  info.kind = entry->kind;
  info.subject = entry->subject;
  info.detail = entry->detail;
  info.digest = entry->digest;
  info.within = entry->bytes.has_value();
  return info;
}

bool is_decimal(const std::string& text) {
  constexpr size_t kDigitsMax = 19;
  return !text.empty() && text.size() <= kDigitsMax && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_hex(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace

// ---- head

void Auditor::head(Turn& turn, OnHead then) {
  head_now(turn);
  if (!asking() || head_waiters_.size() >= kAuditHeadWaitersMax) return then(turn, head_answer());
  head_waiters_.push_back({turn.now + kAuditHeadPatience, std::move(then)});
}

bool Auditor::asking() const {
  return std::any_of(witnesses_.begin(), witnesses_.end(), [](const auto& w) { return w.second.asked_until != Instant::never(); });
}

void Auditor::settle_heads(Turn& turn) {
  while (!head_waiters_.empty() && (!asking() || head_waiters_.front().until <= turn.now)) {
    const OnHead then = std::move(head_waiters_.front().then);
    head_waiters_.pop_front();
    then(turn, head_answer());
  }
}

AuditHeadAnswer Auditor::head_answer() const {
  AuditHeadAnswer answer;
  answer.node = core_.self();
  answer.origin = object::audit_name(core_.self());
  answer.vkey = codec::vkey_text(object::audit_log_key(core_.self()));
  answer.waiting = log_.open();
  answer.quorum = quorum();
  answer.complete_size = complete_size_;
  answer.size = log_.size();
  answer.root = log_.root();
  if (head_) {
    answer.size = head_->checkpoint.size;
    answer.root = head_->checkpoint.root;
    answer.checkpoint = codec::note_text(head_->note);
    answer.made = head_->made.unix_seconds();
    for (const auto& [key, time] : head_->cosigners) answer.cosigners.push_back({key, time});
  }
  if (!stopped_.empty()) answer.alerts.push_back(stopped_ + "; this log signs no more checkpoints");
  for (const store::RecordRef& record : core_.records(Record::kAuditEvidence)) {
    const Result<EvidenceRecord> evidence = codec::decode<EvidenceRecord>(*record.value);
    if (evidence.ok()) answer.alerts.push_back("the audit log of node " + codec::key_text(evidence->log) + " contradicts itself: " + evidence->why);
  }
  return answer;
}

// ---- list

struct Auditor::Listing {
  std::optional<object::AuditKind> kind;
  AuditListRequest request;
  uint64_t next = 0;  // entries below it are still to be looked at
  AuditListAnswer answer;
  OnList then;
};

void Auditor::list(Turn& turn, const AuditListRequest& request, OnList then) {
  auto listing = std::make_shared<Listing>();
  for (uint8_t kind = 0; kind <= uint8_t(object::AuditKind::kLast); ++kind) {
    if (request.kind == enum_name(object::AuditKind(kind))) listing->kind = object::AuditKind(kind);
  }
  if (!request.kind.empty() && !listing->kind) {
    std::string names;
    for (uint8_t kind = 0; kind <= uint8_t(object::AuditKind::kLast); ++kind) names += std::string(kind == 0 ? "" : ", ") + enum_name(object::AuditKind(kind));
    return then(turn, fail(Errc::kInvalid, "there is no kind of entry called " + request.kind + "; there are " + names));
  }
  listing->request = request;
  listing->request.count_max = std::min<uint64_t>(request.count_max, kAuditListMax);
  listing->next = request.before == 0 ? log_.size() : std::min(request.before, log_.size());
  listing->answer.size = log_.size();
  listing->then = std::move(then);
  list_bundle(turn, std::move(listing));
}

void Auditor::list_bundle(Turn& turn, std::shared_ptr<Listing> listing) {
  if (listing->next == 0 || listing->answer.entries.size() >= listing->request.count_max) {
    listing->answer.next_before = listing->next;
    return listing->then(turn, std::move(listing->answer));
  }
  const uint64_t bundle = (listing->next - 1) / object::kTileWidth;
  log_.entries(turn, bundle, [this, listing, bundle](Turn& t, Result<std::vector<Bytes>> entries) {
    if (!entries.ok()) return listing->then(t, entries.error());
    while (listing->next > bundle * object::kTileWidth && listing->answer.entries.size() < listing->request.count_max) {
      const uint64_t index = --listing->next;
      AuditEntryInfo info = entry_info(index, (*entries)[size_t(index % object::kTileWidth)]);
      // Entries are in order of time, so nothing older is of interest; but for a clock that was set back.
      if (info.time_ms < listing->request.since_ms) {
        listing->next = 0;
        break;
      }
      if (!listing->kind || info.kind == *listing->kind) listing->answer.entries.push_back(std::move(info));
    }
    list_bundle(t, listing);
  });
}

// ---- prove

struct Auditor::Search {
  std::string prefix;
  uint64_t next = 0;
  OnProve then;
};

void Auditor::prove(Turn& turn, const AuditProveRequest& request, OnProve then) {
  if (!head_now(turn) && !head_) return then(turn, fail(Errc::kIntegrity, stopped_));
  if (log_.size() == 0) return then(turn, fail(Errc::kUnavailable, "nothing is on disk yet; try again in a moment"));
  if (is_decimal(request.entry)) return prove_index(turn, std::stoull(request.entry), std::move(then));
  if (request.entry.size() < kSubjectPrefixMin || request.entry.size() > 2 * object::Digest::kSize || !is_hex(request.entry)) {
    return then(turn, fail(Errc::kInvalid, "name an entry by its index, or by the id of the object it is about: 8 to 64 hexadecimal digits, as selvedge audit list shows it"));
  }
  auto search = std::make_shared<Search>(Search{request.entry, head_->checkpoint.size, std::move(then)});
  search_bundle(turn, std::move(search));
}

void Auditor::search_bundle(Turn& turn, std::shared_ptr<Search> search) {
  if (search->next == 0) return search->then(turn, fail(Errc::kNotFound, "no entry of the audit log is about " + search->prefix));
  const uint64_t bundle = (search->next - 1) / object::kTileWidth;
  log_.entries(turn, bundle, [this, search, bundle](Turn& t, Result<std::vector<Bytes>> entries) {
    if (!entries.ok()) return search->then(t, entries.error());
    while (search->next > bundle * object::kTileWidth) {
      const uint64_t index = --search->next;
      const AuditEntryInfo info = entry_info(index, (*entries)[size_t(index % object::kTileWidth)]);
      if (info.subject.hex().starts_with(search->prefix)) return prove_index(t, index, search->then);
    }
    search_bundle(t, search);
  });
}

/// The newest complete head if it covers the entry, else the newest checkpoint.
std::string Auditor::best_note(uint64_t size_min) const {
  if (complete_size_ >= size_min && complete_size_ != head_->checkpoint.size) {
    Bytes id(store::RecordId::kSize);
    id.back() = 1;
    if (const Bytes* bytes = core_.find_record(Record::kAuditHead, id)) {
      const auto complete = object::open_object<object::AuditHead>(*bytes, core_.authority.verifier());
      if (complete.ok() && complete->body.size >= size_min) return complete->body.note;
    }
  }
  return codec::note_text(head_->note);
}

void Auditor::prove_index(Turn& turn, uint64_t index, OnProve then) {
  if (index >= head_->checkpoint.size) {
    return then(turn, fail(Errc::kNotFound, "the log has the entries 0 to " + std::to_string(head_->checkpoint.size - 1) + ", and none numbered " + std::to_string(index)));
  }
  const std::string note = best_note(index + 1);
  const Result<object::Checkpoint> checkpoint = object::parse_checkpoint(codec::parse_note(note).value().text);
  const Result<object::ProofPlan> plan = object::plan_inclusion(index, checkpoint->size);
  if (!plan.ok()) return then(turn, plan.error());
  const auto cosigners = object::audit_cosigners(note, core_.self(), core_.authority.verifier());
  AuditProveAnswer answer;
  answer.size = checkpoint->size;
  answer.cosigners = cosigners.ok() ? cosigners->size() : 0;
  log_.prove(turn, *plan, [this, index, note, answer, then](Turn& t, Result<std::vector<object::Digest>> proof) {
    if (!proof.ok()) return then(t, proof.error());
    log_.entries(t, index / object::kTileWidth, [index, note, answer, then, proof = *proof](Turn& t2, Result<std::vector<Bytes>> entries) {
      if (!entries.ok()) return then(t2, entries.error());
      AuditProveAnswer out = answer;
      const Bytes& entry = (*entries)[size_t(index % object::kTileWidth)];
      out.entry = entry_info(index, entry);
      out.proof = object::proof_file_text({entry, index, proof, note});
      then(t2, std::move(out));
    });
  });
}

// ---- export

struct Auditor::Export {
  std::string path;
  uint64_t size = 0;
  std::string note;
  uint8_t level = 0;      // of the tiles; the bundles come with level 0
  uint64_t index = 0;
  AuditExportAnswer answer;
  OnExport then;
};

void Auditor::export_to(Turn& turn, const AuditExportRequest& request, OnExport then) {
  if (!head_ || head_->checkpoint.size != request.size) {
    return then(turn, fail(Errc::kUnavailable, "the log has grown meanwhile; try again"));
  }
  auto job = std::make_shared<Export>();
  job->path = request.path;
  job->size = request.size;
  job->note = codec::note_text(head_->note);
  job->answer = {request.size, head_->checkpoint.root, 0};
  job->then = std::move(then);
  export_next(turn, std::move(job));
}

// One file after the other, each when the one before is written, so that a long log takes no memory. The checkpoint comes last: a
// directory without one is unfinished.
void Auditor::export_next(Turn& turn, std::shared_ptr<Export> job) {
  const auto write = [this, job](Turn& t, const std::string& name, Bytes bytes, std::function<void(Turn&)> next) {
    ++job->answer.files;
    core_.write_file(t, job->path + "/" + name, 0, std::move(bytes), true, [job, next](Turn& t2, const Status& written) {
      if (written.ok()) next(t2);
      else job->then(t2, written.error());
    });
  };
  while (job->level < object::kTileLevelsMax && job->index >= object::tile_count(job->level, job->size)) {
    ++job->level;
    job->index = 0;
  }
  if (job->level >= object::kTileLevelsMax) {
    return write(turn, "checkpoint", to_bytes(view(job->note)), [job](Turn& t) { job->then(t, job->answer); });
  }
  const object::TileId id{job->level, job->index++};
  const size_t width = object::tile_width(id, job->size);
  log_.tile(turn, id, width, [this, job, id, width, write](Turn& t, Result<Bytes> tile) {
    if (!tile.ok()) return job->then(t, tile.error());
    write(t, object::tile_path(id, width), std::move(tile).value(), [this, job, id, width, write](Turn& t2) {
      if (id.level > 0) return export_next(t2, job);
      log_.entries(t2, id.index, [this, job, id, width, write](Turn& t3, Result<std::vector<Bytes>> entries) {
        if (!entries.ok()) return job->then(t3, entries.error());
        entries->resize(width);
        write(t3, object::entries_path(id.index, width), object::bundle_bytes(*entries), [this, job](Turn& t4) { export_next(t4, job); });
      });
    });
  });
}

}  // namespace selvedge::node
