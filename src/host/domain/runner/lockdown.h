// Lock-down: what a runner gives up before it looks at a guest's first byte.
//
// Two steps, because the engine reads /proc while it starts and makes threads that must be confined from birth:
// before_engine() confines what threads inherit, after_engine() takes away the rest. Each wall is optional where
// the kernel does not offer it, except seccomp: without it the runner refuses to run. What stands is reported.
// The namespaces themselves are made by the pool when it clones the process. Runs in the runner, once.
#pragma once

#include <sys/syscall.h>

#include <cstdint>
#include <thread>

#include "base/result.h"

namespace selvedge::host::domain {

/// The socket to the pool: the one descriptor that stays.
constexpr int kRunnerSocket = 3;

/// System calls that no engine ever makes: starting programs, looking into or signalling other processes, new namespaces and mounts, and
/// the doors to the kernel that exploits are built on. They end the process with SIGSYS.
struct Tripwire {
  int call;
  const char* name;
};
constexpr Tripwire kTripwires[] = {
    {SYS_execve, "execve"}, {SYS_execveat, "execveat"}, {SYS_ptrace, "ptrace"},
    {SYS_process_vm_readv, "process_vm_readv"}, {SYS_process_vm_writev, "process_vm_writev"}, {SYS_kill, "kill"},
    {SYS_pidfd_send_signal, "pidfd_send_signal"}, {SYS_pidfd_getfd, "pidfd_getfd"}, {SYS_mount, "mount"},
    {SYS_umount2, "umount2"}, {SYS_pivot_root, "pivot_root"}, {SYS_unshare, "unshare"},
    {SYS_setns, "setns"}, {SYS_bpf, "bpf"}, {SYS_perf_event_open, "perf_event_open"},
    {SYS_io_uring_setup, "io_uring_setup"}, {SYS_userfaultfd, "userfaultfd"}, {SYS_keyctl, "keyctl"},
    {SYS_add_key, "add_key"}, {SYS_request_key, "request_key"}, {SYS_open_by_handle_at, "open_by_handle_at"},
    {SYS_init_module, "init_module"}, {SYS_finit_module, "finit_module"}, {SYS_kexec_load, "kexec_load"},
    {SYS_reboot, "reboot"}, {SYS_iopl, "iopl"},
};

/// Enters the control group whose `count` descriptors lie behind the socket, beside what else the process does: the kernel takes some 11 ms
/// for the first process of a while that changes its group.
class GroupEntry {
 public:
  explicit GroupEntry(int count);
  /// Waits, and closes them. Before any byte of a guest, and before lockdown_after_engine(). True when the group was entered.
  bool done();

 private:
  int count_;
  bool entered_ = false;
  std::thread thread_;
};

/// `layers`: bits of LayerBit that stand already. Returns the bits of those raised now.
/// Errors: kInternal when a wall that every kernel has cannot be raised.
/// `groups`: descriptors behind the socket that stay open, for GroupEntry.
Result<uint32_t> lockdown_before_engine(uint32_t layers, int groups = 0);
/// The same; kLayerEmptyRoot in `layers` says that the empty root was prepared. Errors: kInternal, also without seccomp.
Result<uint32_t> lockdown_after_engine(uint32_t layers);

/// Tries, in a locked-down process, what must not work; prints a line for each. Returns the number that worked.
int lockdown_self_test();
/// Before lock-down: locks a child down for each tripwire and has it touch it; prints a line for each. Returns the number that lived.
int lockdown_tripwire_test();

}  // namespace selvedge::host::domain
