// What parses as a checkpoint, tile, bundle, proof file or witness request is written back as the same bytes, and judging it ends well.
#include "object/tlog.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace selvedge;
  using namespace selvedge::object;
  const ByteView input(data, size);
  const std::string text = to_string(input);
  const Result<Checkpoint> checkpoint = parse_checkpoint(text);
  if (checkpoint.ok()) CHECK(checkpoint_text(*checkpoint) == text);
  const Result<TilePath> path = parse_tile_path(text);
  if (path.ok()) CHECK((path->entries ? entries_path(path->tile.index, path->width) : tile_path(path->tile, path->width)) == text);
  const Result<std::vector<Digest>> tile = parse_tile(input, size / Digest::kSize);
  if (tile.ok()) CHECK(tile_bytes(*tile) == to_bytes(input));
  for (size_t width = 0; width < 4; ++width) {
    const auto bundle = parse_bundle(input, width);
    if (!bundle.ok()) continue;
    std::vector<Bytes> entries;
    for (const ByteView entry : *bundle) entries.push_back(to_bytes(entry));
    CHECK(bundle_bytes(entries) == to_bytes(input));
  }
  const Result<uint64_t> number = parse_size_line(text);
  if (number.ok()) CHECK(size_line(*number) == text);
  const Result<ProofFile> proof = parse_proof_file(text);
  if (proof.ok()) {
    CHECK(proof_file_text(*proof) == text);
    (void)check_inclusion({}, proof->index, 1000, proof->hashes, {}).ok();
  }
  const Result<AddCheckpoint> request = parse_add_checkpoint(text);
  if (!request.ok()) return 0;
  CHECK(add_checkpoint_text(*request) == text);
  // With a key that nobody has, no request may be cosigned.
  const codec::NoteKey key{"log.example", codec::NoteKeyType::kEd25519, {}};
  const crypto::Ed25519Verifier verifier;
  CHECK(judge_checkpoint(*request, {&key, 1}, {}, verifier).status != WitnessStatus::kOk);
  (void)check_consistency(request->old_size, 1000, request->proof, {}, {}).ok();
  return 0;
}
