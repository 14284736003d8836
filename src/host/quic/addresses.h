// Where others may reach a socket that listens on every address of this machine.
#pragma once

#include <string>
#include <vector>

namespace selvedge::host {

/// For "0.0.0.0:7443" or "[::]:7443": this machine's addresses with that port, at most 8; those that only this machine or only this
/// link can use are left out. Any other address stands for itself, and so does one of a machine without a network.
std::vector<std::string> reachable_at(const std::string& listen);

}  // namespace selvedge::host
