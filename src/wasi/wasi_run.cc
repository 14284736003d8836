#include "wasi/wasi_run.h"

#include <algorithm>

#include "crypto/hash.h"
#include "wasm/rewrite.h"
#include "wasm/trace.h"

// spec: docs/spec/metering.md, "What a program can call"; layouts: wasi_snapshot_preview1.witx

namespace selvedge::wasi {
namespace {

using enum wasm::WasiFunction;
using Memory = GuestMemory&;

constexpr uint64_t kIovecsMax = 1024;
constexpr uint64_t kSubscriptionsMax = 1024;
constexpr uint64_t kRandomBytesMax = 65'536;  // of one call; wasi-libc asks for at most 256
// 2020-01-01T00:00:00Z: the instant at which every run begins. One unit of fuel is one nanosecond.
constexpr uint64_t kEpochNs = 1'577'836'800ull * 1'000'000'000ull;
constexpr uint64_t kSleptNsMax = 1ull << 61;   // 73 years; asking for more sleeps until then
constexpr uint64_t kClockRealtime = 0, kClockLast = 3;
constexpr uint32_t kRootFd = 3;
constexpr std::string_view kRootName = "/";
constexpr uint8_t kTypeDirectory = 3, kTypeFile = 4;
constexpr uint64_t kFdstatBytes = 24, kFilestatBytes = 64, kDirentBytes = 24, kSubscriptionBytes = 48, kEventBytes = 32;
constexpr uint64_t kOpenCreate = 1, kOpenDirectory = 2, kOpenExclusive = 4, kOpenTruncate = 8;
constexpr uint64_t kFlagAppend = 1;
constexpr uint64_t kEventClock = 0, kEventWrite = 2, kAbsoluteTime = 1;
constexpr uint64_t kRightRead = 1u << 1, kRightSeek = 1u << 2, kRightTell = 1u << 5, kRightWrite = 1u << 6, kRightAllocate = 1u << 8,
                   kRightSetSize = 1u << 22, kRightsAll = (1u << 29) - 1;
constexpr uint64_t kRightsOfWriter = kRightWrite | kRightAllocate | kRightSetSize;

bool inside(Memory memory, uint64_t at, uint64_t size) { return at <= memory.size() && size <= memory.size() - at; }

uint64_t get(Memory memory, uint64_t at, size_t bytes) {
  uint8_t in[8] = {};
  memory.read(at, std::span(in, bytes));
  return load_le<uint64_t>(in);
}
void put(Memory memory, uint64_t at, uint64_t value, size_t bytes) {
  uint8_t out[8];
  store_le(out, value);
  memory.write(at, ByteView(out, bytes));
}
Errno answer(Memory memory, uint64_t at, uint64_t value, size_t bytes) {
  if (!inside(memory, at, bytes)) return Errno::kFault;
  put(memory, at, value, bytes);
  return Errno::kSuccess;
}
Errno two_u32(Memory memory, uint64_t a_at, uint64_t a, uint64_t b_at, uint64_t b) {
  if (!inside(memory, a_at, 4) || !inside(memory, b_at, 4)) return Errno::kFault;
  put(memory, a_at, a, 4);
  put(memory, b_at, b, 4);
  return Errno::kSuccess;
}
/// Zeros in guest memory, or kFault.
Errno clear(Memory memory, uint64_t at, uint64_t size) {
  constexpr uint8_t kZeros[kFilestatBytes] = {};
  static_assert(kFilestatBytes >= std::max(kFdstatBytes, kEventBytes));
  if (!inside(memory, at, size)) return Errno::kFault;
  memory.write(at, ByteView(kZeros, size));
  return Errno::kSuccess;
}
uint64_t bytes_of(const std::vector<std::string>& texts) {
  uint64_t bytes = 0;
  for (const std::string& text : texts) bytes += text.size() + 1;
  return bytes;
}
uint8_t type_of(const FileTree::Node& node) { return node.directory ? kTypeDirectory : kTypeFile; }

}  // namespace

WasiRun::WasiRun(WasiInput input) : in_(std::move(input)) {
  using enum Descriptor::Kind;
  descriptors_[0] = {.kind = kInput, .reads = true};
  descriptors_[1] = {.kind = kOutput, .writes = true};
  descriptors_[2] = {.kind = kErrors, .writes = true};
}

Result<std::unique_ptr<WasiRun>> WasiRun::create(WasiInput input) {
  std::unique_ptr<WasiRun> run(new WasiRun(std::move(input)));
  run->tree_ = TRY(FileTree::create(run->in_.files));
  run->descriptors_[kRootFd] = {.kind = Descriptor::Kind::kDirectory, .node = run->tree_->root(), .preopened = true};
  return run;
}

WasiAnswer WasiRun::call(wasm::WasiFunction function, Args a, Memory memory, const std::function<uint64_t()>& fuel_used) {
  CHECK(a.size() >= wasm::kWasiArgsMax);
  used_files_ |= (function >= kPathCreateDirectory && function <= kPathUnlinkFile) || function == kFdReaddir || function == kFdClose || function == kFdRenumber;
  owed_ = 0;
  WasiAnswer out;
  switch (function) {
    case kProcExit: exit_code_ = int32_t(uint32_t(a[0])); return {Errno::kSuccess, WasiAnswer::Ends::kExit};
    case kFdWrite: out = write(a, memory, true); break;
    case kFdPwrite: out = write(a, memory, false); break;
    default: out.error = other(function, a, memory, fuel_used);
  }
  out.fuel = owed_;
  return out;
}

Errno WasiRun::other(wasm::WasiFunction function, Args a, Memory memory, const std::function<uint64_t()>& fuel_used) {
  switch (function) {
    case kArgsSizesGet: return two_u32(memory, a[0], in_.args.size(), a[1], bytes_of(in_.args));
    case kArgsGet: return strings(in_.args, memory, a[0], a[1]);
    case kEnvironSizesGet: return two_u32(memory, a[0], in_.environment.size(), a[1], bytes_of(in_.environment));
    case kEnvironGet: return strings(in_.environment, memory, a[0], a[1]);
    case kClockResGet: return a[0] > kClockLast ? Errno::kInval : answer(memory, a[1], 1, 8);
    case kClockTimeGet:
      if (a[0] > kClockLast) return Errno::kInval;
      return answer(memory, a[2], (a[0] == kClockRealtime ? kEpochNs : 0) + time_ns(fuel_used), 8);
    case kPollOneoff: return poll(a, memory, fuel_used);
    case kRandomGet: return random(memory, a[0], a[1]);
    case kSchedYield: return Errno::kSuccess;
    case kFdRenumber: return renumber(a[0], a[1]);
    case kFdClose: return close(a[0]);
    case kPathCreateDirectory: case kPathFilestatGet: case kPathFilestatSetTimes: case kPathOpen: case kPathReadlink:
    case kPathRemoveDirectory: case kPathRename: case kPathUnlinkFile: return path_call(function, a, memory);
    case kPathLink: case kPathSymlink: case kProcRaise: case kFdFdstatSetRights: case kSockAccept: case kSockRecv: case kSockSend:
    case kSockShutdown: return Errno::kNoSystemCall;
    default: return descriptor_call(function, a, memory);
  }
}

// What is done to an open descriptor, the first argument.
Errno WasiRun::descriptor_call(wasm::WasiFunction function, Args a, Memory memory) {
  Descriptor* fd = descriptor(a[0]);
  if (fd == nullptr) return Errno::kBadFd;
  const bool file = fd->kind == Descriptor::Kind::kFile;
  switch (function) {
    case kFdRead: return read(a, memory, true);
    case kFdPread: return read(a, memory, false);
    case kFdSeek: return seek(a, memory);
    case kFdTell: return file ? answer(memory, a[1], fd->position, 8) : Errno::kSpipe;
    case kFdReaddir: return read_directory(a, memory);
    case kFdFdstatGet: return fdstat(*fd, memory, a[1]);
    case kFdFilestatGet: return filestat(*fd, memory, a[1]);
    case kFdPrestatGet: return fd->preopened ? two_u32(memory, a[1], 0, a[1] + 4, kRootName.size()) : Errno::kBadFd;
    case kFdPrestatDirName:
      if (!fd->preopened) return Errno::kBadFd;
      if (a[2] < kRootName.size()) return Errno::kNameTooLong;
      return answer(memory, a[1], uint8_t(kRootName[0]), 1);
    case kFdFdstatSetFlags:
      if (file) fd->appends = (a[1] & kFlagAppend) != 0;
      return Errno::kSuccess;
    case kFdFilestatSetSize: return file && fd->writes ? grow(*fd->node, a[1]) : Errno::kInval;
    case kFdAllocate:
      if (!file || !fd->writes) return Errno::kBadFd;
      if (a[1] > kScratchBytesMax || a[2] > kScratchBytesMax) return Errno::kNoSpace;
      return grow(*fd->node, std::max<uint64_t>(fd->node->content.size(), a[1] + a[2]));
    // Everything is where it will be, and has the time it has.
    case kFdAdvise: case kFdDatasync: case kFdSync: case kFdFilestatSetTimes: return Errno::kSuccess;
    default: return Errno::kNoSystemCall;
  }
}

// What is done to a path below the directory that is the first argument.
Errno WasiRun::path_call(wasm::WasiFunction function, Args a, Memory memory) {
  if (function == kPathOpen) return open(a, memory);
  Descriptor* fd = directory(a[0]);
  if (fd == nullptr) return descriptor(a[0]) != nullptr ? Errno::kNotDirectory : Errno::kBadFd;
  const bool flags_first = function == kPathFilestatGet || function == kPathFilestatSetTimes;
  std::string path;
  const Errno readable = path_of(memory, a[flags_first ? 2 : 1], a[flags_first ? 3 : 2], path);
  if (readable != Errno::kSuccess) return readable;
  switch (function) {
    case kPathCreateDirectory: return tree_->make_directory(fd->node, path);
    case kPathRemoveDirectory: return tree_->remove_directory(fd->node, path);
    case kPathUnlinkFile: return tree_->unlink(fd->node, path);
    case kPathRename: {
      Descriptor* to = directory(a[3]);
      std::string new_path;
      if (to == nullptr) return Errno::kBadFd;
      const Errno also = path_of(memory, a[4], a[5], new_path);
      return also != Errno::kSuccess ? also : tree_->rename(fd->node, path, to->node, new_path);
    }
    default: break;
  }
  Descriptor found{.kind = Descriptor::Kind::kFile};
  const Errno there = tree_->find(fd->node, path, found.node);
  if (there != Errno::kSuccess) return there;
  if (function == kPathReadlink) return Errno::kInval;  // nothing is a link
  return function == kPathFilestatGet ? filestat(found, memory, a[4]) : Errno::kSuccess;
}

Bytes WasiRun::save() const {
  CHECK(can_be_saved());
  Bytes out;
  append_u64(out, read_at_);
  append_u64(out, random_blocks_);
  append_u64(out, slept_ns_);
  append_u32(out, uint32_t(errors_.size()));
  append(out, view(errors_));
  append(out, output_);
  return out;
}

Status WasiRun::restore(ByteView saved) {
  constexpr size_t kFixed = 28;
  if (saved.size() < kFixed) return fail(Errc::kInvalid, "a checkpoint lacks the state of the program's files");
  const uint64_t read_at = load_u64(saved.data());
  const uint64_t slept_ns = load_u64(saved.data() + 16);
  const uint32_t errors = load_u32(saved.data() + 24);
  if (read_at > in_.input.size() || slept_ns > kSleptNsMax || errors > in_.errors_bytes_max || errors > saved.size() - kFixed) {
    return fail(Errc::kInvalid, "a checkpoint's files cannot be");
  }
  const ByteView output = saved.subspan(kFixed + errors);
  if (output.size() > in_.output_bytes_max) return fail(Errc::kLimit, "a checkpoint has more output than the task allows");
  read_at_ = size_t(read_at);
  random_blocks_ = load_u64(saved.data() + 8);
  slept_ns_ = slept_ns;
  errors_ = to_string(saved.subspan(kFixed, errors));
  output_ = to_bytes(output);
  return ok();
}

WasiRun::Descriptor* WasiRun::descriptor(uint64_t fd) {
  const auto it = descriptors_.find(uint32_t(fd));
  return it == descriptors_.end() ? nullptr : &it->second;
}

WasiRun::Descriptor* WasiRun::directory(uint64_t fd) {
  Descriptor* found = descriptor(fd);
  return found != nullptr && found->kind == Descriptor::Kind::kDirectory ? found : nullptr;
}

Errno WasiRun::path_of(Memory memory, uint64_t at, uint64_t size, std::string& out) {
  if (!inside(memory, at, size)) return Errno::kFault;
  if (size > kPathBytesMax) return Errno::kNameTooLong;
  owed_ += size;
  out.resize(size);
  memory.read(at, std::span(reinterpret_cast<uint8_t*>(out.data()), size));
  return out.find('\0') == std::string::npos ? Errno::kSuccess : Errno::kInval;
}

Errno WasiRun::pieces(Memory memory, uint64_t at, uint64_t count, Pieces& out) {
  if (count > kIovecsMax) return Errno::kInval;
  if (!inside(memory, at, count * 8)) return Errno::kFault;
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t begin = get(memory, at + i * 8, 4), size = get(memory, at + i * 8 + 4, 4);
    if (!inside(memory, begin, size)) return Errno::kFault;
    out.parts.push_back({begin, size});
    out.bytes += size;
  }
  return out.bytes > INT32_MAX ? Errno::kInval : Errno::kSuccess;
}

