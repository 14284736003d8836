// What the store asks of a disk, as values: the same for RocksDB (host/disk) and for the simulated disk (sim/).
//
// The contract of a disk, which every implementation keeps and the tests of this folder attack:
//  - A DiskWrite is atomic: after a crash all of its writes are there or none is.
//  - DiskWrites are applied in the order in which they were issued; on_persisted(token) comes only after a sync.
//  - A DiskWrite that was not answered may or may not survive a crash, independently of its neighbours.
//  - A DiskWrite answered by on_write_failed has not taken effect for reads until the next restart; after a restart
//    it may be there, whole.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "base/bytes.h"

namespace selvedge::store {

/// One RocksDB column family each. The numbers are part of no format; the names are (host/disk).
enum class Column : uint8_t {
  kMeta,      // small: what is held, one entry per object, per segment and per receipt log; scanned at start
  kRecords,   // small named values; scanned at start
  kSymbols,   // values of about 66 KB; never scanned
  kReceipts,  // small, append-only; never scanned
};
inline constexpr size_t kColumnCount = 4;

struct Write {
  Column column;
  Bytes key;
  std::optional<Bytes> value;  // nullopt deletes
  bool operator==(const Write&) const = default;
};

/// Atomic. Answered by Store::on_persisted(token) after the sync, or by Store::on_write_failed(token, error).
struct DiskWrite {
  uint64_t token;
  std::vector<Write> writes;
};

/// Answered by Store::on_loaded(token, one optional per key) or Store::on_load_failed(token, error).
struct DiskRead {
  uint64_t token;
  Column column;
  std::vector<Bytes> keys;
};

using Effect = std::variant<DiskWrite, DiskRead>;

}  // namespace selvedge::store
