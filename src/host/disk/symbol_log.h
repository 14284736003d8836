// SymbolLog: the bytes of symbol segments, in append-only files beside the database.
//
// A segment is written once and never changed, so it needs no sorted store: it is appended to the active file, synced,
// and found again by its location, which RocksDB keeps. Beside RocksDB's own blob files this writes each byte once
// and not twice, and removing a segment gives its space back at once (a hole, and the file when nothing in it lives),
// also on a full disk, where compaction could not run. bench/disk_bench.cc has the figures.
//
// Invariants: a location is handed out only after its bytes are synced; bytes are removed only after the removal of
// their location is durable (the caller's part); every read checks length and checksum. A start never appends to an
// old file, so a torn end is dead space like any other and is swept away.
//
// Owned by Disk. append(), release() and start() belong to one thread at a time; read() may be called from any.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace selvedge::host {

class SymbolLog {
 public:
  struct Location {
    uint64_t file = 0;
    uint64_t offset = 0;
    uint32_t bytes = 0;
    uint64_t checksum = 0;  // XXH3-64 of the bytes
  };
  static Bytes encode(const Location& location);
  /// Errors: kInvalid.
  static Result<Location> decode(ByteView bytes);

  /// Calls `visit` for every location that the database holds.
  using Visit = std::function<void(const Location&)>;
  using ForEach = std::function<Status(const Visit& visit)>;

  explicit SymbolLog(std::string dir) : dir_(std::move(dir)) {}
  ~SymbolLog();
  SymbolLog(const SymbolLog&) = delete;
  SymbolLog& operator=(const SymbolLog&) = delete;

  /// Learns what lives from the database and removes what does not. Called at every opening of the database.
  Status start(const ForEach& for_each);
  /// Appends and syncs; one location per value. After an error nothing of it lives. Errors: kIo.
  Result<std::vector<Location>> append(std::span<const Bytes* const> values);
  /// Gives back the space of locations that the database does not hold any more.
  void release(std::vector<Location> dead);
  /// nullopt when the bytes are gone or damaged.
  std::optional<Bytes> read(const Location& location) const;

 private:
  struct File {
    uint64_t live_bytes = 0;
    uint64_t live_values = 0;
  };
  struct Extent {
    uint64_t file = 0;
    uint64_t begin = 0;
    uint64_t end = 0;
    auto operator<=>(const Extent&) const = default;
  };
  std::string path_of(uint64_t file) const;
  Status open_active();
  void close_active();
  Status write_all(std::span<const Bytes* const> values);
  Status sweep(const ForEach& for_each);
  void punch(std::vector<Extent> extents);

  std::string dir_;
  std::map<uint64_t, File> files_;
  uint64_t last_file_ = 0;
  int active_ = -1;
  uint64_t active_bytes_ = 0;
};

}  // namespace selvedge::host