// ---- reading and writing

Errno WasiRun::read(Args a, Memory memory, bool at_position) {
  Descriptor* fd = descriptor(a[0]);
  if (!fd->reads) return fd->node != nullptr && fd->node->directory ? Errno::kIsDirectory : Errno::kBadFd;
  const bool file = fd->kind == Descriptor::Kind::kFile;
  if (!file && !at_position) return Errno::kSpipe;
  const uint64_t done_at = a[at_position ? 3 : 4];
  Pieces to;
  const Errno error = pieces(memory, a[1], a[2], to);
  if (error != Errno::kSuccess) return error;
  if (!inside(memory, done_at, 4)) return Errno::kFault;
  const ByteView from = file ? fd->node->bytes() : ByteView(in_.input);
  const uint64_t begin = !file ? read_at_ : at_position ? fd->position : a[3];
  uint64_t at = std::min<uint64_t>(begin, from.size()), total = 0;
  for (const Pieces::Part& part : to.parts) {
    const size_t n = std::min<size_t>(part.size, from.size() - at);
    memory.write(part.at, from.subspan(at, n));
    at += n;
    total += n;
  }
  if (!file) read_at_ = size_t(at);
  else if (at_position) fd->position += total;
  if (file) owed_ += (total + 7) / 8;
  put(memory, done_at, total, 4);
  return Errno::kSuccess;
}

