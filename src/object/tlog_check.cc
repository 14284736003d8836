#include "object/tlog_check.h"

namespace selvedge::object {
namespace {

Error wrong_file(const std::string& path, const std::string& why) { return fail(Errc::kIntegrity, path + " is not what it must be: " + why); }

class LogChecker {
 public:
  LogChecker(const LogReader& read, CheckedLog& out) : read_(read), out_(out) {}

  Status check_entries(std::optional<uint64_t> old_size, const LogVisitor& visit) {
    const uint64_t size = out_.checkpoint.size;
    if (old_size == uint64_t(0)) out_.old_root = merkle_empty();
    for (uint64_t bundle = 0; bundle < tile_count(0, size); ++bundle) {
      const size_t width = tile_width({0, bundle}, size);
      const std::string path = entries_path(bundle, width);
      const Bytes bytes = TRY(take(path));
      const Result<std::vector<ByteView>> entries = parse_bundle(bytes, width);
      if (!entries.ok()) return wrong_file(path, entries.error().message);
      for (const ByteView entry : *entries) {
        if (visit) visit(tree_.size(), entry);
        const Digest leaf = merkle_leaf(entry);
        tree_.append(leaf);
        if (old_size == tree_.size()) out_.old_root = tree_.root();
        TRY(add(0, leaf));
      }
    }
    for (uint8_t level = 0; level < rows_.size(); ++level) {
      if (!rows_[level].empty()) TRY(check_tile(level));
    }
    if (tree_.root() != out_.checkpoint.root) return wrong_file("checkpoint", "its root is not that of the entries");
    return ok();
  }

 private:
  Result<Bytes> take(const std::string& path) {
    Result<Bytes> bytes = read_(path);
    if (bytes.ok()) out_.paths.insert(path);
    return bytes;
  }
  Status add(uint8_t level, const Digest& hash) {
    if (level == rows_.size()) {
      rows_.emplace_back();
      done_.push_back(0);
    }
    rows_[level].push_back(hash);
    if (rows_[level].size() < kTileWidth) return ok();
    TRY(check_tile(level));
    Frontier tile;
    for (const Digest& each : rows_[level]) tile.append(each);
    rows_[level].clear();
    ++done_[level];
    return add(uint8_t(level + 1), tile.root());
  }
  Status check_tile(uint8_t level) {
    const std::string path = tile_path({level, done_[level]}, rows_[level].size());
    if (TRY(take(path)) != tile_bytes(rows_[level])) return wrong_file(path, "its hashes are not those of what lies below it");
    return ok();
  }

  const LogReader& read_;
  CheckedLog& out_;
  Frontier tree_;
  std::vector<std::vector<Digest>> rows_;  // of each level, the tile that is being filled
  std::vector<uint64_t> done_;             // full tiles before it
};

}  // namespace

Result<CheckedLog> check_log(const LogReader& read, std::optional<uint64_t> old_size, const LogVisitor& visit) {
  CheckedLog out;
  out.note = TRY(codec::parse_note(to_string(TRY(read("checkpoint")))));
  out.checkpoint = TRY(parse_checkpoint(out.note.text));
  out.paths.insert("checkpoint");
  if (old_size && *old_size > out.checkpoint.size) {
    return fail(Errc::kInvalid, "the log has " + std::to_string(out.checkpoint.size) + " entries, fewer than the " + std::to_string(*old_size) + " it had");
  }
  TRY(LogChecker(read, out).check_entries(old_size, visit));
  return out;
}

Result<std::vector<std::string>> log_paths(uint64_t size) {
  if (size > kListedEntriesMax) return fail(Errc::kLimit, "a log of " + std::to_string(size) + " entries has too many files to be listed");
  std::vector<std::string> paths;
  for (uint8_t level = 0; level < kTileLevelsMax; ++level) {
    for (uint64_t index = 0; index < tile_count(level, size); ++index) {
      const size_t width = tile_width({level, index}, size);
      paths.push_back(tile_path({level, index}, width));
      if (level == 0) paths.push_back(entries_path(index, width));
    }
  }
  return paths;
}

}  // namespace selvedge::object
