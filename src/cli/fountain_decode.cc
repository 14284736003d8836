// From symbol files back to the object.
//
// First every header is read, which says what is there and what is missing; then block after block is restored from the
// symbols that it needs, source symbols first.
#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "cli/fountain_files.h"
#include "cli/fountain_record.h"

namespace selvedge::cli {

namespace {

constexpr size_t kObjectsMax = 64;  // objects that are told apart in one folder; more are foreign and no more

struct SymbolPlace {
  uint32_t esi;
  uint32_t file;
  uint64_t record;  // number in the file
};

struct BlockIndex {
  std::vector<SymbolPlace> places;
  crypto::Digest digest;
  bool mixed = false;  // there are symbols of two different contents
};

struct ObjectIndex {
  fountain::ObjectParams params;
  std::vector<BlockIndex> blocks;
  uint64_t symbols = 0;
};

class SymbolFolder {
 public:
  Status scan(const std::vector<std::string>& dirs, const FountainProgress& progress);
  /// The object that `id` names, by its beginning. Errors: kNotFound, kInvalid.
  Result<ObjectIndex> choose(const std::string& id);
  uint64_t damaged() const { return damaged_; }
  uint64_t symbols() const { return symbols_; }
  /// False when the record is not what its header said it was. Errors: kIo.
  Result<bool> load(const SymbolPlace& place, uint32_t symbol_bytes, Bytes& payload);

 private:
  Status scan_file(uint32_t file);
  void add(const SymbolHeader& header, uint32_t file, uint64_t record);
  Result<int> open_file(uint32_t file);

  std::vector<std::string> paths_;
  std::map<std::string, ObjectIndex> objects_;
  uint64_t damaged_ = 0;
  uint64_t symbols_ = 0;
  int fd_ = -1;
  uint32_t fd_file_ = 0;