WasiAnswer WasiRun::write(Args a, Memory memory, bool at_position) {
  Descriptor* fd = descriptor(a[0]);
  if (fd == nullptr || !fd->writes) return {Errno::kBadFd};
  const bool file = fd->kind == Descriptor::Kind::kFile;
  if (!file && !at_position) return {Errno::kSpipe};
  const uint64_t done_at = a[at_position ? 3 : 4];
  Pieces from;
  Errno error = pieces(memory, a[1], a[2], from);
  if (error == Errno::kSuccess && !inside(memory, done_at, 4)) error = Errno::kFault;
  if (error != Errno::kSuccess) return {error};
  if (file) {
    const uint64_t at = !at_position ? a[3] : fd->appends ? fd->node->content.size() : fd->position;
    error = write_file(*fd, memory, from, at);
    if (error != Errno::kSuccess) return {error};
    if (at_position) fd->position = at + from.bytes;
  } else if (fd->kind == Descriptor::Kind::kOutput) {
    if (from.bytes > in_.output_bytes_max - output_.size()) return {Errno::kSuccess, WasiAnswer::Ends::kOutputTooLarge};
    for (const Pieces::Part& part : from.parts) {
      output_.resize(output_.size() + part.size);
      memory.read(part.at, std::span(output_).last(part.size));
    }
  } else {
    // Errors are for a person: the first ones count, the rest is swallowed.
    for (const Pieces::Part& part : from.parts) {
      const size_t n = std::min<size_t>(part.size, in_.errors_bytes_max - errors_.size());
      errors_.resize(errors_.size() + n);
      memory.read(part.at, std::span(reinterpret_cast<uint8_t*>(errors_.data()) + errors_.size() - n, n));
    }
  }
  put(memory, done_at, from.bytes, 4);
  return {};
}

