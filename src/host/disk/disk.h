// Disk: keeps what the store decides, in RocksDB and a SymbolLog, and answers only after a sync.
//
// One writer thread merges every DiskWrite that queued up while it was syncing into one batch with one sync (group
// commit), so a hundred small writes cost one sync. Reads go to the loop's workers. The columns of store/effects.h
// are column families; of the symbols the database keeps locations, and their bytes lie in a SymbolLog, synced before
// the batch that names them.
//
// Invariants: one process per directory (a lock file says so); the directory is readable by its owner only; answers
// arrive on the loop thread, writes in the order they were given. A failed write is answered as failed, and the next
// one first tries to bring the database back, so a disk that was full works again when there is room.
//
// Owned by the daemon, which destroys it before its Loop; used by the loop thread only. RocksDB stays behind this header.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "store/effects.h"

namespace selvedge::host {

class Loop;

class Disk {
 public:
  /// Called on the loop thread, never from inside execute().
  struct Answers {
    std::function<void(uint64_t token)> persisted;
    std::function<void(uint64_t token, const Error& error)> write_failed;
    std::function<void(uint64_t token, std::vector<std::optional<Bytes>> values)> loaded;
    std::function<void(uint64_t token, const Error& error)> load_failed;
  };
  struct Statistics {
    uint64_t writes = 0;   // DiskWrites persisted
    uint64_t batches = 0;  // groups written: one sync each, two for a group with symbols
    uint64_t bytes = 0;    // keys and values of the persisted writes
    uint64_t failures = 0; // DiskWrites answered as failed
  };

  /// Opens or creates the store in `dir` (made with mode 0700). Errors: kBusy (another process has it), kIo
  /// (unwritable, full), kIntegrity (damaged), kUnsupported (written by a newer version).
  static Result<std::unique_ptr<Disk>> open(Loop& loop, const std::string& dir);
  /// Finishes the writes that were given, without answering them, and closes. Must not be called by an answer.
  ~Disk();
  Disk(const Disk&) = delete;
  Disk& operator=(const Disk&) = delete;

  /// Hands every entry of `column` in key order to `visit`, on the calling thread: for start, before any execute().
  /// Errors: kIntegrity, kIo.
  Status scan(store::Column column, const std::function<void(ByteView key, ByteView value)>& visit);
  /// Set before the first execute().
  void set_answers(Answers answers);
  /// Every effect is answered exactly once, by one of Answers, unless the Disk is destroyed first.
  void execute(store::Effect effect);
  Statistics statistics() const;

 private:
  struct Impl;
  explicit Disk(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace selvedge::host
