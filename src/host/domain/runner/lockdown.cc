#include "host/domain/runner/lockdown.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include "host/domain/frames.h"
#include "host/domain/landlock_rules.h"

namespace selvedge::host::domain {
namespace {

/// Where the user is ours alone (a user namespace, or nobody), all domains together have no more threads; one domain is held to fewer
/// by its pool.
constexpr rlim_t kThreadsOfUserMax = 4096;
constexpr uid_t kNobody = 65534;
constexpr rlim_t kOpenFilesMax = 16;

/// While it starts, the engine reads /proc, /sys and /dev/urandom: it crashes without the last.
enum class Files { kNone, kWhatTheEngineReads };
bool landlock(Files files) {
  const int ruleset = landlock_ruleset();
  if (ruleset < 0) return false;
  if (files == Files::kWhatTheEngineReads) {
    for (const char* path : {"/proc", "/sys", "/dev/urandom"}) landlock_allow(ruleset, path, LANDLOCK_ACCESS_FS_READ_FILE);
  }
  const bool done = syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
  close(ruleset);
  return done;
}

/// Puts an empty, read-only file system over /tmp of our own mount namespace. Before Landlock, which forbids mounting.
bool mount_empty() {
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return false;
  return mount("none", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY, "size=4k,mode=555") == 0;
}

/// Makes that the root. The root is shared by all threads, so this confines those that exist already.
bool enter_empty() { return chdir("/tmp") == 0 && chroot(".") == 0 && chdir("/") == 0; }

bool drop_privileges() {
  if (geteuid() == 0 && setgroups(0, nullptr) == 0 && setresgid(kNobody, kNobody, kNobody) == 0) {
    if (setresuid(kNobody, kNobody, kNobody) != 0) return false;
  }
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[2] = {};
  syscall(SYS_capset, &header, none);
  __user_cap_data_struct now[2] = {};
  if (syscall(SYS_capget, &header, now) != 0) return false;
  return (now[0].permitted | now[1].permitted | now[0].effective | now[1].effective) == 0;
}

/// What the engine was seen to need while a guest runs. Everything not named answers EPERM, but for what no engine ever asks for
/// (lockdown.h): whoever does has taken the process over, and it ends, which the pool takes for a breach.
bool load_seccomp() {
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
  if (filter == nullptr) return false;
  // Calls in the manner of another architecture end the process, not one thread: a process without its first thread does not go away.
  bool good = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1) == 0 &&
              seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) == 0;
  const auto allow = [&](int call) { good = good && seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0) == 0; };
  for (const int call : {SCMP_SYS(futex), SCMP_SYS(munmap), SCMP_SYS(madvise), SCMP_SYS(rt_sigprocmask),
                         SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigsuspend), SCMP_SYS(getpid), SCMP_SYS(gettid),
                         SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity), SCMP_SYS(clock_nanosleep),
                         SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(exit), SCMP_SYS(exit_group),
                         SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(restart_syscall), SCMP_SYS(poll),
                         SCMP_SYS(sigaltstack), SCMP_SYS(brk)}) {
    allow(call);
  }
  const auto allow_if = [&](int call, scmp_arg_cmp test) {
    good = good && seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1, test) == 0;
  };
  allow_if(SCMP_SYS(read), SCMP_A0(SCMP_CMP_EQ, kRunnerSocket, 0));
  allow_if(SCMP_SYS(write), SCMP_A0(SCMP_CMP_EQ, kRunnerSocket, 0));
  // The engine's code region is mapped already; nothing new becomes executable.
  allow_if(SCMP_SYS(mmap), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
  allow_if(SCMP_SYS(mprotect), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
  allow_if(SCMP_SYS(tgkill), SCMP_A0(SCMP_CMP_EQ, scmp_datum_t(getpid()), 0));
  allow_if(SCMP_SYS(prctl), SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME, 0));
  // Threads, not processes: the collector makes one when it first runs. clone3 hides its flags behind a pointer,
  // so it does not exist, and the C library falls back to clone.
  constexpr uint64_t kThread = CLONE_VM | CLONE_THREAD | CLONE_SIGHAND;
  allow_if(SCMP_SYS(clone), SCMP_A0(SCMP_CMP_MASKED_EQ, kThread, kThread));
  good = good && seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) == 0;
  for (const Tripwire& wire : kTripwires) good = good && seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, wire.call, 0) == 0;
  good = good && seccomp_load(filter) == 0;
  seccomp_release(filter);
  return good;
}

}  // namespace

