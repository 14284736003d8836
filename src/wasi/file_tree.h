// FileTree: the files that one run of a guest sees. In memory, bounded, without links, owners, permissions or times.
//
// "/" holds the task's inputs and cannot be changed. "/out" begins empty and what is in it at the end is the output; "/tmp" begins empty and
// is forgotten. Whatever a guest can learn here follows from the task: entries are sorted, and inode numbers count what was made.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace selvedge::wasi {

/// errno values of wasi_snapshot_preview1.
enum class Errno : uint16_t {
  kSuccess = 0, kBadFd = 8, kExists = 20, kFault = 21, kTooBig = 22, kBadName = 25, kInval = 28, kIsDirectory = 31, kManyOpen = 33,
  kNameTooLong = 37, kNoEntry = 44, kNoSpace = 51, kNoSystemCall = 52, kNotDirectory = 54, kNotEmpty = 55, kReadOnly = 69, kSpipe = 70,
  kNotCapable = 76,
};

constexpr uint64_t kScratchBytesMax = 32u << 20;   // of all files a run has made
constexpr size_t kScratchFilesMax = 4096;          // files and folders that a run has made
constexpr size_t kPathBytesMax = 1024;             // of a path in a call

/// A file of a task: at "/" + path, or, where the path ends in "/", a ustar archive whose tree is put into that folder ("/": into the root).
struct InputFile {
  std::string path;
  Bytes content;
};

class FileTree {
 public:
  struct Node;
  using NodePtr = std::shared_ptr<Node>;
  /// What all nodes that a run made take together.
  struct Usage { uint64_t bytes = 0; size_t files = 0; };

  struct Node {
    Node(uint64_t inode_in, bool directory_in, Usage* usage_in) : inode(inode_in), directory(directory_in), usage(usage_in) {
      if (usage != nullptr) ++usage->files;
    }
    ~Node() {
      if (usage != nullptr) --usage->files, usage->bytes -= content.size();
    }
    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;
    bool writable() const { return usage != nullptr; }
    ByteView bytes() const { return writable() ? ByteView(content) : fixed; }

    const uint64_t inode;
    const bool directory;
    Node* parent = nullptr;                    // none for the root and for what was unlinked
    Usage* const usage;                        // null for what is not the run's to change
    std::map<std::string, NodePtr> entries;    // of a directory
    ByteView fixed;                            // content of an input
    Bytes content;                             // content of a file that the run made
  };

  /// `files` outlive the tree. Errors: kInvalid, kLimit, kUnsupported for a path or an archive that cannot be laid out.
  static Result<std::unique_ptr<FileTree>> create(std::span<const InputFile> files);

  const NodePtr& root() const { return root_; }

  // Paths are relative to the directory `from` and cannot leave it: ".." above it is kNotCapable.
  Errno find(const NodePtr& from, std::string_view path, NodePtr& out) const;
  /// A new empty file. kExists gives the node that is there.
  Errno make_file(const NodePtr& from, std::string_view path, NodePtr& out);
  Errno make_directory(const NodePtr& from, std::string_view path);
  Errno unlink(const NodePtr& from, std::string_view path);
  Errno remove_directory(const NodePtr& from, std::string_view path);
  Errno rename(const NodePtr& from, std::string_view path, const NodePtr& to, std::string_view new_path);
  /// Cuts a file or fills it up with zeros.
  Errno resize(Node& file, uint64_t size);

  /// Whether anything lies in /out.
  bool has_output() const { return !out_->entries.empty(); }
  /// All of /out, and standard output, as an archive: "out/..." and, unless it is empty, "stdout".
  /// Errors: kLimit for more than `bytes_max`, or a path that an archive cannot carry.
  Result<Bytes> output_archive(ByteView standard_output, uint64_t bytes_max) const;
  Usage usage() const { return usage_; }

 private:
  struct Place;
  FileTree() = default;
  NodePtr node(bool directory, Usage* usage) { return std::make_shared<Node>(++inodes_, directory, usage); }
  static void put(Node& directory, std::string name, NodePtr entry);
  Status lay(std::string_view path, bool directory, ByteView content);
  Status lay_all(std::span<const InputFile> files);
  Errno resolve(const NodePtr& from, std::string_view path, Place& out) const;
  Errno place_for_new(const NodePtr& from, std::string_view path, Place& out) const;
  Errno take_out(const NodePtr& from, std::string_view path, bool directory);

  Usage usage_;
  uint64_t inodes_ = 0;
  NodePtr root_, out_;
};

}  // namespace selvedge::wasi