Errno WasiRun::write_file(Descriptor& file, Memory memory, const Pieces& from, uint64_t at) {
  if (from.bytes == 0) return Errno::kSuccess;
  if (at > kScratchBytesMax) return Errno::kTooBig;
  if (at + from.bytes > file.node->content.size()) {
    const Errno grown = grow(*file.node, at + from.bytes);
    if (grown != Errno::kSuccess) return grown;
  }
  for (const Pieces::Part& part : from.parts) {
    memory.read(part.at, std::span(file.node->content).subspan(at, part.size));
    at += part.size;
  }
  owed_ += (from.bytes + 7) / 8;
  return Errno::kSuccess;
}

Errno WasiRun::grow(FileTree::Node& node, uint64_t size) {
  const uint64_t old = node.content.size();
  const Errno error = tree_->resize(node, size);
  if (error == Errno::kSuccess && size > old) owed_ += (size - old + 7) / 8;
  return error;
}

Errno WasiRun::seek(Args a, Memory memory) {
  Descriptor& fd = *descriptor(a[0]);
  if (fd.kind == Descriptor::Kind::kDirectory) return Errno::kBadFd;
  if (fd.kind != Descriptor::Kind::kFile) return Errno::kSpipe;
  if (a[2] > 2) return Errno::kInval;
  const uint64_t base = a[2] == 0 ? 0 : a[2] == 1 ? fd.position : fd.node->bytes().size();
  const uint64_t to = base + a[1];  // the offset is signed; both sides wrap around alike
  if (int64_t(to) < 0) return Errno::kInval;
  const Errno error = answer(memory, a[3], to, 8);
  if (error == Errno::kSuccess) fd.position = to;
  return error;
}

