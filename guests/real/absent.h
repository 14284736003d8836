// For programs written for POSIX: what wasi-libc leaves out because there are no users and no permissions. Calls that succeed and do nothing.
#pragma once
#include <getopt.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static inline int chmod(const char* path, mode_t mode) { return (void)path, (void)mode, 0; }
static inline int fchmod(int fd, mode_t mode) { return (void)fd, (void)mode, 0; }
static inline int chown(const char* path, uid_t user, gid_t group) { return (void)path, (void)user, (void)group, 0; }
static inline int fchown(int fd, uid_t user, gid_t group) { return (void)fd, (void)user, (void)group, 0; }
static inline mode_t umask(mode_t mode) { return (void)mode, 022; }
