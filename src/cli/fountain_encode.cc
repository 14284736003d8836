// From an object to symbol files.
#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <numeric>

#include "cli/fountain_files.h"
#include "cli/fountain_record.h"
#include "cli/shared.h"

namespace selvedge::cli {

namespace {

constexpr uint32_t kSymbolBytesUsual = 1024;
constexpr uint64_t kSymbolsUsual = 4096;
constexpr uint32_t kSymbolBytesLargest = 65528;  // the largest multiple of 8
constexpr size_t kEsisMax = 1'000'000;
// Up to here an object is one block: whichever files get lost, all that counts is how many.
constexpr uint32_t kOneBlockSymbolsMax = 8192;
constexpr uint64_t kOneBlockBytesMax = uint64_t{256} << 20;

template <class Number>
bool read_number(std::string_view text, Number& value) {
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  return problem == std::errc() && end == text.data() + text.size() && !text.empty();
}

Error io_failure(const std::string& what, const std::string& path) {
  return fail(errno == ENOENT ? Errc::kNotFound : Errc::kIo, fmt::format("cannot {} {}: {}", what, path, strerror(errno)));
}

}  // namespace

uint32_t RepairAmount::of(uint32_t k) const {
  return symbols ? *symbols : static_cast<uint32_t>((uint64_t{k} * per_ten_thousand + 9999) / 10000);
}

Result<RepairAmount> parse_repair(const std::string& text) {
  constexpr double kPercentMax = 1000;
  constexpr uint32_t kRepairSymbolsMax = 1'000'000;
  RepairAmount out;
  double percent = 0;
  if (text.ends_with('%') && read_number(std::string_view(text).substr(0, text.size() - 1), percent) && percent >= 0 && percent <= kPercentMax) {
    out.per_ten_thousand = static_cast<uint32_t>(percent * 100 + 0.5);
    return out;
  }
  uint32_t symbols = 0;
  if (read_number(std::string_view(text), symbols) && symbols <= kRepairSymbolsMax) {
    out.symbols = symbols;
    return out;
  }
  return fail(Errc::kInvalid, fmt::format("--repair \"{}\" is no amount: give a share such as 5% (up to {:.0f}%) or a number of symbols a block, such as 20",
                                          text, kPercentMax));
}

Result<std::vector<uint32_t>> parse_esis(const std::string& text) {
  std::vector<uint32_t> out;
  for (size_t at = 0; at <= text.size();) {
    const size_t comma = std::min(text.find(',', at), text.size());
    const std::string_view part = std::string_view(text).substr(at, comma - at);
    const size_t dash = part.find('-');
    uint32_t first = 0;
    uint32_t last = 0;
    const bool good = read_number(part.substr(0, dash), first) && read_number(dash == part.npos ? part : part.substr(dash + 1), last);
    if (!good || first > last || last > fountain::kEsiMax) {
      return fail(Errc::kInvalid, fmt::format("--esi: \"{}\" is neither an encoding symbol id (0 to {}) nor a range such as 0-9; separate them by commas",
                                              part, fountain::kEsiMax));
    }
    if (last - first >= kEsisMax - out.size()) return fail(Errc::kLimit, fmt::format("--esi names more than {} symbols; ask in several calls", kEsisMax));
    const size_t before = out.size();
    out.resize(before + last - first + 1);
    std::iota(out.begin() + static_cast<ptrdiff_t>(before), out.end(), first);
    at = comma + 1;
  }
  return out;
}

Result<fountain::ObjectParams> fountain_params(uint64_t object_bytes, const FountainShape& shape) {
  uint64_t symbol_bytes = shape.symbol_bytes;
  if (symbol_bytes == 0) {
    const uint64_t wanted = (object_bytes / kSymbolsUsual + 7) / 8 * 8;
    symbol_bytes = std::clamp<uint64_t>(wanted, kSymbolBytesUsual, kSymbolBytesLargest);
  }
  std::optional<fountain::ObjectParams> params;
  if (symbol_bytes <= fountain::kSymbolBytesMax) params = fountain::partition(object_bytes, static_cast<uint32_t>(symbol_bytes));
  if (!params) {
    return fail(Errc::kInvalid, fmt::format("RaptorQ has no parameters for {} bytes in symbols of {} bytes: symbols have 1 to {} bytes, and an object at most {} x {} of them",
                                            object_bytes, symbol_bytes, fountain::kSymbolBytesMax, fountain::kSourceBlocksMax, fountain::kBlockSymbolsMax));
  }
  if (shape.blocks != 0) params->source_blocks = shape.blocks;
  params->sub_blocks = shape.sub_blocks;
  if (params->valid()) return *params;
  return fail(Errc::kInvalid,
              fmt::format("{} symbols do not fit {} blocks of {} sub-blocks: a block has 1 to {} symbols, there are at most {} blocks, and a sub-symbol has at least {} bytes",
                          params->symbols_total(), params->source_blocks, params->sub_blocks, fountain::kBlockSymbolsMax, fountain::kSourceBlocksMax, params->alignment));
}

Result<BlockReader> BlockReader::open(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return io_failure("open", path);
  struct stat info {};
  BlockReader reader(fd, 0, path);
  if (fstat(fd, &info) != 0) return io_failure("read", path);
  if (!S_ISREG(info.st_mode)) return fail(Errc::kInvalid, path + " is no regular file; blocks need a size that is known and bytes that can be read again");
  if (info.st_size == 0) return fail(Errc::kInvalid, path + " is empty: there is nothing to make symbols of");
  reader.bytes_ = static_cast<uint64_t>(info.st_size);
  return reader;
}

BlockReader::~BlockReader() {
  if (fd_ >= 0) ::close(fd_);
}

Result<Bytes> BlockReader::block(const fountain::ObjectParams& params, uint32_t number) const {
  const fountain::BlockLayout layout = params.block(number);
  Bytes out(layout.bytes);
  TRY(read_exactly(fd_, layout.offset_bytes, out, path_));
  if (params.sub_blocks == 1) return out;
  out.resize(size_t{layout.k} * params.symbol_bytes);
  Bytes symbols(out.size());
  fountain::sub_blocks_to_symbols(params, layout.k, out, symbols);
  return symbols;
}

namespace {

// Where records go: a file for each symbol, or a few files that take turns.
class SymbolWriter {
 public:
  SymbolWriter(std::string dir, uint32_t files) : dir_(std::move(dir)), files_(files) {}
  ~SymbolWriter() {
    for (const int fd : open_) {
      if (fd >= 0) ::close(fd);
    }
    if (kept_) return;
    for (const std::string& path : written_) ::unlink(path.c_str());
  }
  SymbolWriter(const SymbolWriter&) = delete;
  SymbolWriter& operator=(const SymbolWriter&) = delete;
  Status add(const SymbolHeader& header, ByteView payload);
  void keep() { kept_ = true; }
  uint64_t file_count() const { return written_.size(); }