// ---- descriptors

Errno WasiRun::close(uint64_t fd) { return descriptors_.erase(uint32_t(fd)) > 0 ? Errno::kSuccess : Errno::kBadFd; }

Errno WasiRun::renumber(uint64_t from, uint64_t to) {
  if (descriptor(from) == nullptr || descriptor(to) == nullptr) return Errno::kBadFd;
  if (from == to) return Errno::kSuccess;
  descriptors_[uint32_t(to)] = std::move(*descriptor(from));
  descriptors_.erase(uint32_t(from));
  return Errno::kSuccess;
}

Errno WasiRun::fdstat(const Descriptor& fd, Memory memory, uint64_t at) const {
  const Errno error = clear(memory, at, kFdstatBytes);
  if (error != Errno::kSuccess) return error;
  if (fd.node == nullptr) {
    put(memory, at + 8, fd.reads ? kRightRead : kRightWrite, 8);
    return Errno::kSuccess;
  }
  put(memory, at, type_of(*fd.node), 1);
  put(memory, at + 2, fd.appends ? kFlagAppend : 0, 2);
  const uint64_t without = kRightsAll & ~(fd.reads ? 0 : kRightRead) & ~(fd.writes ? 0 : kRightsOfWriter);
  // What looks like a directory that can be read and seeked is taken for a file by some.
  put(memory, at + 8, fd.node->directory ? kRightsAll & ~(kRightRead | kRightSeek | kRightTell | kRightsOfWriter) : without, 8);
  put(memory, at + 16, kRightsAll, 8);
  return Errno::kSuccess;
}

