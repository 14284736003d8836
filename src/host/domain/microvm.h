// MicroVm: what virtual machines with a runner in them are made of, and whether they boot here.
//
// A machine is QEMU's `microvm` with Debian's cloud kernel, an initramfs that is put together here (init, runner, its libraries, six modules)
// and one virtio channel on which the runner speaks the same frames as without a machine; no disk, no network, no console. The
// walls around the runner are raised inside of it as well. QEMU itself runs confined: see Launch::confine.
// That /dev/kvm opens proves nothing, so an accelerator is chosen by booting a machine and hearing its runner's hello.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "host/domain/launch.h"

namespace selvedge::host {

struct MicroVmParts {
  std::string qemu;                  // qemu-system-x86_64
  std::string kernel;                // vmlinuz
  std::vector<std::string> modules;  // in the order in which they are loaded
  std::string init, runner;
};
/// Looks beside `runner`, in ../microvm of its folder (tools/install --microvm), and in /boot for them.
/// Errors: kNotFound, with what to do.
Result<MicroVmParts> find_microvm_parts(const std::string& runner);

class MicroVm {
 public:
  enum class Accelerator : uint8_t { kKvm, kTcg };
  /// Memory of QEMU and the guest's kernel, initramfs and engine, besides the linear memory of the task.
  static constexpr uint64_t kOverheadBytes = 704u << 20;
  static constexpr uint64_t kProbeMemoryBytes = 64u << 20;

  /// Reads kernel and files once; they stay in memory, sealed, for as long as the object lives. Errors: kIo.
  static Result<std::shared_ptr<const MicroVm>> prepare(const MicroVmParts& parts, Accelerator accelerator);
  ~MicroVm();
  MicroVm(const MicroVm&) = delete;
  MicroVm& operator=(const MicroVm&) = delete;

  /// A machine with room for a task of so much linear memory.
  domain::Launch launch(uint64_t memory_bytes) const;
  /// How long a boot may take: a machine that cannot boot is silent for ever.
  Duration boot_max() const;
  /// "microvm (KVM)", "microvm (TCG)".
  std::string text() const;

 private:
  MicroVm() = default;
  Accelerator accelerator_ = Accelerator::kTcg;
  std::string qemu_;
  int kernel_ = -1, initramfs_ = -1;
};

/// The boot self-test: which accelerators run a runner here, and why the others do not. Blocks for some seconds.
struct MicroVmChoice {
  std::shared_ptr<const MicroVm> machine;  // null: none
  std::string kvm, tcg;                    // what came of each; "not tried" when it was not needed
};
/// `all`: tries the fallback too when the first works (doctor).
MicroVmChoice choose_microvm(const std::string& runner, bool all);

}  // namespace selvedge::host
