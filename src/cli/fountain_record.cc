#include "cli/fountain_record.h"

#include <dirent.h>
#include <errno.h>
#include <fmt/format.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>

namespace selvedge::cli {

namespace {

constexpr std::string_view kRecordMagic = "SLVFNT1\n";
constexpr size_t kHeaderCheckBytes = 8;
constexpr size_t kOtiAt = 8;
constexpr size_t kBlockAt = kOtiAt + fountain::kOtiBytes;
constexpr size_t kTagAt = kBlockAt + 4;
constexpr size_t kBlockDigestAt = kTagAt + 8;
constexpr size_t kPayloadDigestAt = kBlockDigestAt + 32;
constexpr size_t kHeaderCheckAt = kPayloadDigestAt + kPayloadDigestBytes;
static_assert(kHeaderCheckAt + kHeaderCheckBytes == kSymbolHeaderBytes);

}  // namespace

Bytes SymbolHeader::bytes() const {
  Bytes out = to_bytes(view(kRecordMagic));
  append(out, params.oti());
  append_u32(out, block << 24 | esi);
  append(out, object_tag);
  append(out, block_digest);
  return out;
}

std::string SymbolHeader::object_id() const { return to_hex(params.oti()) + to_hex(object_tag); }

std::array<uint8_t, kPayloadDigestBytes> payload_digest(ByteView payload) {
  const crypto::Digest digest = crypto::sha256(payload);
  std::array<uint8_t, kPayloadDigestBytes> out;
  std::copy_n(digest.bytes.begin(), out.size(), out.begin());
  return out;
}

std::optional<SymbolRecord> parse_symbol_header(ByteView bytes) {
  if (bytes.size() != kSymbolHeaderBytes || to_string(bytes.first(kRecordMagic.size())) != kRecordMagic) return std::nullopt;
  const crypto::Digest check = crypto::sha256(bytes.first(kHeaderCheckAt));
  if (!std::equal(bytes.begin() + kHeaderCheckAt, bytes.end(), check.bytes.begin())) return std::nullopt;
  const auto params = fountain::ObjectParams::parse_oti(bytes.subspan(kOtiAt, fountain::kOtiBytes));
  if (!params) return std::nullopt;
  SymbolRecord out;
  out.header.params = *params;
  const uint32_t id = load_u32(bytes.data() + kBlockAt);
  out.header.block = id >> 24;
  out.header.esi = id & fountain::kEsiMax;
  if (out.header.block >= params->source_blocks) return std::nullopt;
  std::copy_n(bytes.begin() + kTagAt, out.header.object_tag.size(), out.header.object_tag.begin());
  std::copy_n(bytes.begin() + kBlockDigestAt, out.header.block_digest.bytes.size(), out.header.block_digest.bytes.begin());
  std::copy_n(bytes.begin() + kPayloadDigestAt, out.payload_digest.size(), out.payload_digest.begin());
  return out;
}

Status write_record(int fd, const Bytes& header, ByteView payload, const std::string& where) {
  Bytes head = header;
  append(head, payload_digest(payload));
  const crypto::Digest check = crypto::sha256(head);
  append(head, ByteView(check.bytes).first(kHeaderCheckBytes));
  iovec parts[2] = {{head.data(), head.size()}, {const_cast<uint8_t*>(payload.data()), payload.size()}};
  iovec* part = parts;
  while (part != parts + 2) {
    const ssize_t written = writev(fd, part, static_cast<int>(parts + 2 - part));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail(Errc::kIo, fmt::format("cannot write symbols to {}: {}", where, strerror(errno)));
    size_t rest = static_cast<size_t>(written);
    while (part != parts + 2 && rest >= part->iov_len) rest -= (part++)->iov_len;
    if (part == parts + 2) break;
    part->iov_base = static_cast<uint8_t*>(part->iov_base) + rest;
    part->iov_len -= rest;
  }
  return ok();
}

Status read_exactly(int fd, uint64_t offset, std::span<uint8_t> out, const std::string& path) {
  for (size_t done = 0; done < out.size();) {
    const ssize_t got = pread(fd, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(Errc::kIo, fmt::format("cannot read {}: {}", path, strerror(errno)));
    if (got == 0) return fail(Errc::kIo, path + " became shorter while it was read");
    done += static_cast<size_t>(got);
  }
  return ok();
}

Result<std::vector<std::string>> symbol_file_names(const std::string& dir) {
  DIR* const open = opendir(dir.c_str());
  if (open == nullptr) {
    return fail(errno == ENOENT ? Errc::kNotFound : Errc::kIo, fmt::format("cannot look into the folder {}: {}", dir, strerror(errno)));
  }
  std::vector<std::string> out;
  while (const dirent* entry = readdir(open)) {
    const std::string name = entry->d_name;
    if (name.ends_with(kSymbolFileSuffix)) out.push_back(name);
  }
  closedir(open);
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace selvedge::cli