Errno WasiRun::filestat(const Descriptor& fd, Memory memory, uint64_t at) const {
  const Errno error = clear(memory, at, kFilestatBytes);
  if (error != Errno::kSuccess || fd.node == nullptr) return error;
  put(memory, at, 1, 8);
  put(memory, at + 8, fd.node->inode, 8);
  put(memory, at + 16, type_of(*fd.node), 1);
  put(memory, at + 24, 1, 8);
  put(memory, at + 32, fd.node->bytes().size(), 8);
  for (const uint64_t time_at : {40, 48, 56}) put(memory, at + time_at, kEpochNs, 8);
  return Errno::kSuccess;
}

Errno WasiRun::open(Args a, Memory memory) {
  Descriptor* from = directory(a[0]);
  if (from == nullptr) return descriptor(a[0]) != nullptr ? Errno::kNotDirectory : Errno::kBadFd;
  std::string path;
  Errno error = path_of(memory, a[2], a[3], path);
  if (error != Errno::kSuccess) return error;
  if (!inside(memory, a[8], 4)) return Errno::kFault;
  if (descriptors_.size() >= kDescriptorsMax) return Errno::kManyOpen;
  const uint64_t how = a[4];
  if ((how & kOpenCreate) != 0 && (how & kOpenDirectory) != 0) return Errno::kInval;
  NodePtr node;
  if ((how & kOpenCreate) == 0) {
    error = tree_->find(from->node, path, node);
  } else {
    error = tree_->make_file(from->node, path, node);
    if (error == Errno::kExists && (how & kOpenExclusive) == 0) error = Errno::kSuccess;
  }
  if (error != Errno::kSuccess) return error;
  const bool writes = (a[5] & kRightsOfWriter) != 0;
  Descriptor opened{.kind = node->directory ? Descriptor::Kind::kDirectory : Descriptor::Kind::kFile, .node = node};
  if (node->directory) {
    if ((how & (kOpenCreate | kOpenTruncate)) != 0) return Errno::kIsDirectory;
  } else {
    if ((how & kOpenDirectory) != 0) return Errno::kNotDirectory;
    if ((writes || (how & kOpenTruncate) != 0) && !node->writable()) return Errno::kReadOnly;
    if ((how & kOpenTruncate) != 0) (void)tree_->resize(*node, 0);
    opened.reads = (a[5] & kRightRead) != 0;
    opened.writes = writes;
    opened.appends = (a[7] & kFlagAppend) != 0;
  }
  uint32_t fd = 0;  // the lowest that is free, as everywhere
  while (descriptors_.count(fd) != 0) ++fd;
  descriptors_[fd] = std::move(opened);
  put(memory, a[8], fd, 4);
  return Errno::kSuccess;
}

Errno WasiRun::read_directory(Args a, Memory memory) {
  Descriptor* fd = directory(a[0]);
  if (fd == nullptr) return Errno::kNotDirectory;
  if (!inside(memory, a[1], a[2]) || !inside(memory, a[4], 4)) return Errno::kFault;
  if (a[3] == 0) {
    fd->listing = {{".", fd->node}, {"..", fd->node}};
    for (const auto& [name, node] : fd->node->entries) fd->listing.emplace_back(name, node);
    owed_ += fd->listing.size();
  }
  Bytes out;
  for (uint64_t i = a[3]; i < fd->listing.size() && out.size() < a[2]; ++i) {
    const auto& [name, node] = fd->listing[size_t(i)];
    const size_t at = out.size();
    out.resize(at + kDirentBytes);
    store_le(out.data() + at, uint64_t(i + 1));
    store_le(out.data() + at + 8, uint64_t(node->inode));
    store_le(out.data() + at + 16, uint32_t(name.size()));
    out[at + 20] = type_of(*node);
    append(out, view(name));
  }
  // A record that is cut short says that there is more.
  out.resize(std::min<size_t>(out.size(), size_t(a[2])));
  memory.write(a[1], out);
  owed_ += (out.size() + 7) / 8;
  put(memory, a[4], out.size(), 4);
  return Errno::kSuccess;
}

// ---- time, text, random numbers

