#include "codec/dag.h"
#include "crypto/hash.h"
#include "node/effects.h"

namespace selvedge::node {

namespace {

Described describe(const DescribeJob& job) {
  Described out{object::BlockGroup{}, {}};
  const ByteView content = *job.content;
  for (size_t at = 0; at < content.size() || at == 0; at += codec::kChunkSize) {
    const ByteView chunk = content.subspan(at, std::min(codec::kChunkSize, content.size() - at));
    out.chunks.push_back({codec::Cid::of(codec::Codec::kRaw, chunk), chunk.size()});
  }
  if (!job.zone) return out;
  // The chunks' hashes name the content; hashing it a second time would say nothing more.
  crypto::Sha256 names;
  for (const codec::ChunkRef& chunk : out.chunks) names.update(chunk.cid.digest);
  out.group = mesh::describe_group(*job.zone, job.epoch, content.size(), names.finish());
  return out;
}

}  // namespace

Result<codec::Cid> cid_of_chunks(const std::vector<codec::ChunkRef>& chunks) {
  if (chunks.empty()) return codec::Cid::of(codec::Codec::kRaw, {});
  if (chunks.size() == 1) return chunks.front().cid;
  if (chunks.size() > codec::kChunksMax) return fail(Errc::kLimit, "the file is larger than one blob can be (16 GiB); split it");
  codec::FileNode node{chunks, 0};
  for (const codec::ChunkRef& chunk : chunks) node.size += chunk.size;
  return codec::Cid::of(codec::Codec::kDagCbor, codec::encode_node(node));
}

ComputeResult compute(const ComputeJob& job) {
  if (const auto* d = std::get_if<DescribeJob>(&job)) return describe(*d);
  if (const auto* e = std::get_if<std::shared_ptr<const mesh::EncodeJob>>(&job)) return mesh::encode(**e);
  if (const auto* d = std::get_if<std::shared_ptr<const mesh::DecodeJob>>(&job)) return mesh::decode(**d);
  return wasm::rewrite(*std::get<RewriteJob>(job).module);
}

}  // namespace selvedge::node
