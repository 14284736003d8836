#include "host/domain/initramfs.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <sstream>

namespace selvedge::host::domain {
namespace {

constexpr const char* kLoader = "/lib64/ld-linux-x86-64.so.2";

void pad(Bytes& bytes) { bytes.resize((bytes.size() + 3) / 4 * 4); }

}  // namespace

// "newc": a header of 13 hexadecimal numbers, the name, the content, each to a multiple of four.
// spec: the kernel's documentation of the initramfs buffer format
void Initramfs::entry(const std::string& path, uint32_t mode, ByteView content, uint32_t major, uint32_t minor) {
  char header[111];
  std::snprintf(header, sizeof header, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", ++inode_, mode, 0u, 0u, 1u, 0u,
                uint32_t(content.size()), 0u, 0u, major, minor, uint32_t(path.size() + 1), 0u);
  append(bytes_, view(header));
  append(bytes_, view(path));
  bytes_.push_back(0);
  pad(bytes_);
  append(bytes_, content);
  pad(bytes_);
}

void Initramfs::directory(const std::string& path) {
  if (path.empty() || !directories_.insert(path).second) return;
  const size_t slash = path.rfind('/');
  if (slash != std::string::npos) directory(path.substr(0, slash));
  entry(path, S_IFDIR | 0755, {}, 0, 0);
}

void Initramfs::file(const std::string& path, ByteView content) {
  const size_t slash = path.rfind('/');
  if (slash != std::string::npos) directory(path.substr(0, slash));
  entry(path, S_IFREG | 0755, content, 0, 0);
}

void Initramfs::console(const std::string& path) { entry(path, S_IFCHR | 0600, {}, 5, 1); }

Bytes Initramfs::done() {
  entry("TRAILER!!!", 0, {}, 0, 0);
  return std::move(bytes_);
}

Result<std::vector<std::string>> libraries_of(const std::string& program) {
  // The name of the runner comes from our own installation; it is quoted all the same.
  std::string quoted = "'";
  for (const char c : program) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  FILE* out = popen((std::string(kLoader) + " --list " + quoted + "'").c_str(), "re");
  if (out == nullptr) return fail(Errc::kIo, "cannot ask the loader for libraries");
  std::string text;
  char block[4096];
  for (size_t n; (n = fread(block, 1, sizeof block, out)) > 0;) text.append(block, n);
  if (pclose(out) != 0) return fail(Errc::kIo, "the loader cannot load " + program);
  // "NAME => PATH (ADDRESS)"; what the kernel provides has no path.
  std::vector<std::string> paths{kLoader};
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const size_t arrow = line.find("=> /"), end = line.rfind(" (");
    if (arrow == std::string::npos || end == std::string::npos || end < arrow) continue;
    const std::string path = line.substr(arrow + 3, end - arrow - 3);
    if (path != kLoader) paths.push_back(path);
  }
  return paths;
}

}  // namespace selvedge::host::domain
