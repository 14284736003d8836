// What the kernel holds a domain to from outside: control groups, and the count of its threads.
//
// Where this process may make control groups (v1, or a delegated part of v2), each domain gets one of its own with a limit of memory and of
// threads. Where it may not, the pool's watch holds both, a little later. Private to host/domain.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace selvedge::host::domain {

/// Threads of one domain. The engine was seen with up to 7, QEMU with fewer.
constexpr unsigned kThreadsMax = 64;

/// Threads of a process now, 0 when unknown.
unsigned thread_count(pid_t pid);

class ControlGroup {
 public:
  /// A group below our own, null where none can be made. Costs the caller no wait: who enters it is the child (descriptors()).
  static std::unique_ptr<ControlGroup> make();
  /// Removes it; nobody may be in it any more.
  ~ControlGroup();
  ControlGroup(const ControlGroup&) = delete;
  ControlGroup& operator=(const ControlGroup&) = delete;

  /// A process that writes "0" to each of them is in the group.
  const std::vector<int>& descriptors() const { return enter_; }
  /// Bytes of memory, the page cache it causes included.
  void limit_memory(uint64_t bytes);
  /// Whether somebody in it was killed for want of memory.
  bool ran_out_of_memory() const;
  /// Bits of LayerBit: what it limits.
  uint32_t layers() const { return layers_; }

 private:
  ControlGroup() = default;
  bool add(const std::string& parent, const std::string& name, bool memory, bool pids, bool v2);

  std::vector<std::string> directories_;
  std::vector<int> enter_;
  std::string memory_max_, memory_events_;
  uint64_t limit_ = 0;
  uint32_t layers_ = 0;
};

}  // namespace selvedge::host::domain
