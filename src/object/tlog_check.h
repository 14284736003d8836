// Reads a whole log as files (c2sp.org/tlog-tiles) and believes none of them: every entry is hashed, every tile compared with what lies
// below it, the root with that of the checkpoint. What remains to be asked is whose checkpoint it is: codec/signed_note.h.
#pragma once

#include <functional>
#include <set>
#include <string>

#include "object/tlog.h"

namespace selvedge::object {

/// The bytes of the file at a path of the log, such as "tile/0/001". Errors: kNotFound, or what reading gave.
using LogReader = std::function<Result<Bytes>(const std::string& path)>;
/// Sees each entry, in order.
using LogVisitor = std::function<void(uint64_t index, ByteView entry)>;

struct CheckedLog {
  codec::SignedNote note;
  Checkpoint checkpoint;
  std::set<std::string> paths;     // of the files that make up the log, `checkpoint` among them
  std::optional<Digest> old_root;  // of the tree of `old_size` entries
};

/// Errors: kNotFound (a file is missing), kIntegrity (a file is not what it must be, named in the message), kInvalid (an old size above
/// the log's), and what parse_note and parse_checkpoint return.
Result<CheckedLog> check_log(const LogReader& read, std::optional<uint64_t> old_size, const LogVisitor& visit);

/// Every file of a log of `size` entries but the checkpoint, in the order of writing. Errors: kLimit above kListedEntriesMax.
inline constexpr uint64_t kListedEntriesMax = uint64_t(1) << 32;
Result<std::vector<std::string>> log_paths(uint64_t size);

}  // namespace selvedge::object
