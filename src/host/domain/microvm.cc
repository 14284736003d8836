#include "host/domain/microvm.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "host/domain/domain_pool.h"
#include "host/domain/initramfs.h"
#include "host/domain/process.h"
#include "host/loop/loop.h"

namespace selvedge::host {
namespace {

namespace fs = std::filesystem;

constexpr const char* kQemu = "/usr/bin/qemu-system-x86_64";
// In the order of loading. The kernel has everything else built in.
constexpr const char* kModules[] = {"virtio/virtio_ring.ko", "virtio/virtio.ko", "virtio/virtio_pci_modern_dev.ko", "virtio/virtio_pci_legacy_dev.ko",
                                    "virtio/virtio_pci.ko", "char/virtio_console.ko"};
constexpr const char* kWhatToDo = "; in a checkout: tools/install --microvm; elsewhere: apt-get install qemu-system-x86 linux-image-cloud-amd64";
// What stands around the runner when the init of the machine starts it.
constexpr uint32_t kLayersInside = domain::kLayerMountNamespace | domain::kLayerNetNamespace | domain::kLayerIpcNamespace;


/// A kernel of Debian's cloud flavour below `root` and the folder of its drivers; the newest by name.
Result<std::pair<std::string, std::string>> find_kernel(const std::string& root) {
  constexpr const char* kName = "vmlinuz-";
  std::string best;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(root + "/boot", ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.rfind(kName, 0) == 0 && name.find("-cloud-amd64") != std::string::npos) best = std::max(best, name);
  }
  if (best.empty()) return fail(Errc::kNotFound, "no cloud kernel in " + root + "/boot");
  const std::string drivers = root + "/lib/modules/" + best.substr(strlen(kName)) + "/kernel/drivers/";
  return std::pair(root + "/boot/" + best, drivers);
}

Result<Bytes> read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return fail(Errc::kIo, "cannot read " + path);
  return Bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
}

/// Bytes that nobody can change any more, as a descriptor.
Result<int> sealed(const char* name, ByteView bytes) {
  const int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) return fail(Errc::kIo, std::string("memfd_create: ") + strerror(errno));
  while (!bytes.empty()) {
    const ssize_t n = write(fd, bytes.data(), bytes.size());
    if (n <= 0) {
      close(fd);
      return fail(Errc::kIo, std::string("no memory for ") + name);
    }
    bytes = bytes.subspan(size_t(n));
  }
  fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
  return fd;
}

Result<Bytes> build_image(const MicroVmParts& parts) {
  domain::Initramfs image;
  for (const char* name : {"proc", "sys", "dev", "tmp", "modules"}) image.directory(name);
  image.console("dev/console");
  image.file("init", TRY(read_file(parts.init)));
  image.file("selvedge-domain", TRY(read_file(parts.runner)));
  for (size_t i = 0; i < parts.modules.size(); ++i) {
    // Its init loads them in the order of their names.
    image.file("modules/" + std::to_string(i) + ".ko", TRY(read_file(parts.modules[i])));
  }
  for (const std::string& library : TRY(domain::libraries_of(parts.runner))) image.file(library.substr(1), TRY(read_file(library)));
  return image.done();
}

/// Boots one machine and waits for its runner's hello.
Result<DomainLayers> boot(const std::string& runner, std::shared_ptr<const MicroVm> machine) {
  Loop loop(1);
  DomainPool pool(loop, runner, DomainClass::kOrdinary, std::move(machine));
  Result<DomainLayers> out = fail(Errc::kTimeout, "no answer");
  pool.probe([&](Result<DomainLayers> layers) {
    out = std::move(layers);
    loop.stop();
  });
  loop.run();
  return out;
}

}  // namespace

