// The first program in a microVM: loads the modules of the one device, waits for its channel and becomes the parent of the runner.
//
// Linked statically, because it runs before anything else is there, and without a library of ours. When the runner ends the machine ends:
// QEMU is started with -no-reboot, so that the pool sees a process that is gone, as with a runner without a machine around it.
#include <dirent.h>
#include <fcntl.h>
#include <linux/reboot.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

constexpr int kRunnerSocket = 3;  // as in process.cc
constexpr char kChannel[] = "/dev/vport0p1";
constexpr int kChannelWaitMs = 20'000;

[[noreturn]] void power_off() {
  reboot(LINUX_REBOOT_CMD_RESTART);
  _exit(1);
}

void complain(const char* what) {
  fprintf(stderr, "selvedge-microvm-init: %s: %m\n", what);
}

/// In the order of their names: the image numbers them.
void load_modules() {
  dirent** names = nullptr;
  const int count = scandir("/modules", &names, nullptr, alphasort);
  for (int i = 0; i < count; ++i) {
    char path[512];
    snprintf(path, sizeof path, "/modules/%s", names[i]->d_name);
    const int fd = names[i]->d_name[0] == '.' ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) continue;
    if (syscall(SYS_finit_module, fd, "", 0) != 0) complain(path);
    close(fd);
  }
}

/// The channel appears a moment after its module, and the pool is at its other end a moment after that. It is opened once: closing it would
/// throw away what the pool has sent meanwhile.
int open_channel() {
  int fd = -1;
  for (int waited = 0; waited < kChannelWaitMs; ++waited) {
    if (fd < 0) fd = open(kChannel, O_RDWR | O_CLOEXEC);
    pollfd state{fd, POLLOUT, 0};
    if (fd >= 0 && poll(&state, 1, 0) >= 0 && (state.revents & POLLHUP) == 0) return fd;
    usleep(1000);
  }
  return -1;
}

[[noreturn]] void become_runner(int channel, char* layers) {
  // The channel first moves out of the way of the numbers below.
  const int high = fcntl(channel, F_DUPFD, 64);
  const int null = open("/dev/null", O_RDWR);
  for (int fd = 0; fd < kRunnerSocket; ++fd) dup2(null, fd);
  dup2(high, kRunnerSocket);
  syscall(SYS_close_range, kRunnerSocket + 1, ~0u, 0);
  char name[] = "selvedge-domain", mode[] = "--pool";
  char* const arguments[] = {name, mode, layers, nullptr};
  char* const environment[] = {nullptr};
  execve("/selvedge-domain", arguments, environment);
  _exit(124);
}

}  // namespace

// argv[1]: the layers that the runner finds standing (bits of LayerBit), from the kernel's command line.
int main(int argc, char** argv) {
  if (getpid() != 1) return 2;  // it would load modules and restart the machine it is on
  static char none[] = "0";
  mount("none", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr);
  mount("none", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr);
  mount("none", "/dev", "devtmpfs", MS_NOSUID | MS_NOEXEC, nullptr);
  load_modules();
  const int channel = open_channel();
  if (channel < 0) {
    complain(kChannel);
    power_off();
  }
  // A mount namespace of its own, so that the runner may empty its root directory as it does without a machine around it.
  const pid_t runner = static_cast<pid_t>(syscall(SYS_clone, CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | SIGCHLD, nullptr, nullptr, nullptr, nullptr));
  if (runner == 0) become_runner(channel, argc > 1 ? argv[1] : none);
  int status = 0;
  while (runner > 0 && waitpid(runner, &status, 0) < 0) {
  }
  // The pool sees the end of the machine only. That its runner ran into a tripwire it hears from an empty frame of a type that there is not.
  const unsigned char breach[] = {0, 0, 0, 0, 0xFF};
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS && write(channel, breach, sizeof breach) < 0) complain(kChannel);
  // For whoever boots it with a console.
  fprintf(stderr, "selvedge-microvm-init: the runner ended with status 0x%x\n", unsigned(status));
  power_off();
}
