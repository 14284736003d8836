// RaptorQ forward error correction (RFC 6330, FEC Encoding ID 6): the public face of the room.
//
// A block of K source symbols of T bytes becomes up to 2^24 encoding symbols; nearly any K of them bring
// the block back (failure about 1 in 100 at K symbols, 1 in 10^4 at K + 1, 1 in 10^6 at K + 2).
//
// Invariants and habits:
//  - ESI means the RFC's ESI everywhere: source symbols 0..K-1, repair symbols from K to 2^24 - 1.
//  - Nothing throws and no input aborts. What a peer can get wrong is a return value.
//  - RaptorQ finds no corruption: one forged symbol ruins the block. Feed authenticated symbols only.
//  - The codec owns no threads; it can spread one block over the caller's (ParallelFor). Different objects
//    may be used on different threads; a PlanCache may be shared by all of them. BlockEncoder is safe for concurrent const use, BlockDecoder is not.
//  - Wire bytes are fixed by the RFC; tests/vectors/fountain holds vectors four other codecs agree on.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace selvedge::fountain {

inline constexpr uint64_t kObjectBytesMax = 946270874880;  // RFC 6330 3.3.2
inline constexpr uint32_t kBlockSymbolsMax = 56403;        // RFC 6330 4.4.1.2
inline constexpr uint32_t kSymbolBytesMax = 65535;
inline constexpr uint32_t kEsiMax = 0xFFFFFF;      // RFC 6330 3.2, 24 bits
inline constexpr uint32_t kSourceBlocksMax = 255;  // Z is eight bits on the wire
inline constexpr uint32_t kSubBlocksMax = 65535;   // N is sixteen
inline constexpr size_t kOtiBytes = 12;            // common 8 and scheme specific 4

// One part of RFC 6330 4.4.1.2 Partition[I, J]: `large_count` parts of `large_size`, then `small_count`
// of `small_size`.
struct Partition {
  uint32_t large_size;
  uint32_t small_size;
  uint32_t large_count;
  uint32_t small_count;
};
// `parts` is not zero.
Partition partition_evenly(uint32_t total, uint32_t parts);

// Where one source block lies in its object.
struct BlockLayout {
  uint32_t k;             // source symbols
  uint64_t offset_bytes;  // in the object
  uint64_t bytes;         // of the object in this block; below k * T only in the last block
};

// The object transmission information (OTI).
struct ObjectParams {
  uint64_t object_bytes = 0;   // F
  uint32_t symbol_bytes = 0;   // T
  uint32_t source_blocks = 1;  // Z
  uint32_t sub_blocks = 1;     // N
  uint32_t alignment = 1;      // Al

  // RFC 6330 4.3 and 4.4.1.2: all ranges hold, Al divides T, every block has 1..56403 symbols and every
  // sub-symbol at least one Al.
  bool valid() const;

  // The rest is for valid parameters.
  uint32_t symbols_total() const;                  // Kt
  BlockLayout block(uint32_t block_number) const;  // block_number < source_blocks
  Partition sub_symbols() const;                   // sizes in bytes of the N parts of a symbol

  // The 12 OTI bytes of RFC 6330 3.3.2 and 3.3.3.
  std::array<uint8_t, kOtiBytes> oti() const;
  // Nullopt for anything but 12 bytes that describe valid parameters. The reserved byte is ignored.
  static std::optional<ObjectParams> parse_oti(std::span<const uint8_t> bytes);

  friend bool operator==(const ObjectParams&, const ObjectParams&) = default;
};

// Our default partition of an object: N = 1, Al the largest of 8, 4, 1 that divides T, and blocks of
// about kBlockSymbolsTarget symbols (more once Z would pass 255). Nullopt when no valid parameters exist.
//
// Why about 2000: per-byte cost is lowest while a strip of the whole block stays in L2, which holds up
// to a few thousand symbols; a failed decode costs two more symbols whatever the size, 0.1 % at 2000.
inline constexpr uint32_t kBlockSymbolsTarget = 2048;
std::optional<ObjectParams> partition(uint64_t object_bytes, uint32_t symbol_bytes);

// With N > 1 sub-blocks a block is stored sub-block after sub-block (RFC 6330 4.4.1.2), while symbols
// are coded whole. These turn block order into symbol order and back; both spans hold k * T bytes and do
// not overlap. With N = 1 they copy.
void sub_blocks_to_symbols(const ObjectParams& params, uint32_t k, std::span<const uint8_t> block,
                           std::span<uint8_t> symbols);
void symbols_to_sub_blocks(const ObjectParams& params, uint32_t k, std::span<const uint8_t> symbols,
                           std::span<uint8_t> block);

// The instruction sets that the inner loops are written for. All give the same bytes.
enum class Kernel : uint8_t { kScalar, kSsse3, kAvx2, kAvx512, kAvx512Gfni, kNeon, kWasmSimd };
inline constexpr std::array<Kernel, 7> kKernels = {Kernel::kScalar,     Kernel::kSsse3, Kernel::kAvx2,    Kernel::kAvx512,
                                                   Kernel::kAvx512Gfni, Kernel::kNeon,  Kernel::kWasmSimd};
const char* kernel_name(Kernel kernel);  // "avx512-gfni"
std::optional<Kernel> kernel_from_name(std::string_view name);
bool kernel_available(Kernel kernel);  // built into this library, and this processor runs it
Kernel fastest_kernel();               // of the available ones

