// Confinement of a program that is not ours (QEMU), between clone and exec.
//
// The runner raises its walls itself, in lockdown.cc; a machine monitor is given what can be given from outside: no new privileges, no
// descriptor but its own, nobody's rights where we are root, nothing to write anywhere, and to read only what programs need. Its
// own system call filter comes on top. Private to host/domain.
#pragma once

namespace selvedge::host::domain {

/// Makes only system calls, so it may run after a fork of a process with threads. Returns false when a wall that every kernel
/// has cannot be raised; Landlock is raised where the kernel has it.
bool confine_before_exec();

}  // namespace selvedge::host::domain