 private:
  Result<int> create(const std::string& name);

  std::string dir_;
  uint32_t files_;  // 0: one for each symbol
  std::vector<int> open_;
  std::vector<std::string> written_;
  uint64_t count_ = 0;
  bool kept_ = false;
};

Result<int> SymbolWriter::create(const std::string& name) {
  const std::string path = dir_ + "/" + name;
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0) return io_failure("create", path);
  written_.push_back(path);
  return fd;
}

Status SymbolWriter::add(const SymbolHeader& header, ByteView payload) {
  const Bytes head = header.bytes();
  int fd = -1;
  if (files_ == 0) {
    fd = TRY(create(fmt::format("block{:03}-esi{:08}{}", header.block, header.esi, kSymbolFileSuffix)));
  } else if (open_.size() < files_) {
    fd = TRY(create(fmt::format("part{:03}{}", open_.size(), kSymbolFileSuffix)));
    open_.push_back(fd);
  } else {
    fd = open_[count_ % files_];
  }
  ++count_;
  const Status written = write_record(fd, head, payload, dir_);
  if (files_ == 0) {
    const int closed = ::close(fd);
    if (written.ok() && closed != 0) return io_failure("write to", dir_);
  }
  return written;
}

Status require_no_symbols(const std::string& dir) {
  const std::vector<std::string> names = TRY(symbol_file_names(dir));
  if (names.empty()) return ok();
  return fail(Errc::kExists, fmt::format("{} has symbol files already ({}); name an empty folder (decode takes several)", dir, names.front()));
}

// Writes one block, source symbols first.
Status encode_block(const Bytes& block, uint32_t repair_count, SymbolHeader header, const std::shared_ptr<fountain::PlanCache>& plans, SymbolWriter& writer) {
  const uint32_t symbol_bytes = header.params.symbol_bytes;
  const auto encoder = fountain::BlockEncoder::create(block, symbol_bytes, plans);
  CHECK(encoder.has_value());  // the parameters are valid
  Bytes symbol(symbol_bytes);
  for (header.esi = 0; header.esi < encoder->k(); ++header.esi) {
    CHECK(encoder->symbol(header.esi, symbol));
    TRY(writer.add(header, symbol));
  }
  constexpr uint32_t kBatch = 1024;
  std::vector<uint32_t> esis;
  Bytes repair;
  for (uint32_t done = 0; done < repair_count; done += static_cast<uint32_t>(esis.size())) {
    esis.resize(std::min(kBatch, repair_count - done));
    std::iota(esis.begin(), esis.end(), encoder->k() + done);
    repair.resize(esis.size() * symbol_bytes);
    CHECK(encoder->symbols(esis, repair.data(), symbol_bytes));
    for (size_t i = 0; i < esis.size(); ++i) {
      header.esi = esis[i];
      TRY(writer.add(header, ByteView(repair).subspan(i * symbol_bytes, symbol_bytes)));
    }
  }
  return ok();
}

}  // namespace

