// Landlock rulesets, by system calls alone. Private to host/domain; used in the runner and between clone and exec.
#pragma once

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

// The headers of Debian 12 end at FS_REFER; these are from the kernel's documentation of the Landlock ABI.
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15)
#endif

namespace selvedge::host::domain {

struct LandlockAttr {  // struct landlock_ruleset_attr of ABI 6
  uint64_t handled_access_fs = 0;
  uint64_t handled_access_net = 0;
  uint64_t scoped = 0;
};

inline long landlock_abi() { return syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION); }

/// The right to use a device, where this kernel asks for it.
inline uint64_t landlock_ioctl() { return landlock_abi() >= 5 ? LANDLOCK_ACCESS_FS_IOCTL_DEV : 0; }

/// Closes the whole file system, TCP, and signals and abstract sockets to others, as far as this kernel knows them. -1 without Landlock.
inline int landlock_ruleset() {
  const long abi = landlock_abi();
  if (abi < 1) return -1;
  LandlockAttr attr;
  attr.handled_access_fs = (1ULL << 13) - 1;  // ABI 1: execute to make_sym
  if (abi >= 2) attr.handled_access_fs |= LANDLOCK_ACCESS_FS_REFER;
  if (abi >= 3) attr.handled_access_fs |= LANDLOCK_ACCESS_FS_TRUNCATE;
  if (abi >= 5) attr.handled_access_fs |= LANDLOCK_ACCESS_FS_IOCTL_DEV;
  size_t size = 8;
  if (abi >= 4) attr.handled_access_net = 3, size = 16;  // bind and connect TCP
  if (abi >= 6) attr.scoped = 3, size = 24;              // abstract sockets and signals
  return int(syscall(SYS_landlock_create_ruleset, &attr, size, 0));
}

/// Opens one path, where it is there. What a file cannot have (a directory's rights) is left out.
inline void landlock_allow(int ruleset, const char* path, uint64_t access) {
  landlock_path_beneath_attr rule{};
  rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
  if (rule.parent_fd < 0) return;
  rule.allowed_access = access;
  if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0) {
    rule.allowed_access = access & ~uint64_t(LANDLOCK_ACCESS_FS_READ_DIR);
    syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
  }
  close(rule.parent_fd);
}

}  // namespace selvedge::host::domain
