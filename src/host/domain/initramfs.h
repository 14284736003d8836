// Initramfs: a root file system for the kernel of a microVM, in the cpio format that it unpacks. Private to host/domain.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace selvedge::host::domain {

/// Paths without a leading slash; the folders of a file are made as needed. Everything may be read and run by everybody.
class Initramfs {
 public:
  void directory(const std::string& path);
  void file(const std::string& path, ByteView content);
  /// The character device of the kernel's console, which it opens for its first program.
  void console(const std::string& path);
  Bytes done();

 private:
  void entry(const std::string& path, uint32_t mode, ByteView content, uint32_t major, uint32_t minor);

  Bytes bytes_;
  std::set<std::string> directories_;
  uint32_t inode_ = 0;
};

/// The absolute paths of the shared libraries of a program, its loader included, as the loader itself resolves them.
/// Errors: kIo.
Result<std::vector<std::string>> libraries_of(const std::string& program);

}  // namespace selvedge::host::domain
