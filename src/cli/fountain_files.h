// Symbol files: an object as files of RaptorQ symbols in a folder, and back.
//
// Each record in a file is one symbol behind a header that says what it is a symbol of, so any sufficient part of the
// files restores the object: nothing else has to be kept. RaptorQ itself finds no corruption; the header carries a digest of
// the symbol, and the digest of the block says in the end that the right bytes came out. The digests find damage and
// mistakes, not an attacker, who can make files of his own.
//
// Record: "SLVFNT1\n" (8), OTI (12), source block (1), ESI (3), object tag (8), SHA-256 of the block (32), first half of the
// payload's SHA-256 (16), first 8 bytes of the SHA-256 of the header so far (8), payload (T). The object tag is the
// beginning of the first block's SHA-256: it tells objects of equal size apart. All records of a file have one length.
//
// Blocks are read, coded and written one after another: memory for one block is enough for an object of any size.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "fountain/fountain.h"

namespace selvedge::cli {

constexpr size_t kSymbolHeaderBytes = 88;
constexpr const char* kSymbolFileSuffix = ".sym";
constexpr uint32_t kSymbolFilesMax = 256;          // files that are written at the same time
constexpr uint32_t kSymbolFilesEachMax = 10'000;   // up to here every symbol of a single block gets a file of its own
constexpr uint64_t kSymbolsIndexedMax = 1u << 26;  // symbols that a decode keeps track of (16 bytes each)

/// Called with bytes done and in all, now and then; an error ends the work and is its result.
using FountainProgress = std::function<Status(uint64_t done, uint64_t total)>;

/// How many repair symbols a block gets.
struct RepairAmount {
  uint32_t per_ten_thousand = 500;        // of its source symbols, rounded up
  std::optional<uint32_t> symbols;        // or this many
  uint32_t of(uint32_t k) const;
};
/// "5%", "0.5%", "20" (symbols). Errors: kInvalid.
Result<RepairAmount> parse_repair(const std::string& text);
/// "0-5,17,100000" to ESIs in that order. Errors: kInvalid, kLimit.
Result<std::vector<uint32_t>> parse_esis(const std::string& text);

/// The parameters for an object: 0 leaves a choice to fountain::partition, and the symbol size to the size of the
/// object (1024 bytes while that gives no more than some 4000 symbols, more beyond). encode makes objects of up to 8192
/// symbols one block. Errors: kInvalid.
struct FountainShape {
  uint32_t symbol_bytes = 0;
  uint32_t blocks = 0;
  uint32_t sub_blocks = 1;
};
Result<fountain::ObjectParams> fountain_params(uint64_t object_bytes, const FountainShape& shape);

/// A regular file that is read block by block. The size is that at opening; a file that shrinks is an error.
class BlockReader {
 public:
  /// Errors: kNotFound, kIo, kInvalid (empty, or no regular file).
  static Result<BlockReader> open(const std::string& path);
  BlockReader(BlockReader&& other) noexcept : fd_(other.fd_), bytes_(other.bytes_), path_(std::move(other.path_)) { other.fd_ = -1; }
  BlockReader& operator=(BlockReader&&) = delete;
  ~BlockReader();
  uint64_t bytes() const { return bytes_; }
  /// Block `number` in symbol order, K * T bytes with zero padding where there are sub-blocks, else without. Errors: kIo.
  Result<Bytes> block(const fountain::ObjectParams& params, uint32_t number) const;

 private:
  BlockReader(int fd, uint64_t bytes, std::string path) : fd_(fd), bytes_(bytes), path_(std::move(path)) {}
  int fd_;
  uint64_t bytes_;
  std::string path_;
};

struct FountainEncodeJob {
  std::string input;
  std::string dir;
  FountainShape shape;
  RepairAmount repair;
  uint32_t files = 0;  // 0: one for each symbol of a single block, up to kSymbolFilesEachMax, else kSymbolFilesMax
};
struct FountainEncoded {
  fountain::ObjectParams params;
  uint64_t symbols = 0;
  uint64_t repair = 0;
  uint64_t files = 0;
  std::string object;  // its id, as decode shows it
};
/// Files that were begun are removed when it fails. Errors: those of BlockReader, kExists (the folder has symbol files), kIo, kInvalid,
/// or what `progress` returned.
Result<FountainEncoded> encode_to_symbol_files(const FountainEncodeJob& job, const FountainProgress& progress);

struct FountainDecodeJob {
  std::vector<std::string> dirs;
  std::string object;  // id or its beginning; empty: the only one there is
};
struct FountainDecoded {
  fountain::ObjectParams params;
  uint64_t symbols_used = 0;
  uint64_t symbols_restored = 0;  // source symbols that were missing
  uint64_t damaged = 0;           // records that were left out
  uint64_t foreign = 0;           // of other objects
};
/// Calls `take` with consecutive parts of the object. Errors: kNotFound (no symbols), kInvalid (several objects), kUnavailable
/// (too few symbols: says how many more for which blocks), kIntegrity (contents are mixed), kIo, kLimit, or what `take` or
/// `progress` returned.
Result<FountainDecoded> decode_from_symbol_files(const FountainDecodeJob& job, const std::function<Status(ByteView)>& take,
                                                 const FountainProgress& progress);

}  // namespace selvedge::cli