 public:
  SymbolFolder() = default;
  SymbolFolder(const SymbolFolder&) = delete;
  SymbolFolder& operator=(const SymbolFolder&) = delete;
  ~SymbolFolder() {
    if (fd_ >= 0) ::close(fd_);
  }
};

Result<int> SymbolFolder::open_file(uint32_t file) {
  if (fd_ >= 0 && fd_file_ == file) return fd_;
  if (fd_ >= 0) ::close(fd_);
  // Not blocking: a FIFO with the name of a symbol file must not hold us up.
  fd_ = ::open(paths_[file].c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  fd_file_ = file;
  if (fd_ < 0) return fail(Errc::kIo, fmt::format("cannot open {}: {}", paths_[file], strerror(errno)));
  return fd_;
}

void SymbolFolder::add(const SymbolHeader& header, uint32_t file, uint64_t record) {
  ++symbols_;
  auto found = objects_.find(header.object_id());
  if (found == objects_.end()) {
    if (objects_.size() == kObjectsMax) return;
    found = objects_.emplace(header.object_id(), ObjectIndex{header.params, std::vector<BlockIndex>(header.params.source_blocks), 0}).first;
  }
  BlockIndex& block = found->second.blocks[header.block];
  if (block.places.empty()) block.digest = header.block_digest;
  if (block.digest != header.block_digest) block.mixed = true;
  block.places.push_back(SymbolPlace{header.esi, file, record});
  ++found->second.symbols;
}

Status SymbolFolder::scan_file(uint32_t file) {
  const int fd = TRY(open_file(file));
  struct stat info {};
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    ++damaged_;
    return ok();
  }
  const uint64_t bytes = static_cast<uint64_t>(info.st_size);
  Bytes header(kSymbolHeaderBytes);
  uint64_t stride = 0;  // known from the first good header
  uint64_t record = 0;
  for (uint64_t at = 0; at < bytes; at += stride, ++record) {
    if (bytes - at < kSymbolHeaderBytes || (stride != 0 && bytes - at < stride)) {
      ++damaged_;
      break;
    }
    TRY(read_exactly(fd, at, header, paths_[file]));
    const auto found = parse_symbol_header(header);
    if (found && stride == 0) stride = kSymbolHeaderBytes + found->header.params.symbol_bytes;
    const bool whole = found && stride == kSymbolHeaderBytes + found->header.params.symbol_bytes && bytes - at >= stride;
    if (whole) {
      if (symbols_ == kSymbolsIndexedMax) return fail(Errc::kLimit, fmt::format("there are more than {} symbols; decode fewer files at a time", kSymbolsIndexedMax));
      add(found->header, file, record);
    } else {
      ++damaged_;
      if (stride == 0) break;  // where the next record would begin is not known
    }
  }
  return ok();
}

Status SymbolFolder::scan(const std::vector<std::string>& dirs, const FountainProgress& progress) {
  for (const std::string& dir : dirs) {
    for (const std::string& name : TRY(symbol_file_names(dir))) paths_.push_back(dir + "/" + name);
  }
  for (uint32_t file = 0; file < paths_.size(); ++file) {
    if (file % 256 == 0) TRY(progress(0, 0));
    TRY(scan_file(file));
  }
  return ok();
}

Result<ObjectIndex> SymbolFolder::choose(const std::string& id) {
  if (objects_.empty()) {
    return fail(Errc::kNotFound, damaged_ == 0 ? fmt::format("there are no symbol files (*{}) here; selvedge fountain encode makes them", kSymbolFileSuffix)
                                               : fmt::format("none of the {} files here is a whole symbol file", damaged_));
  }
  std::vector<const std::string*> fitting;
  for (const auto& [object, index] : objects_) {
    if (object.starts_with(id)) fitting.push_back(&object);
  }
  if (fitting.empty()) return fail(Errc::kNotFound, fmt::format("there are no symbols of an object {} here", id));
  if (fitting.size() == 1) return std::move(objects_[*fitting.front()]);
  constexpr size_t kNamedMax = 5;
  std::string message = fmt::format("there are symbols of {} objects here; say which with --object:", fitting.size());
  for (size_t i = 0; i < fitting.size() && i < kNamedMax; ++i) {
    const ObjectIndex& object = objects_[*fitting[i]];
    message += fmt::format("{} {} ({} bytes, {} symbols here)", i == 0 ? "" : ",", *fitting[i], object.params.object_bytes, object.symbols);
  }
  return fail(Errc::kInvalid, message);
}

Result<bool> SymbolFolder::load(const SymbolPlace& place, uint32_t symbol_bytes, Bytes& payload) {
  const int fd = TRY(open_file(place.file));
  Bytes record(kSymbolHeaderBytes + symbol_bytes);
  TRY(read_exactly(fd, place.record * record.size(), record, paths_[place.file]));
  const auto found = parse_symbol_header(ByteView(record).first(kSymbolHeaderBytes));
  payload.assign(record.begin() + kSymbolHeaderBytes, record.end());
  return found && found->header.esi == place.esi && found->payload_digest == payload_digest(payload);
}

// In order of ESI: source symbols come first, and repair symbols are read only where they are needed.
void sort_symbols(BlockIndex& block) {
  const auto before = [](const SymbolPlace& a, const SymbolPlace& b) { return a.esi < b.esi; };
  std::stable_sort(block.places.begin(), block.places.end(), before);
}

uint32_t distinct_symbols(const BlockIndex& block) {
  uint32_t count = 0;
  for (size_t i = 0; i < block.places.size(); ++i) count += i == 0 || block.places[i].esi != block.places[i - 1].esi ? 1u : 0u;
  return count;
}

struct Shortage {
  uint32_t block;
  uint32_t k;
  uint32_t more;
};

Error too_few(const std::vector<Shortage>& short_blocks, uint32_t blocks, uint64_t damaged) {
  constexpr size_t kNamedMax = 5;
  std::string message = fmt::format("too few symbols for {} of {} blocks:", short_blocks.size(), blocks);
  for (size_t i = 0; i < short_blocks.size() && i < kNamedMax; ++i) {
    const Shortage& s = short_blocks[i];
    message += fmt::format("{} block {} needs at least {} more (it has {} source symbols)", i == 0 ? "" : ",", s.block, s.more, s.k);
  }
  if (short_blocks.size() > kNamedMax) message += fmt::format(", and {} more", short_blocks.size() - kNamedMax);
  if (damaged != 0) message += fmt::format("; {} damaged ones were left out", damaged);
  message += ". Bring any other symbols of the object, or make more where it still is: selvedge fountain encode --repair";
  return fail(Errc::kUnavailable, std::move(message));
}

class BlockRestorer {
 public:
  BlockRestorer(SymbolFolder& folder, const ObjectIndex& object, FountainDecoded& report, uint64_t damaged)
      : folder_(folder), object_(object), report_(report), damaged_(damaged), plans_(fountain::PlanCache::create()) {}
  /// The block in object order, without padding.
  Result<Bytes> restore(uint32_t number);
  uint64_t damaged() const { return damaged_; }

