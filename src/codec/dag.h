// Files and directories as a Merkle DAG that other IPLD tools read.
//
// A file is cut into 256 KiB raw leaves. A file of one chunk is just that chunk: its name is its raw Cid. A longer one
// gets one dag-cbor node {"size", "type":"file", "chunks":[{"cid","size"}...]} (keys in canonical, length-first order); a directory
// is {"size","type":"directory","entries":[{"cid","name","size"}...]}. There is one level of nodes: kChunksMax chunks
// make 16 GiB, above which a file is refused and is to be split by its owner. Nothing here does I/O:
// blocks leave through a sink and come in by a fetch function, and every block that comes in is checked against its Cid.
#pragma once

#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "codec/cid.h"

namespace selvedge::codec {

inline constexpr size_t kChunkSize = 256 * 1024;
inline constexpr size_t kChunksMax = 65'536;
inline constexpr size_t kDirectoryEntriesMax = 65'536;
inline constexpr size_t kFileNameSizeMax = 255;
/// The largest block of any kind: a node of kChunksMax chunks, or a full directory of usual names.
inline constexpr size_t kBlockSizeMax = 8u << 20;

struct ChunkRef {
  Cid cid;
  uint64_t size = 0;
  bool operator==(const ChunkRef&) const = default;
};

struct FileNode {
  std::vector<ChunkRef> chunks;
  uint64_t size = 0;
  bool operator==(const FileNode&) const = default;
};

struct DirectoryEntry {
  Cid cid;
  std::string name;
  uint64_t size = 0;
  bool operator==(const DirectoryEntry&) const = default;
};

/// Entries sorted by name, names unique.
struct DirectoryNode {
  std::vector<DirectoryEntry> entries;
  bool operator==(const DirectoryNode&) const = default;
};

using Node = std::variant<FileNode, DirectoryNode>;

Bytes encode_node(const FileNode& node);
/// Sorts the entries. Errors: kInvalid for a name that is empty, ".", "..", too long, not UTF-8, with '/' or NUL, or
/// repeated; kLimit for too many.
Result<Bytes> encode_node(DirectoryNode node);
/// Errors: kInvalid, kNonCanonical, kLimit, kUnsupported (another "type").
Result<Node> decode_node(ByteView block);

/// Takes each finished block; an error stops the chunking and is returned from it.
using BlockSink = std::function<Status(const Cid& cid, ByteView block)>;
/// Supplies the block of a Cid.
using BlockSource = std::function<Result<Bytes>(const Cid& cid)>;

struct StoredFile {
  Cid root;
  uint64_t size = 0;
};

/// Cuts a stream of any length into chunks without holding more than one.
class FileChunker {
 public:
  explicit FileChunker(BlockSink sink) : sink_(std::move(sink)) {}
  /// Errors: kLimit above kChunksMax chunks, or what the sink returned.
  Status write(ByteView data);
  /// Emits the last chunk and the node, and names the file.
  Result<StoredFile> finish();

 private:
  Status emit(ByteView chunk);
  BlockSink sink_;
  Bytes pending_;
  FileNode node_;
};

/// The whole of a file that is in memory.
Result<StoredFile> chunk_file(ByteView data, const BlockSink& sink);

/// What to fetch for a file, in order: from its root Cid and the block of that name.
/// Errors: kIntegrity when the block is not the root's, kInvalid when it is a directory or no node.
Result<FileNode> file_layout(const Cid& root, ByteView root_block);

/// Fetches, verifies and joins. Errors: kLimit above `size_max`, kIntegrity, or what the source returned.
Result<Bytes> read_file(const Cid& root, const BlockSource& source, uint64_t size_max);

}  // namespace selvedge::codec