// Threads that the caller owns, lent for the strips of a block: every strip of T is independent work.
struct ParallelFor {
  // Calls task(i) exactly once for each i in [0, count), on any threads, and returns when all have returned.
  // A task never blocks, so they may as well run one after another.
  std::function<void(uint32_t count, const std::function<void(uint32_t)>& task)> run;
  uint32_t threads = 1;  // how many tasks are worth making
};

// Keeps what is worth keeping between blocks: encode plans by K', decode plans by the exact set of
// symbols (the same devices missing give the same set, block after block), and scratch memory. Bounded,
// least recently used goes first; thread safe. Pass one to every encoder and decoder of a process.
class PlanCache {
 public:
  static constexpr size_t kBytesMaxDefault = size_t{64} << 20;
  static std::shared_ptr<PlanCache> create(size_t bytes_max = kBytesMaxDefault);
  ~PlanCache();
  PlanCache(const PlanCache&) = delete;
  PlanCache& operator=(const PlanCache&) = delete;

  size_t bytes() const;  // held by plans now

  // The encode plans held now as bytes for a file, so that the next process starts warm; and back. What is
  // stored of a plan is the order of its rows, the part that has to be searched for. load() checks that the
  // order solves the system and computes the rest anew, so no file, however made, can lead to wrong symbols.
  // False: the bytes are damaged or of another version; what came before the damage may have been kept.
  std::vector<uint8_t> save() const;
  bool load(std::span<const uint8_t> bytes);

  struct Impl;
  Impl& impl() { return *impl_; }  // for the codec itself

 private:
  explicit PlanCache(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// What an encoder or decoder works with; all of it may be left out.
struct CodecOptions {
  CodecOptions() = default;
  CodecOptions(std::shared_ptr<PlanCache> plans) : cache(std::move(plans)) {}  // the usual case, left implicit

  std::shared_ptr<PlanCache> cache;  // without one, plans are made for this block alone
  ParallelFor parallel;              // without run, everything happens on the calling thread
  std::optional<Kernel> kernel;      // without one, the fastest; create() fails where it is not available
};

// Encodes one source block. The source is a view: it must outlive the encoder and not change.
class BlockEncoder {
 public:
  // K = ceil(source bytes / T); the last symbol is zero padded. Nullopt unless 1 <= K <= 56403 and
  // 1 <= T <= 65535 and the kernel, if one is named, is available.
  static std::optional<BlockEncoder> create(std::span<const uint8_t> source, uint32_t symbol_bytes,
                                            CodecOptions options = {});
  BlockEncoder(BlockEncoder&&) noexcept;
  BlockEncoder& operator=(BlockEncoder&&) noexcept;
  ~BlockEncoder();

  uint32_t k() const;
  uint32_t symbol_bytes() const;

  // One symbol to out[0, T). False, nothing written: esi >= 2^24 or out shorter than T.
  // The first repair symbol asked this way computes and keeps all intermediate symbols (about K * T
  // bytes, the cost of encoding the block); each later one costs some seven symbol additions.
  bool symbol(uint32_t esi, std::span<uint8_t> out) const;

  // Many symbols at once, symbol i to out + i * stride. Preferred: one pass over the source, nothing
  // kept, intermediate symbols never reach memory. False, nothing written: an esi >= 2^24, or
  // stride < T. `out` has room for all of them and does not overlap the source.
  bool symbols(std::span<const uint32_t> esis, uint8_t* out, size_t stride) const;

 private:
  struct Impl;
  explicit BlockEncoder(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Decodes one source block.
class BlockDecoder {
 public:
  enum class Add {
    kAccepted,
    kDuplicate,  // this ESI is here already; the payload is ignored
    kRejected,   // wrong length, ESI >= 2^24, or kSpareSymbolsMax more than K symbols are held
  };
  // Symbols beyond K that are held for a block, so that memory is bounded whatever a peer sends.
  static constexpr uint32_t kSpareSymbolsMax = 256;

  // A block of `block_bytes` with K = ceil(block_bytes / T) symbols. Nullopt on values out of range.
  // The decoder holds its own copy of the block.
  static std::optional<BlockDecoder> create(uint64_t block_bytes, uint32_t symbol_bytes, CodecOptions options = {});
  // The same, but source symbols are written straight to their place in `block`, which must outlive the
  // decoder. After a successful decode() the block is complete in place.
  static std::optional<BlockDecoder> create_in_place(std::span<uint8_t> block, uint32_t symbol_bytes,
                                                     CodecOptions options = {});
  BlockDecoder(BlockDecoder&&) noexcept;
  BlockDecoder& operator=(BlockDecoder&&) noexcept;
  ~BlockDecoder();

  uint32_t k() const;
  uint32_t symbol_bytes() const;

  // The payload is T bytes; for the last source symbol its unpadded bytes alone are accepted too.
  Add add(uint32_t esi, std::span<const uint8_t> payload);

  // How many more symbols to bring before decode() can work; 0: try now.
  uint32_t needed() const;

  // Completes the block. False: not enough rank yet, needed() says how many more to bring at least.
  // Nothing received is lost by a failure.
  bool decode();
  bool complete() const;

  // A source symbol that is here (received, or any after decode()), without its padding; else nullopt.
  // Valid while the decoder lives.
  std::optional<std::span<const uint8_t>> source(uint32_t esi) const;

  // decode(), then the block is copied to out[0, block_bytes). False also when out is shorter.
  bool decode(std::span<uint8_t> out);

 private:
  struct Impl;
  explicit BlockDecoder(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace selvedge::fountain
