// Launch: what DomainPool starts for a lease: the runner itself, or a machine with the runner in it.
//
// Whatever is started speaks the frames on its descriptor 3. Private to host/domain.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace selvedge::host::domain {

struct Launch {
  std::string program;
  /// Behind the program's name. Empty: the runner's own, which learns the layers that stand.
  std::vector<std::string> arguments;
  /// Descriptors that become 4, 5, ... in the program. They stay the caller's.
  std::vector<int> descriptors;
  /// The program confines itself less than the runner does: it is confined before it starts (confine.h).
  bool confine = false;
};

/// The number of Launch::descriptors[0] in the program.
constexpr int kLaunchDescriptors = 4;

}  // namespace selvedge::host::domain
