#include "codec/dag.h"

#include <algorithm>

namespace selvedge::codec {
namespace {

constexpr std::string_view kFileType = "file";
constexpr std::string_view kDirectoryType = "directory";

Status check_name(std::string_view name) {
  const bool bad = name.empty() || name.size() > kFileNameSizeMax || name == "." || name == ".." ||
                   name.find('/') != std::string_view::npos || name.find('\0') != std::string_view::npos || !is_utf8(name);
  if (!bad) return ok();
  return fail(Errc::kInvalid, "a file name in a directory is empty, longer than 255 bytes, not UTF-8, or one that could lead outside: rename it");
}

Status check_sizes(const FileNode& node) {
  uint64_t total = 0;
  for (size_t i = 0; i < node.chunks.size(); ++i) {
    const ChunkRef& chunk = node.chunks[i];
    const bool last = i + 1 == node.chunks.size();
    if (chunk.cid.codec != Codec::kRaw) return fail(Errc::kInvalid, "a chunk of a file is not raw bytes");
    if (chunk.size == 0 || chunk.size > kChunkSize || (!last && chunk.size != kChunkSize)) {
      return fail(Errc::kInvalid, "a file node has a chunk of a size that cutting never gives");
    }
    total += chunk.size;
  }
  if (total != node.size) return fail(Errc::kInvalid, "the chunks of a file node do not add up to its size");
  if (node.chunks.size() < 2) return fail(Errc::kNonCanonical, "a file of one chunk has no node: it is the chunk");
  return ok();
}

/// Sum of the entries' sizes. Errors: kInvalid when it does not fit 64 bits.
Result<uint64_t> directory_size(const DirectoryNode& node) {
  uint64_t total = 0;
  for (const DirectoryEntry& entry : node.entries) {
    if (total + entry.size < total) return fail(Errc::kInvalid, "the sizes in a directory add up to more than 64 bits hold");
    total += entry.size;
  }
  return total;
}

Status check_entries(const DirectoryNode& node) {
  if (node.entries.size() > kDirectoryEntriesMax) {
    return fail(Errc::kLimit, "a directory has more than " + std::to_string(kDirectoryEntriesMax) + " entries: split it");
  }
  for (size_t i = 0; i < node.entries.size(); ++i) {
    TRY(check_name(node.entries[i].name));
    if (i == 0) continue;
    const int order = node.entries[i - 1].name.compare(node.entries[i].name);
    if (order == 0) return fail(Errc::kInvalid, "a directory has the same name twice");
    if (order > 0) return fail(Errc::kNonCanonical, "the entries of a directory are not in order");
  }
  return ok();
}

Status expect_key(Reader& in, MapCursor& cursor, std::string_view key) {
  const std::string_view found = TRY(in.read_text_key(cursor));
  if (found == key) return ok();
  return fail(Errc::kInvalid, "a node has no '" + std::string(key) + "' where one belongs");
}

Status expect_pairs(Reader& in, size_t pairs) {
  if (TRY(in.read_map()) == pairs) return ok();
  return fail(Errc::kInvalid, "a node has other fields than this build knows");
}

Result<ChunkRef> read_chunk(Reader& in) {
  ChunkRef chunk;
  MapCursor cursor;
  TRY(expect_pairs(in, 2));
  TRY(expect_key(in, cursor, "cid"));
  chunk.cid = TRY(read_cid(in));
  TRY(expect_key(in, cursor, "size"));
  chunk.size = TRY(in.read_unsigned());
  return chunk;
}

Result<DirectoryEntry> read_entry(Reader& in) {
  DirectoryEntry entry;
  MapCursor cursor;
  TRY(expect_pairs(in, 3));
  TRY(expect_key(in, cursor, "cid"));
  entry.cid = TRY(read_cid(in));
  TRY(expect_key(in, cursor, "name"));
  entry.name = std::string(TRY(in.read_text()));
  TRY(expect_key(in, cursor, "size"));
  entry.size = TRY(in.read_unsigned());
  return entry;
}

Result<Node> read_file_node(Reader& in, MapCursor& cursor, uint64_t size) {
  FileNode node;
  node.size = size;
  TRY(expect_key(in, cursor, "chunks"));
  const size_t count = TRY(in.read_array());
  if (count > kChunksMax) return fail(Errc::kLimit, "a file node has more than " + std::to_string(kChunksMax) + " chunks");
  for (size_t i = 0; i < count; ++i) node.chunks.push_back(TRY(read_chunk(in)));
  TRY(in.finish());
  TRY(check_sizes(node));
  return Node(std::move(node));
}

Result<Node> read_directory_node(Reader& in, MapCursor& cursor, uint64_t size) {
  DirectoryNode node;
  TRY(expect_key(in, cursor, "entries"));
  const size_t count = TRY(in.read_array());
  if (count > kDirectoryEntriesMax) return fail(Errc::kLimit, "a directory has too many entries");
  for (size_t i = 0; i < count; ++i) node.entries.push_back(TRY(read_entry(in)));
  TRY(in.finish());
  TRY(check_entries(node));
  if (TRY(directory_size(node)) != size) return fail(Errc::kInvalid, "the entries of a directory do not add up to its size");
  return Node(std::move(node));
}

}  // namespace

Bytes encode_node(const FileNode& node) {
  Writer out;
  out.put_map(3);
  out.put_text("size");
  out.put_unsigned(node.size);
  out.put_text("type");
  out.put_text(kFileType);
  out.put_text("chunks");
  out.put_array(node.chunks.size());
  for (const ChunkRef& chunk : node.chunks) {
    out.put_map(2);
    out.put_text("cid");
    write_cid(out, chunk.cid);
    out.put_text("size");
    out.put_unsigned(chunk.size);
  }
  return out.take();
}

Result<Bytes> encode_node(DirectoryNode node) {
  std::sort(node.entries.begin(), node.entries.end(),
            [](const DirectoryEntry& a, const DirectoryEntry& b) { return a.name < b.name; });
  TRY(check_entries(node));
  Writer out;
  out.put_map(3);
  out.put_text("size");
  out.put_unsigned(TRY(directory_size(node)));
  out.put_text("type");
  out.put_text(kDirectoryType);
  out.put_text("entries");
  out.put_array(node.entries.size());
  for (const DirectoryEntry& entry : node.entries) {
    out.put_map(3);
    out.put_text("cid");
    write_cid(out, entry.cid);
    out.put_text("name");
    out.put_text(entry.name);
    out.put_text("size");
    out.put_unsigned(entry.size);
  }
  if (out.bytes().size() > kBlockSizeMax) return fail(Errc::kLimit, "the names of a directory are too long in all: split it");
  return out.take();
}

Result<Node> decode_node(ByteView block) {
  if (block.size() > kBlockSizeMax) return fail(Errc::kLimit, "a node is larger than " + std::to_string(kBlockSizeMax) + " bytes");
  Reader in(block);
  MapCursor cursor;
  TRY(expect_pairs(in, 3));
  TRY(expect_key(in, cursor, "size"));
  const uint64_t size = TRY(in.read_unsigned());
  TRY(expect_key(in, cursor, "type"));
  const std::string_view type = TRY(in.read_text());
  if (type == kFileType) return read_file_node(in, cursor, size);
  if (type == kDirectoryType) return read_directory_node(in, cursor, size);
  return fail(Errc::kUnsupported, "a node has a type this build does not know");
}

Status FileChunker::emit(ByteView chunk) {
  if (node_.chunks.size() >= kChunksMax) {
    return fail(Errc::kLimit, "the file is larger than 16 GiB, the most one file node lists: split it");
  }
  const Cid cid = Cid::of(Codec::kRaw, chunk);
  node_.chunks.push_back({cid, chunk.size()});
  node_.size += chunk.size();
  return sink_(cid, chunk);
}

Status FileChunker::write(ByteView data) {
  while (!data.empty()) {
    if (pending_.empty() && data.size() >= kChunkSize) {  // a whole chunk needs no copy
      TRY(emit(data.first(kChunkSize)));
      data = data.subspan(kChunkSize);
      continue;
    }
    const size_t size = std::min(data.size(), kChunkSize - pending_.size());
    append(pending_, data.first(size));
    data = data.subspan(size);
    if (pending_.size() < kChunkSize) break;
    TRY(emit(pending_));
    pending_.clear();
  }
  return ok();
}

Result<StoredFile> FileChunker::finish() {
  if (!pending_.empty() || node_.chunks.empty()) TRY(emit(pending_));
  const FileNode node = std::exchange(node_, {});
  pending_.clear();
  if (node.chunks.size() == 1) return StoredFile{node.chunks[0].cid, node.size};
  const Bytes block = encode_node(node);
  const Cid root = Cid::of(Codec::kDagCbor, block);
  TRY(sink_(root, block));
  return StoredFile{root, node.size};
}

Result<StoredFile> chunk_file(ByteView data, const BlockSink& sink) {
  FileChunker chunker(sink);
  TRY(chunker.write(data));
  return chunker.finish();
}

Result<FileNode> file_layout(const Cid& root, ByteView root_block) {
  TRY(root.verify(root_block));
  if (root.codec == Codec::kRaw) {
    if (root_block.size() > kChunkSize) return fail(Errc::kLimit, "a raw block is larger than one chunk");
    return FileNode{{{root, root_block.size()}}, root_block.size()};
  }
  Node node = TRY(decode_node(root_block));
  if (std::holds_alternative<DirectoryNode>(node)) return fail(Errc::kInvalid, "this CID names a directory: name one of its entries");
  return std::get<FileNode>(std::move(node));
}

Result<Bytes> read_file(const Cid& root, const BlockSource& source, uint64_t size_max) {
  Bytes root_block = TRY(source(root));
  const FileNode layout = TRY(file_layout(root, root_block));
  if (layout.size > size_max) return fail(Errc::kLimit, "the file is larger than the caller takes");
  if (root.codec == Codec::kRaw) return root_block;
  Bytes out;
  for (const ChunkRef& chunk : layout.chunks) {
    const Bytes block = TRY(source(chunk.cid));
    TRY(chunk.cid.verify(block));
    if (block.size() != chunk.size) return fail(Errc::kInvalid, "a chunk has another size than its node says");
    append(out, block);
  }
  return out;
}

}  // namespace selvedge::codec
