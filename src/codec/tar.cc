#include "codec/tar.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "codec/cbor.h"

// spec: IEEE Std 1003.1-2017, pax, "ustar Interchange Format"

namespace selvedge::codec {
namespace {

constexpr size_t kBlock = 512;
constexpr uint64_t kTime = 1'577'836'800;  // 2020-01-01T00:00:00Z

struct Field { size_t at, size; };
constexpr Field kName{0, 100}, kMode{100, 8}, kUser{108, 8}, kGroup{116, 8}, kSize{124, 12}, kModified{136, 12}, kChecksum{148, 8},
    kKind{156, 1}, kMagic{257, 8}, kMajor{329, 8}, kMinor{337, 8}, kPrefix{345, 155};
constexpr char kFile = '0', kOldFile = '\0', kDirectory = '5';

void put_text(uint8_t* header, Field field, std::string_view text) { std::copy(text.begin(), text.end(), header + field.at); }

/// Octal digits and a NUL.
void put_number(uint8_t* header, Field field, uint64_t value) {
  for (size_t i = field.size - 1; i-- > 0; value >>= 3) header[field.at + i] = uint8_t('0' + (value & 7));
}

uint64_t checksum(const uint8_t* header) {
  uint64_t sum = 0;
  for (size_t i = 0; i < kBlock; ++i) {
    sum += i >= kChecksum.at && i < kChecksum.at + kChecksum.size ? uint8_t(' ') : header[i];
  }
  return sum;
}

Bytes header_of(const TarEntry& entry) {
  Bytes out(kBlock, 0);
  uint8_t* header = out.data();
  std::string_view name = entry.path, prefix;
  if (name.size() > kName.size) {
    // Components are shorter than the field, so there is a slash near enough to the end.
    const size_t cut = name.find('/', name.size() - kName.size - 1);
    prefix = name.substr(0, cut);
    name.remove_prefix(cut + 1);
  }
  put_text(header, kName, name);
  put_number(header, kMode, entry.directory ? 0755 : 0644);
  put_number(header, kUser, 0);
  put_number(header, kGroup, 0);
  put_number(header, kSize, entry.content.size());
  put_number(header, kModified, kTime);
  header[kKind.at] = uint8_t(entry.directory ? kDirectory : kFile);
  put_text(header, kMagic, std::string_view("ustar\00000", 8));
  put_number(header, kMajor, 0);
  put_number(header, kMinor, 0);
  put_text(header, kPrefix, prefix);
  put_number(header, {kChecksum.at, 7}, checksum(header));
  header[kChecksum.at + 7] = ' ';
  return out;
}

std::string_view get_text(const uint8_t* header, Field field) {
  const char* at = reinterpret_cast<const char*>(header + field.at);
  return {at, strnlen(at, field.size)};
}

Result<uint64_t> get_number(const uint8_t* header, Field field) {
  uint64_t value = 0;
  size_t digits = 0;
  for (const char c : get_text(header, field)) {
    if (c == ' ' && digits == 0) continue;
    if (c == ' ') break;
    if (c < '0' || c > '7') return fail(Errc::kInvalid, "a number in the archive is none");
    value = value << 3 | uint64_t(c - '0');
    ++digits;
  }
  return value;
}

bool all_zero(ByteView bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](uint8_t b) { return b == 0; });
}

Result<TarEntry> read_header(const uint8_t* header) {
  const Result<uint64_t> sum = get_number(header, kChecksum);
  if (!sum.ok() || *sum != checksum(header)) return fail(Errc::kInvalid, "this is no tar archive, or a damaged one");
  if (get_text(header, {kMagic.at, 5}) != "ustar") return fail(Errc::kUnsupported, "the archive is older than ustar: make it with tar --format=ustar");
  const char kind = char(header[kKind.at]);
  TarEntry out;
  out.directory = kind == kDirectory;
  if (!out.directory && kind != kFile && kind != kOldFile) {
    return fail(Errc::kUnsupported, "the archive holds more than files and folders (a link, a device, or another format than tar --format=ustar)");
  }
  std::string path(get_text(header, kPrefix));
  if (!path.empty()) path += '/';
  path += get_text(header, kName);
  while (path.starts_with("./")) path.erase(0, 2);
  while (path.ends_with('/')) path.pop_back();
  if (path == ".") path.clear();
  if (!path.empty() || !out.directory) TRY(check_tar_path(path));
  out.path = std::move(path);
  return out;
}

}  // namespace

Status check_tar_path(std::string_view path) {
  if (path.size() > kTarPathMax) return fail(Errc::kLimit, "the path of a file is longer than " + std::to_string(kTarPathMax) + " bytes");
  if (!is_utf8(path)) return fail(Errc::kInvalid, "the path of a file is not UTF-8");
  for (const char c : path) {
    if (uint8_t(c) < 0x20 || c == 0x7F) return fail(Errc::kInvalid, "the path of a file holds a control character");
  }
  for (size_t at = 0; at <= path.size();) {
    const size_t end = std::min(path.find('/', at), path.size());
    const std::string_view name = path.substr(at, end - at);
    if (name.empty() || name == "." || name == "..") return fail(Errc::kInvalid, "the path of a file is absolute, or has a component that is empty, . or ..");
    if (name.size() > kTarNameMax) return fail(Errc::kLimit, "the name of a file is longer than " + std::to_string(kTarNameMax) + " bytes");
    at = end + 1;
  }
  return ok();
}

Bytes write_tar(std::vector<TarEntry> entries) {
  std::sort(entries.begin(), entries.end(), [](const TarEntry& a, const TarEntry& b) { return a.path < b.path; });
  Bytes out;
  for (const TarEntry& entry : entries) {
    CHECK(check_tar_path(entry.path).ok());
    append(out, header_of(entry));
    append(out, entry.content);
    out.resize((out.size() + kBlock - 1) / kBlock * kBlock, 0);
  }
  out.resize(out.size() + 2 * kBlock, 0);
  return out;
}

Result<std::vector<TarEntry>> read_tar(ByteView archive, size_t entries_max) {
  std::vector<TarEntry> out;
  while (archive.size() >= kBlock && !all_zero(archive.first(kBlock))) {
    TarEntry entry = TRY(read_header(archive.data()));
    const uint64_t size = entry.directory ? 0 : TRY(get_number(archive.data(), kSize));
    archive = archive.subspan(kBlock);
    if (size > archive.size()) return fail(Errc::kInvalid, "the archive is cut short");
    entry.content = archive.first(size_t(size));
    archive = archive.subspan(std::min<size_t>(size_t(size + kBlock - 1) / kBlock * kBlock, archive.size()));
    if (entry.path.empty()) continue;
    if (out.size() >= entries_max) return fail(Errc::kLimit, "the archive has more than " + std::to_string(entries_max) + " entries");
    out.push_back(std::move(entry));
  }
  // Two blocks of zeros end an archive; writers that fill up a tape block add more.
  if (archive.size() < 2 * kBlock) return fail(Errc::kInvalid, "this is no tar archive, or one that is cut short");
  if (!all_zero(archive)) return fail(Errc::kInvalid, "the archive goes on behind its end");
  return out;
}

}  // namespace selvedge::codec
