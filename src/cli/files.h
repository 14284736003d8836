// Files that the command handles itself: what a PATH names, private scratch folders, what the command lies beside.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "node/api.h"

namespace selvedge::cli {

constexpr size_t kWalkDepthMax = 128;

struct Walked {
  std::vector<node::FileName> files;   // in the order of the paths; within a directory sorted by name
  std::vector<std::string> skipped;    // "name: why", of what could not be read
  uint64_t bytes = 0;
};

/// The regular files that `paths` name. Directories are walked, without following symbolic links in them; what is
/// neither file nor directory is left out. A file that cannot be read is skipped; a path that does not exist is an error.
/// Errors: kNotFound, kIo, kLimit (node::kFilesPerRequestMax).
Result<Walked> walk_paths(const std::vector<std::string>& paths);

/// Absolute, against the current directory; the file need not exist. Errors: kIo.
Result<std::string> absolute_path(const std::string& path);

/// Makes the names of outputs differ after '/' became '_', as the node stores them (map -o DIR): "a/b" and "a_b" would
/// overwrite each other.
void make_output_names_unique(std::vector<node::FileName>& files);

/// Reads a whole file. Errors: kNotFound, kIo, kLimit (larger than `bytes_max`).
Result<Bytes> read_whole(const std::string& path, uint64_t bytes_max);
/// Calls `piece` with consecutive parts. Errors: kNotFound, kIo, or what `piece` returned.
Status read_pieces(const std::string& path, const std::function<Status(ByteView)>& piece);
/// Writes a new private file (0600). Errors: kIo.
Status write_private(const std::string& path, ByteView content);
/// Writes a file whole or not at all, over one that is there. Errors: kIo.
Status write_whole(const std::string& path, ByteView content);
/// Copies standard input into a new private file. Returns its size. Errors: kIo, kLimit.
Result<uint64_t> copy_input(const std::string& path, uint64_t bytes_max);
/// Do both files hold the same bytes? Errors: kIo, kNotFound.
Result<bool> same_content(const std::string& a, const std::string& b);

/// A folder that only its user may enter, removed with all that is in it.
class ScratchDir {
 public:
  /// Makes a folder inside `parent` whose name begins with `prefix`. Errors: kIo.
  static Result<ScratchDir> make(const std::string& parent, const std::string& prefix);
  ScratchDir(ScratchDir&& other) noexcept : path_(std::move(other.path_)) { other.path_.clear(); }
  ScratchDir& operator=(ScratchDir&&) = delete;
  ~ScratchDir();
  const std::string& path() const { return path_; }
  /// Leaves the folder where it is.
  void keep() { path_.clear(); }

 private:
  explicit ScratchDir(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

/// The folder in which this executable lies. Errors: kIo.
Result<std::string> executable_dir();
/// The executable itself. Errors: kIo.
Result<std::string> executable_path();
/// The program that runs domains, beside this one or installed. Errors: kNotFound.
Result<std::string> find_runner();
/// A guest program that came with Selvedge ("textstats"). Errors: kNotFound.
Result<std::string> find_guest(const std::string& name);

}  // namespace selvedge::cli
