#include "host/domain/confine.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <initializer_list>

#include "host/domain/landlock_rules.h"

namespace selvedge::host::domain {
namespace {

constexpr uid_t kNobody = 65534;
constexpr rlim_t kOpenFilesMax = 64;

/// The whole file system is closed but for programs, libraries and what describes the machine; /dev/kvm may be used.
bool landlock_for_a_program() {
  const int ruleset = landlock_ruleset();
  if (ruleset < 0) return false;
  constexpr uint64_t kRead = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
  for (const char* path : {"/usr", "/lib", "/lib64"}) landlock_allow(ruleset, path, kRead | LANDLOCK_ACCESS_FS_EXECUTE);
  for (const char* path : {"/proc", "/sys/devices/system", "/etc/ld.so.cache"}) landlock_allow(ruleset, path, kRead);
  for (const char* path : {"/dev/null", "/dev/kvm", "/dev/urandom"}) landlock_allow(ruleset, path, LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | landlock_ioctl());
  const bool done = syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
  close(ruleset);
  return done;
}

bool become_nobody() {
  if (geteuid() != 0) return true;
  // The group that may use /dev/kvm, where there is one, is all that is kept.
  struct stat kvm {};
  const gid_t groups[] = {stat("/dev/kvm", &kvm) == 0 ? kvm.st_gid : kNobody};
  // The system calls themselves: the library's functions stop all threads, which there are none of after a fork.
  return syscall(SYS_setgroups, groups[0] == 0 ? 0 : 1, groups) == 0 && syscall(SYS_setresgid, kNobody, kNobody, kNobody) == 0 &&
         syscall(SYS_setresuid, kNobody, kNobody, kNobody) == 0;
}

}  // namespace

bool confine_before_exec() {
  const rlimit none{0, 0}, files{kOpenFilesMax, kOpenFilesMax};
  if (setrlimit(RLIMIT_CORE, &none) != 0 || setrlimit(RLIMIT_FSIZE, &none) != 0 || setrlimit(RLIMIT_NOFILE, &files) != 0) return false;
  if (!become_nobody()) return false;
  // After the change of user, which clears it.
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return false;
  landlock_for_a_program();
  return true;
}

}  // namespace selvedge::host::domain