Result<FountainEncoded> encode_to_symbol_files(const FountainEncodeJob& job, const FountainProgress& progress) {
  const BlockReader reader = TRY(BlockReader::open(job.input));
  FountainEncoded out;
  out.params = TRY(fountain_params(reader.bytes(), job.shape));
  if (job.shape.blocks == 0 && out.params.symbols_total() <= kOneBlockSymbolsMax && reader.bytes() <= kOneBlockBytesMax) out.params.source_blocks = 1;
  for (uint32_t z = 0; z < out.params.source_blocks; ++z) {
    const uint32_t k = out.params.block(z).k;
    if (job.repair.of(k) > fountain::kEsiMax - k) return fail(Errc::kInvalid, "--repair asks for more symbols than there are ESIs");
    out.symbols += k + job.repair.of(k);
    out.repair += job.repair.of(k);
  }
  if (job.files > kSymbolFilesMax) return fail(Errc::kLimit, fmt::format("--files is at most {}", kSymbolFilesMax));
  TRY(make_dirs(job.dir));
  TRY(require_no_symbols(job.dir));
  // Files that take turns hold as much of one block as of any other, so a lost file costs all blocks alike.
  const bool one_each = out.params.source_blocks == 1 && out.symbols <= kSymbolFilesEachMax;
  SymbolWriter writer(job.dir, job.files != 0 ? job.files : one_each ? 0 : kSymbolFilesMax);
  const auto plans = fountain::PlanCache::create();
  SymbolHeader header;
  header.params = out.params;
  for (uint32_t z = 0; z < out.params.source_blocks; ++z) {
    TRY(progress(out.params.block(z).offset_bytes, reader.bytes()));
    const Bytes block = TRY(reader.block(out.params, z));
    header.block = z;
    header.block_digest = crypto::sha256(block);
    if (z == 0) std::copy_n(header.block_digest.bytes.begin(), header.object_tag.size(), header.object_tag.begin());
    TRY(encode_block(block, job.repair.of(out.params.block(z).k), header, plans, writer));
  }
  TRY(progress(reader.bytes(), reader.bytes()));
  writer.keep();
  out.files = writer.file_count();
  out.object = header.object_id();
  return out;
}

}  // namespace selvedge::cli
