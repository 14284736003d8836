#include "cli/fountain_verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "cli/fountain_files.h"
#include "cli/fountain_measure.h"
#include "cli/interrupt.h"
#include "cli/shared.h"
#include "cli/units.h"
#include "crypto/hash.h"

namespace selvedge::cli {

namespace {

FountainProgress progress_on(ProgressBar& bar, const Interrupt& interrupt) {
  return [&bar, &interrupt](uint64_t done, uint64_t total) -> Status {
    if (interrupt.arrived()) return fail(Errc::kCancelled, "stopped; what was written so far is removed");
    bar.show(done, total, total == 0 ? "looking at what is there" : format_bytes(done) + " of " + format_bytes(total));
    return ok();
  };
}

// A file that appears under its name only when it is complete.
class WholeFile {
 public:
  static Result<WholeFile> begin(const std::string& path) {
    WholeFile out(path);
    out.fd_ = ::open(out.part_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (out.fd_ < 0) return fail(Errc::kIo, fmt::format("cannot create {}: {}", out.part_, strerror(errno)));
    return out;
  }
  WholeFile(WholeFile&& other) noexcept : path_(other.path_), part_(other.part_), fd_(other.fd_) { other.fd_ = -1; }
  WholeFile& operator=(WholeFile&&) = delete;
  ~WholeFile() {
    if (fd_ < 0) return;
    ::close(fd_);
    ::unlink(part_.c_str());
  }
  Status write(ByteView bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return fail(Errc::kIo, fmt::format("cannot write {}: {}", part_, strerror(errno)));
      bytes = bytes.subspan(static_cast<size_t>(written));
    }
    return ok();
  }
  Status finish() {
    const int closed = ::close(fd_);
    fd_ = -1;
    if (closed == 0 && ::rename(part_.c_str(), path_.c_str()) == 0) return ok();
    const Error problem = fail(Errc::kIo, fmt::format("cannot write {}: {}", path_, strerror(errno)));
    ::unlink(part_.c_str());
    return problem;
  }