 private:
  Status feed(fountain::BlockDecoder& decoder, uint32_t number);

  SymbolFolder& folder_;
  const ObjectIndex& object_;
  FountainDecoded& report_;
  uint64_t damaged_;
  std::shared_ptr<fountain::PlanCache> plans_;
};

Status BlockRestorer::feed(fountain::BlockDecoder& decoder, uint32_t number) {
  const BlockIndex& block = object_.blocks[number];
  Bytes payload;
  uint32_t source = 0;
  std::optional<uint32_t> last;
  for (const SymbolPlace& place : block.places) {
    if (decoder.complete()) break;
    if (decoder.needed() == 0 && decoder.decode()) break;
    if (last == place.esi) continue;
    if (!TRY(folder_.load(place, object_.params.symbol_bytes, payload))) {
      ++damaged_;  // another copy of the same symbol may be whole
      continue;
    }
    last = place.esi;
    const bool accepted = decoder.add(place.esi, payload) == fountain::BlockDecoder::Add::kAccepted;
    report_.symbols_used += accepted ? 1 : 0;
    if (accepted && place.esi < decoder.k()) ++source;
  }
  if (!decoder.complete() && !decoder.decode()) {
    return too_few({Shortage{number, decoder.k(), decoder.needed()}}, object_.params.source_blocks, damaged_);
  }
  report_.symbols_restored += decoder.k() - source;
  return ok();
}

Result<Bytes> BlockRestorer::restore(uint32_t number) {
  const fountain::ObjectParams& params = object_.params;
  const fountain::BlockLayout layout = params.block(number);
  const uint64_t coded = params.sub_blocks == 1 ? layout.bytes : uint64_t{layout.k} * params.symbol_bytes;
  Bytes out(coded);
  auto decoder = fountain::BlockDecoder::create_in_place(out, params.symbol_bytes, plans_);
  CHECK(decoder.has_value());  // the parameters are valid
  TRY(feed(*decoder, number));
  if (crypto::sha256(out) != object_.blocks[number].digest) {
    return fail(Errc::kIntegrity, fmt::format("block {} came out different from what was encoded: its symbols are forged, or the file changed while it was encoded", number));
  }
  if (params.sub_blocks == 1) return out;
  Bytes ordered(out.size());
  fountain::symbols_to_sub_blocks(params, layout.k, out, ordered);
  ordered.resize(layout.bytes);
  return ordered;
}

// Says what is missing before any work is done. Also sorts the blocks' symbols.
Status require_enough(ObjectIndex& object, uint64_t damaged) {
  std::vector<Shortage> short_blocks;
  for (uint32_t z = 0; z < object.params.source_blocks; ++z) {
    BlockIndex& block = object.blocks[z];
    if (block.mixed) {
      return fail(Errc::kIntegrity, fmt::format("block {} has symbols of two different contents: two versions of a file are mixed here, put each in a folder of its own", z));
    }
    sort_symbols(block);
    const uint32_t k = object.params.block(z).k;
    const uint32_t have = distinct_symbols(block);
    if (have < k) short_blocks.push_back(Shortage{z, k, k - have});
  }
  if (short_blocks.empty()) return ok();
  return too_few(short_blocks, object.params.source_blocks, damaged);
}

}  // namespace

Result<FountainDecoded> decode_from_symbol_files(const FountainDecodeJob& job, const std::function<Status(ByteView)>& take,
                                                 const FountainProgress& progress) {
  SymbolFolder folder;
  TRY(folder.scan(job.dirs, progress));
  ObjectIndex object = TRY(folder.choose(job.object));
  TRY(require_enough(object, folder.damaged()));
  FountainDecoded out;
  out.params = object.params;
  out.foreign = folder.symbols() - object.symbols;
  BlockRestorer restorer(folder, object, out, folder.damaged());
  for (uint32_t z = 0; z < object.params.source_blocks; ++z) {
    TRY(progress(object.params.block(z).offset_bytes, object.params.object_bytes));
    const Bytes block = TRY(restorer.restore(z));
    TRY(take(block));
  }
  TRY(progress(object.params.object_bytes, object.params.object_bytes));
  out.damaged = restorer.damaged();
  return out;
}

}  // namespace selvedge::cli
