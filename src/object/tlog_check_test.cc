// A log as files: what is whole is taken, and no byte of any file can change.
#include <gtest/gtest.h>

#include <map>

#include "object/tlog_check.h"

namespace selvedge::object {
namespace {

using Files = std::map<std::string, Bytes>;

Bytes numbered(uint64_t index) { return to_bytes(view("entry " + std::to_string(index))); }

Files files_of(uint64_t size) {
  const crypto::Ed25519Signer log(crypto::Seed::from(Bytes(32, 1)).value());
  Files files;
  std::vector<Digest> row;
  Frontier tree;
  for (uint64_t i = 0; i < size; ++i) {
    row.push_back(merkle_leaf(numbered(i)));
    tree.append(row.back());
  }
  for (uint64_t bundle = 0; bundle < tile_count(0, size); ++bundle) {
    std::vector<Bytes> entries;
    for (size_t i = 0; i < tile_width({0, bundle}, size); ++i) entries.push_back(numbered(bundle * kTileWidth + i));
    files[entries_path(bundle, entries.size())] = bundle_bytes(entries);
  }
  for (uint8_t level = 0; !row.empty(); ++level) {
    std::vector<Digest> above;
    for (uint64_t index = 0; index < tile_count(level, size); ++index) {
      const size_t width = tile_width({level, index}, size);
      const auto hashes = std::span(row).subspan(index * kTileWidth, width);
      files[tile_path({level, index}, width)] = tile_bytes(hashes);
      if (width < kTileWidth) continue;
      Frontier tile;
      for (const Digest& hash : hashes) tile.append(hash);
      above.push_back(tile.root());
    }
    row = std::move(above);
  }
  const std::string text = checkpoint_text({"log.example", size, tree.root(), {}});
  files["checkpoint"] = to_bytes(view(codec::note_text({text, {codec::sign_note(log, "log.example", text)}})));
  return files;
}

Result<CheckedLog> check(const Files& files, std::optional<uint64_t> old_size = std::nullopt, const LogVisitor& visit = {}) {
  return check_log(
      [&](const std::string& path) -> Result<Bytes> {
        const auto it = files.find(path);
        if (it == files.end()) return fail(Errc::kNotFound, path + " is missing");
        return it->second;
      },
      old_size, visit);
}

// req: A15
TEST(LogCheckTest, AWholeLogIsTaken) {
  for (const uint64_t size : {0, 1, 255, 256, 257, 700, 66'000}) {
    const Files files = files_of(size);
    uint64_t seen = 0;
    const Result<CheckedLog> checked = check(files, size / 2, [&](uint64_t index, ByteView entry) {
      EXPECT_EQ(index, seen++);
      EXPECT_EQ(to_bytes(entry), numbered(index));
    });
    ASSERT_TRUE(checked.ok()) << checked.error().message;
    EXPECT_EQ(seen, size);
    EXPECT_EQ(checked->paths.size(), files.size());
    std::set<std::string> paths = {"checkpoint"};
    const std::vector<std::string> listed = log_paths(size).value();
    for (const std::string& path : listed) EXPECT_TRUE(paths.insert(path).second);
    EXPECT_EQ(checked->paths, paths);
    EXPECT_EQ(checked->old_root, parse_checkpoint(codec::parse_note(to_string(files_of(size / 2).at("checkpoint")))->text)->root);
    EXPECT_EQ(check(files, size + 1).code(), Errc::kInvalid);
  }
  EXPECT_EQ(log_paths(kListedEntriesMax + 1).code(), Errc::kLimit);
}

// req: A15
TEST(LogCheckTest, NoByteOfAnyFileCanChange) {
  const Files files = files_of(260);
  for (const auto& [path, bytes] : files) {
    for (size_t at = 0; at < bytes.size(); at += path == "checkpoint" ? 1 : 61) {
      Files changed = files;
      changed[path][at] ^= 1;
      const Result<CheckedLog> checked = check(changed);
      // What is left of the checkpoint is its name and its signatures, for whoever checks these.
      EXPECT_TRUE(!checked.ok() || path == "checkpoint") << path << " at " << at;
    }
    Files missing = files;
    missing.erase(path);
    EXPECT_EQ(check(missing).code(), Errc::kNotFound) << path;
    Files cut = files;
    cut[path].pop_back();
    EXPECT_FALSE(check(cut).ok()) << path;
    Files longer = files;
    longer[path].push_back(0);
    EXPECT_FALSE(check(longer).ok()) << path;
  }
}

}  // namespace
}  // namespace selvedge::object