Errno WasiRun::poll(Args a, Memory memory, const std::function<uint64_t()>& fuel_used) {
  const uint64_t in = a[0], out = a[1], count = a[2];
  if (count == 0 || count > kSubscriptionsMax) return Errno::kInval;
  if (!inside(memory, in, count * kSubscriptionBytes) || !inside(memory, out, count * kEventBytes) || !inside(memory, a[3], 4)) return Errno::kFault;
  struct Due { uint64_t user, type, at = 0; Errno error = Errno::kSuccess; };
  std::vector<Due> all;
  const uint64_t now = time_ns(fuel_used);
  uint64_t soonest = UINT64_MAX;
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t at = in + i * kSubscriptionBytes;
    Due due{get(memory, at, 8), get(memory, at + 8, 1), now};
    if (due.type > kEventWrite) return Errno::kInval;
    if (due.type == kEventClock) {
      const uint64_t clock = get(memory, at + 16, 4), timeout = get(memory, at + 24, 8);
      const uint64_t epoch = clock == kClockRealtime ? kEpochNs : 0;
      if (clock > kClockLast) due.error = Errno::kInval;
      else if ((get(memory, at + 40, 2) & kAbsoluteTime) == 0) due.at = now + std::min(timeout, UINT64_MAX - now);
      else due.at = std::max(now, timeout - std::min(timeout, epoch));
    } else if (descriptor(get(memory, at + 16, 4)) == nullptr) {
      due.error = Errno::kBadFd;
    }
    soonest = std::min(soonest, due.at);
    all.push_back(due);
  }
  // Nobody waits: what a guest sleeps is added to its clock.
  slept_ns_ += std::min(soonest - now, kSleptNsMax - slept_ns_);
  uint64_t events = 0;
  for (const Due& due : all) {
    if (due.at > soonest) continue;
    const uint64_t at = out + events++ * kEventBytes;
    (void)clear(memory, at, kEventBytes);
    put(memory, at, due.user, 8);
    put(memory, at + 8, uint64_t(due.error), 2);
    put(memory, at + 10, due.type, 1);
    if (due.type != kEventClock) put(memory, at + 16, 1, 8);
  }
  return answer(memory, a[3], events, 4);
}

Errno WasiRun::strings(const std::vector<std::string>& texts, Memory memory, uint64_t pointers, uint64_t text) const {
  for (const std::string& each : texts) {
    if (!inside(memory, pointers, 4) || !inside(memory, text, each.size() + 1)) return Errno::kFault;
    put(memory, pointers, text, 4);
    memory.write(text, view(each));
    put(memory, text + each.size(), 0, 1);
    pointers += 4;
    text += each.size() + 1;
  }
  return Errno::kSuccess;
}

Errno WasiRun::random(Memory memory, uint64_t at, uint64_t size) {
  if (size > kRandomBytesMax) return Errno::kInval;
  if (!inside(memory, at, size)) return Errno::kFault;
  // spec: docs/spec/metering.md, "Random numbers": whole blocks are drawn, so that a call's bytes depend on its
  // place in the sequence of calls and nothing else.
  while (size > 0) {
    uint8_t counter[16];
    store_u64(counter, in_.seed);
    store_u64(counter + 8, random_blocks_++);
    const crypto::Digest block = crypto::Sha256().update(view("selvedge.wasm.random")).update(counter).finish();
    const size_t n = std::min<size_t>(size, block.bytes.size());
    memory.write(at, block.view().first(n));
    at += n;
    size -= n;
  }
  return Errno::kSuccess;
}

// ---- the end

Result<Bytes> WasiRun::take_output() {
  if (!tree_->has_output()) return std::move(output_);
  return tree_->output_archive(output_, in_.output_bytes_max);
}

// spec: docs/spec/metering.md, "Trace commitment"
crypto::Digest WasiRun::world() const {
  const crypto::Digest args = wasm::digest_args(in_.args);
  if (in_.environment.empty() && in_.files.empty()) return args;
  Bytes out;
  append(out, view("\x13selvedge.wasm.world"));
  append(out, args.bytes);
  append(out, wasm::digest_args(in_.environment).bytes);
  append_u64(out, in_.files.size());
  for (const InputFile& file : in_.files) {
    append_u64(out, file.path.size());
    append(out, view(file.path));
    append(out, crypto::sha256(file.content).bytes);
  }
  return crypto::sha256(out);
}

}  // namespace selvedge::wasi