Result<MicroVmParts> find_microvm_parts(const std::string& runner) {
  const std::string beside = fs::path(runner).parent_path().string();
  MicroVmParts out{kQemu, "", {}, beside + "/selvedge-microvm-init", runner};
  if (access(kQemu, X_OK) != 0) return fail(Errc::kNotFound, std::string("QEMU is not installed") + kWhatToDo);
  auto kernel = find_kernel(beside + "/../microvm");
  if (!kernel.ok()) kernel = find_kernel("");
  if (!kernel.ok()) return fail(Errc::kNotFound, "Debian's cloud kernel is not installed" + std::string(kWhatToDo));
  out.kernel = kernel->first;
  for (const char* module : kModules) out.modules.push_back(kernel->second + module);
  for (const std::string& path : out.modules) {
    if (access(path.c_str(), R_OK) != 0) return fail(Errc::kNotFound, path + " is missing" + kWhatToDo);
  }
  if (access(out.init.c_str(), R_OK) != 0) return fail(Errc::kNotFound, out.init + " is missing. Build or install all of selvedge");
  return out;
}

Result<std::shared_ptr<const MicroVm>> MicroVm::prepare(const MicroVmParts& parts, Accelerator accelerator) {
  std::shared_ptr<MicroVm> out(new MicroVm());
  out->accelerator_ = accelerator;
  out->qemu_ = parts.qemu;
  out->kernel_ = TRY(sealed("selvedge-kernel", TRY(read_file(parts.kernel))));
  out->initramfs_ = TRY(sealed("selvedge-initramfs", TRY(build_image(parts))));
  return std::shared_ptr<const MicroVm>(std::move(out));
}

MicroVm::~MicroVm() {
  if (kernel_ >= 0) close(kernel_);
  if (initramfs_ >= 0) close(initramfs_);
}

domain::Launch MicroVm::launch(uint64_t memory_bytes) const {
  // The kernel, the image packed and unpacked, and the engine take 384 MiB at most; the rest is the task's.
  constexpr uint64_t kInsideMiB = 448;
  const bool kvm = accelerator_ == Accelerator::kKvm;
  const auto path = [](int index) { return "/proc/self/fd/" + std::to_string(domain::kLaunchDescriptors + index); };
  std::string line = "quiet panic=-1 reboot=t lsm=landlock no_timer_check random.trust_cpu=on ";
  // Without KVM's clock the kernel would measure one, which a machine that is computed step by step does not survive.
  if (!kvm) line += "tsc_early_khz=2000000 ";
  line += "-- " + std::to_string(kLayersInside);
  domain::Launch out{qemu_, {}, {kernel_, initramfs_}, true};
  out.arguments = {"-M", "microvm,pcie=on,pit=on,pic=on,rtc=on,isa-serial=off", "-accel", kvm ? "kvm" : "tcg", "-cpu", kvm ? "host" : "max",
                   "-m", std::to_string(kInsideMiB + (memory_bytes >> 20)), "-smp", "1", "-nodefaults", "-no-user-config", "-display", "none",
                   "-monitor", "none", "-no-reboot", "-kernel", path(0), "-initrd", path(1), "-append", line,
                   "-chardev", "socket,id=pool,fd=3", "-device", "virtio-serial-pci,max_ports=2",
                   "-device", "virtserialport,chardev=pool,nr=1",
                   "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"};
  return out;
}

Duration MicroVm::boot_max() const { return accelerator_ == Accelerator::kKvm ? seconds(6) : seconds(40); }

std::string MicroVm::text() const { return accelerator_ == Accelerator::kKvm ? "microvm (KVM)" : "microvm (TCG)"; }

MicroVmChoice choose_microvm(const std::string& runner, bool all) {
  MicroVmChoice out{nullptr, "not tried", "not tried"};
  const auto parts = find_microvm_parts(runner);
  const auto attempt = [&](MicroVm::Accelerator accelerator, std::string& what) {
    auto machine = MicroVm::prepare(*parts, accelerator);
    const auto layers = machine.ok() ? boot(runner, *machine) : Result<DomainLayers>(machine.error());
    what = layers.ok() ? "boots: " + layers->text() : "does not boot: " + layers.error().message;
    if (layers.ok() && out.machine == nullptr) out.machine = *machine;
  };
  if (!parts.ok()) {
    out.kvm = out.tcg = parts.error().message;
    return out;
  }
  if (access("/dev/kvm", F_OK) != 0) out.kvm = "this machine has no /dev/kvm";
  else attempt(MicroVm::Accelerator::kKvm, out.kvm);
  if (out.machine == nullptr || all) attempt(MicroVm::Accelerator::kTcg, out.tcg);
  return out;
}

}  // namespace selvedge::host
