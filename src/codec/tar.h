// Trees of files as POSIX ustar archives, which every tar reads.
//
// A tree is its paths and contents and nothing else: whoever writes the same tree writes the same bytes. Owner is 0, mode 0644 or 0755,
// and the time of everything 2020-01-01, the instant at which every run of a guest begins.
#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace selvedge::codec {

/// Bounds with which every path fits the two fields of a ustar header.
inline constexpr size_t kTarNameMax = 99;    // bytes of one component
inline constexpr size_t kTarPathMax = 155;   // bytes of a whole path
inline constexpr size_t kTarEntriesMax = 4096;

struct TarEntry {
  std::string path;        // "a/b": relative, no "." or "..", no trailing slash
  bool directory = false;
  ByteView content{};
};

/// Errors: kInvalid for a path that is empty, absolute, not UTF-8, with an empty component, "." or "..", or a control character;
/// kLimit for one beyond the bounds above.
Status check_tar_path(std::string_view path);

/// Sorts the entries by path. Every path passes check_tar_path (a CHECK holds here).
Bytes write_tar(std::vector<TarEntry> entries);

/// The contents point into the archive. Written by others, too: "./a" is "a", and "./" is nothing.
/// Errors: kInvalid; kUnsupported for links, devices and the headers of other formats; kLimit for more than `entries_max`.
Result<std::vector<TarEntry>> read_tar(ByteView archive, size_t entries_max = kTarEntriesMax);

}  // namespace selvedge::codec
