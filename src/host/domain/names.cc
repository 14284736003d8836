#include "host/domain/names.h"

#include "host/domain/frames.h"

namespace selvedge::host {

namespace domain {
namespace {

/// The walls and their names, in the order in which they are told.
struct Wall {
  bool DomainLayers::*stands;
  LayerBit bit;
  const char* name;
};
constexpr Wall kWalls[] = {
    {&DomainLayers::seccomp, kLayerSeccomp, "seccomp"},
    {&DomainLayers::landlock, kLayerLandlock, "landlock"},
    {&DomainLayers::no_new_privs, kLayerNoNewPrivs, "no-new-privs"},
    {&DomainLayers::not_dumpable, kLayerNotDumpable, "not-dumpable"},
    {&DomainLayers::unprivileged, kLayerUnprivileged, "unprivileged"},
    {&DomainLayers::user_namespace, kLayerUserNamespace, "user-namespace"},
    {&DomainLayers::pid_namespace, kLayerPidNamespace, "pid-namespace"},
    {&DomainLayers::net_namespace, kLayerNetNamespace, "net-namespace"},
    {&DomainLayers::mount_namespace, kLayerMountNamespace, "mount-namespace"},
    {&DomainLayers::ipc_namespace, kLayerIpcNamespace, "ipc-namespace"},
    {&DomainLayers::uts_namespace, kLayerUtsNamespace, "uts-namespace"},
    {&DomainLayers::empty_root, kLayerEmptyRoot, "empty-root"},
    {&DomainLayers::memory_group, kLayerMemoryGroup, "memory-cgroup"},
    {&DomainLayers::pids_group, kLayerPidsGroup, "pids-cgroup"},
};

std::string names_of(const DomainLayers& layers, bool standing) {
  std::string out;
  for (const Wall& wall : kWalls) {
    if (layers.*wall.stands == standing) out += (out.empty() ? "" : " ") + std::string(wall.name);
  }
  return out;
}

}  // namespace

DomainLayers layers_of(uint32_t bits) {
  DomainLayers out;
  for (const Wall& wall : kWalls) out.*wall.stands = (bits & wall.bit) != 0;
  return out;
}

}  // namespace domain

const char* domain_end_name(DomainEnd end) {
  switch (end) {
    case DomainEnd::kExited: return "exited";
    case DomainEnd::kTrapped: return "trapped";
    case DomainEnd::kOutOfFuel: return "out_of_fuel";
    case DomainEnd::kOutOfMemory: return "out_of_memory";
    case DomainEnd::kOutputTooLarge: return "output_too_large";
    case DomainEnd::kForbidden: return "forbidden";
    case DomainEnd::kKilled: return "killed";
    case DomainEnd::kCrashed: return "crashed";
    case DomainEnd::kRefused: return "refused";
  }
  return "unknown";
}

const char* domain_violation_name(DomainViolation violation) {
  switch (violation) {
    case DomainViolation::kYield: return "did not yield";
    case DomainViolation::kShare: return "went beyond its share of the processor";
    case DomainViolation::kWakeups: return "woke up more often than it may";
    case DomainViolation::kMemory: return "took more memory than it may";
  }
  return "unknown";
}

std::string DomainLayers::text() const { return (machine.empty() ? "" : machine + " around ") + domain::names_of(*this, true); }

std::string DomainLayers::missing() const { return domain::names_of(*this, false); }

}  // namespace selvedge::host