 private:
  explicit WholeFile(const std::string& path) : path_(path), part_(path + ".part") {}
  std::string path_;
  std::string part_;
  int fd_ = -1;
};

std::string describe(const fountain::ObjectParams& params) {
  return fmt::format("{} in {} symbols of {} bytes, {} blocks", format_bytes(params.object_bytes), params.symbols_total(), params.symbol_bytes,
                     params.source_blocks);
}

Result<std::optional<fountain::Kernel>> kernel_option(const std::string& name) {
  if (name.empty()) return std::optional<fountain::Kernel>();
  const auto kernel = fountain::kernel_from_name(name);
  if (kernel && fountain::kernel_available(*kernel)) return kernel;
  std::string known;
  for (const fountain::Kernel k : fountain::kKernels) {
    if (fountain::kernel_available(k)) known += fmt::format("{}{}", known.empty() ? "" : ", ", fountain::kernel_name(k));
  }
  return fail(Errc::kUnsupported, fmt::format("{} \"{}\"; this machine has: {}", kernel ? "this processor does not run kernels" : "there are no kernels", name, known));
}

}  // namespace

CommandResult run_fountain_symbols(World& world, const FountainOptions& options) {
  const std::vector<uint32_t> esis = TRY(parse_esis(options.esis));
  const BlockReader reader = TRY(BlockReader::open(options.input));
  const fountain::ObjectParams params = TRY(fountain_params(reader.bytes(), {options.symbol_bytes, options.blocks, options.sub_blocks}));
  const std::string oti = to_hex(params.oti());
  world.terminal.line(oti);
  world.terminal.record(Record()
                            .text("oti", oti)
                            .number("object_bytes", params.object_bytes)
                            .number("symbol_bytes", params.symbol_bytes)
                            .number("source_blocks", params.source_blocks)
                            .json());
  constexpr size_t kBatch = 1024;
  const auto plans = fountain::PlanCache::create();
  Bytes symbols;
  for (uint32_t z = 0; z < params.source_blocks; ++z) {
    const Bytes block = TRY(reader.block(params, z));
    const auto encoder = fountain::BlockEncoder::create(block, params.symbol_bytes, plans);
    CHECK(encoder.has_value());  // the parameters are valid
    for (size_t begin = 0; begin < esis.size(); begin += kBatch) {
      const auto batch = std::span(esis).subspan(begin, std::min(kBatch, esis.size() - begin));
      symbols.resize(batch.size() * params.symbol_bytes);
      CHECK(encoder->symbols(batch, symbols.data(), params.symbol_bytes));
      for (size_t i = 0; i < batch.size(); ++i) {
        const std::string digest = crypto::sha256(ByteView(symbols).subspan(i * params.symbol_bytes, params.symbol_bytes)).hex();
        world.terminal.line(fmt::format("{} {} {}", z, batch[i], digest));
        world.terminal.record(Record().number("sbn", z).number("esi", batch[i]).text("sha256", digest).json());
      }
    }
  }
  return kExitOk;
}

CommandResult run_fountain_encode(World& world, const FountainOptions& options) {
  const Interrupt interrupt;
  FountainEncodeJob job;
  job.input = options.input;
  job.dir = options.out;
  job.shape = {options.symbol_bytes, options.blocks, options.sub_blocks};
  job.repair = TRY(parse_repair(options.repair));
  job.files = options.files;
  ProgressBar bar(world.terminal, "encode");
  const Result<FountainEncoded> done = encode_to_symbol_files(job, progress_on(bar, interrupt));
  bar.clear();
  if (!done.ok()) return done.error();
  world.terminal.line(done->object);
  world.terminal.remark(fmt::format("{}, and {} repair symbols, in {} files", describe(done->params), done->repair, done->files));
  world.terminal.record(Record()
                            .text("object", done->object)
                            .text("oti", to_hex(done->params.oti()))
                            .number("object_bytes", done->params.object_bytes)
                            .number("symbol_bytes", done->params.symbol_bytes)
                            .number("source_blocks", done->params.source_blocks)
                            .number("symbols", done->symbols)
                            .number("repair", done->repair)
                            .number("files", done->files)
                            .json());
  return kExitOk;
}

CommandResult run_fountain_decode(World& world, const FountainOptions& options) {
  const Interrupt interrupt;
  const bool to_output = options.out == "-";
  if (to_output && world.terminal.json()) return fail(Errc::kInvalid, "the content and --json cannot both go to standard output; name a file with -o");
  std::optional<WholeFile> file;
  const auto take = [&](ByteView part) -> Status {
    if (to_output) return world.terminal.write_raw({reinterpret_cast<const char*>(part.data()), part.size()});
    if (!file) file.emplace(TRY(WholeFile::begin(options.out)));
    return file->write(part);
  };
  ProgressBar bar(world.terminal, "decode");
  const Result<FountainDecoded> done = decode_from_symbol_files({options.dirs, options.object}, take, progress_on(bar, interrupt));
  bar.clear();
  if (!done.ok()) return done.error();
  if (file) TRY(file->finish());
  world.terminal.remark(fmt::format("{}; {} source symbols were missing and are restored", describe(done->params), done->symbols_restored));
  if (done->damaged != 0) world.terminal.remark(fmt::format("selvedge: {} damaged symbols were left out", done->damaged));
  if (done->foreign != 0) world.terminal.remark(fmt::format("selvedge: {} symbols of other objects were left out", done->foreign));
  world.terminal.record(Record()
                            .number("object_bytes", done->params.object_bytes)
                            .number("symbols_used", done->symbols_used)
                            .number("symbols_restored", done->symbols_restored)
                            .number("damaged", done->damaged)
                            .number("foreign", done->foreign)
                            .json());
  return kExitOk;
}

CommandResult run_fountain_bench(World& world, const FountainOptions& options) {
  FountainBench bench;
  bench.kernel = TRY(kernel_option(options.kernel));
  if (options.symbol_bytes != 0) bench.symbol_bytes = options.symbol_bytes;
  if (options.quick) bench.effort = kFountainEffortQuick;
  const char* const kernel = fountain::kernel_name(bench.kernel.value_or(fountain::fastest_kernel()));
  const std::vector<uint32_t> ks = !options.ks.empty() ? options.ks : options.quick ? std::vector<uint32_t>{10, 100} : std::vector<uint32_t>{100, 1000, 10000, 50000};
  std::vector<FountainFigures> figures;
  ProgressBar bar(world.terminal, "bench");
  for (const uint32_t k : ks) {
    bar.show(figures.size(), ks.size(), fmt::format("K={}", k));
    std::string wrong;
    const auto measured = measure_fountain(bench, k, wrong);
    if (!measured) return fail(options.symbol_bytes > fountain::kSymbolBytesMax || k == 0 || k > fountain::kBlockSymbolsMax ? Errc::kInvalid : Errc::kInternal, fmt::format("K={}: {}", k, wrong));
    figures.push_back(*measured);
  }
  bar.clear();
  world.terminal.line(fmt::format("RaptorQ, T={}, kernels {}; one thread, source and 5 % repair; in brackets the bar of the reference machine\n", bench.symbol_bytes, kernel) +
                      fountain_table_text(figures));
  for (const FountainTableRow& row : fountain_table(figures)) {
    for (size_t i = 0; i < figures.size(); ++i) {
      const std::string name = row.name.substr(row.name.find_first_not_of(' '));
      world.terminal.record(Record().text("kernel", kernel).number("k", figures[i].k).text("what", name).text("unit", row.unit).decimal("value", row.values[i]).decimal("bar", fountain_bar(row, figures[i].k)).json());
    }
  }
  return kExitOk;
}

CommandResult run_fountain_failures(World& world, const FountainOptions& options) {
  // RFC 6330 5.8: at most so many of 10^2, 10^4, 10^6 sets lack rank. K here are K' of the table, so padding does not help.
  constexpr double kPromised[] = {1e-2, 1e-4, 1e-6};
  const std::vector<uint32_t> ks = options.ks.empty() ? std::vector<uint32_t>{10, 26, 101, 248, 1002} : options.ks;
  Table table({">K", ">spare", "received", ">trials", ">failures", ">rate", ">promised", "verdict"});
  bool kept = true;
  ProgressBar bar(world.terminal, "failures");
  size_t done = 0;
  for (const uint32_t k : ks) {
    if (k == 0 || k > fountain::kBlockSymbolsMax) return fail(Errc::kInvalid, fmt::format("-k is 1 to {}", fountain::kBlockSymbolsMax));
    for (uint32_t spare = 0; spare < 3; ++spare) {
      for (const uint32_t loss : {100u, 10u}) {
        bar.show(done++, ks.size() * 6, fmt::format("K={} +{}", k, spare));
        // As much work for each K: a trial costs about as much as K.
        const uint64_t trials = std::max<uint64_t>(10, options.trials * 10 / k);
        const FountainFailures counted = count_fountain_failures(k, spare, loss, trials, options.seed);
        const double expected = kPromised[spare] * static_cast<double>(trials);
        // Four deviations above the promise happen by chance about once in 30,000.
        const bool good = counted.wrong == 0 && static_cast<double>(counted.failures) <= expected + 4 * std::sqrt(expected) + 1;
        kept = kept && good;
        const double rate = static_cast<double>(counted.failures) / static_cast<double>(trials);
        table.row({std::to_string(k), std::to_string(spare), loss == 100 ? "repair only" : "10 % repair", std::to_string(trials), std::to_string(counted.failures),
                   fmt::format("{:.1e}", rate), fmt::format("{:.0e}", kPromised[spare]), counted.wrong != 0 ? "WRONG BYTES" : good ? "kept" : "BROKEN"});
        world.terminal.record(Record().number("k", k).number("spare", spare).number("loss_percent", loss).number("trials", trials).number("failures", counted.failures).number("wrong", counted.wrong).flag("kept", good).json());
      }
    }
  }
  bar.clear();
  table.print(world.terminal);
  return kept ? kExitOk : kExitCheckFailed;
}

}  // namespace selvedge::cli