GroupEntry::GroupEntry(int count) : count_(count) {
  if (count == 0) return;
  thread_ = std::thread([this] {
    bool all = true;
    for (int i = 1; i <= count_; ++i) all = write(kRunnerSocket + i, "0", 1) == 1 && all;
    entered_ = all;
  });
}

bool GroupEntry::done() {
  if (thread_.joinable()) thread_.join();
  for (int i = 1; i <= count_; ++i) close(kRunnerSocket + i);
  return entered_;
}

Result<uint32_t> lockdown_before_engine(uint32_t layers, int groups) {
  uint32_t raised = 0;
  const int first_closed = kRunnerSocket + 1 + groups;
  if (syscall(SYS_close_range, first_closed, ~0u, 0) != 0) {
    for (int fd = first_closed; fd < 1024; ++fd) close(fd);
  }
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return fail(Errc::kInternal, "prctl failed");
  }
  raised |= kLayerNoNewPrivs;
  const rlimit none{0, 0}, files{kOpenFilesMax, kOpenFilesMax}, threads{kThreadsOfUserMax, kThreadsOfUserMax};
  const bool user_is_ours = geteuid() == 0 || (layers & kLayerUserNamespace) != 0;
  if (setrlimit(RLIMIT_CORE, &none) != 0 || setrlimit(RLIMIT_FSIZE, &none) != 0 ||
      setrlimit(RLIMIT_NOFILE, &files) != 0 || (user_is_ours && setrlimit(RLIMIT_NPROC, &threads) != 0)) {
    return fail(Errc::kInternal, "setrlimit failed");
  }
  if ((layers & kLayerMountNamespace) != 0 && mount_empty()) raised |= kLayerEmptyRoot;
  if (landlock(Files::kWhatTheEngineReads)) raised |= kLayerLandlock;
  return raised;
}

Result<uint32_t> lockdown_after_engine(uint32_t layers) {
  uint32_t raised = 0;
  if ((layers & kLayerEmptyRoot) != 0 && !enter_empty()) return fail(Errc::kInternal, "cannot leave the root directory");
  if (drop_privileges()) raised |= kLayerUnprivileged;
  // Changing the user clears the first and resets the second.
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return fail(Errc::kInternal, "prctl failed");
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0) raised |= kLayerNotDumpable;
  landlock(Files::kNone);
  if (!load_seccomp()) return fail(Errc::kInternal, "seccomp is not available, so no guest is run");
  return raised | kLayerSeccomp;
}

namespace {

/// Returns 1 when it happened, or could not be told.
int say(const char* what, bool happened) {
  // Not dprintf: it seeks first, which the filter refuses.
  const std::string line = std::string(what) + (happened ? " ALLOWED\n" : " denied\n");
  return happened || write(kRunnerSocket, line.data(), line.size()) != ssize_t(line.size());
}

}  // namespace

int lockdown_tripwire_test() {
  int worked = 0;
  for (const Tripwire& wire : kTripwires) {
    const pid_t child = fork();
    if (child == 0) {
      const auto before = lockdown_before_engine(0);
      if (!before.ok() || !lockdown_after_engine(*before).ok()) _exit(1);
      syscall(wire.call, 0, 0, 0, 0, 0, 0);
      _exit(0);
    }
    int status = 0;
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    worked += say(wire.name, child < 0 || !WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS);
  }
  return worked;
}

int lockdown_self_test() {
  int worked = 0;
  const auto report = [&](const char* what, bool happened) { worked += say(what, happened); };
  report("open_read", open("/etc/passwd", O_RDONLY) >= 0);
  report("open_proc", open("/proc/self/status", O_RDONLY) >= 0);
  report("open_write", open("/tmp/selvedge-self-test", O_WRONLY | O_CREAT, 0600) >= 0);
  report("socket_inet", socket(AF_INET, SOCK_STREAM, 0) >= 0);
  report("socket_unix", socket(AF_UNIX, SOCK_STREAM, 0) >= 0);
  report("socket_netlink", socket(AF_NETLINK, SOCK_RAW, 0) >= 0);
  const pid_t child = fork();
  if (child == 0) _exit(0);
  report("fork", child > 0);
  report("mmap_exec", mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
  void* page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  report("mprotect_exec", page != MAP_FAILED && mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0);
  report("setuid_root", setresuid(0, 0, 0) == 0);
  report("dumpable", prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0);
  report("write_other_fd", write(1, "", 0) >= 0);
  report("memfd", syscall(SYS_memfd_create, "x", 0) >= 0);
  return worked;
}

}  // namespace selvedge::host::domain
