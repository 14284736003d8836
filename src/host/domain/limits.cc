#include "host/domain/limits.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "host/domain/frames.h"

namespace selvedge::host::domain {
namespace {

std::string read_text(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

bool write_text(const std::string& path, const std::string& text) {
  const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool written = write(fd, text.data(), text.size()) == ssize_t(text.size());
  close(fd);
  return written;
}

bool has_word(std::string text, const std::string& word) {
  for (char& c : text) c = c == '\n' || c == ',' ? ' ' : c;
  return (" " + text + " ").find(" " + word + " ") != std::string::npos;
}

/// Where our own group of a v1 controller, or of v2 (empty controller), is mounted; empty when nowhere.
std::string own_group(const std::string& controller) {
  std::string path;
  std::istringstream groups(read_text("/proc/self/cgroup"));
  for (std::string line; path.empty() && std::getline(groups, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string named = line.substr(first + 1, second - first - 1);
    if (controller.empty() ? named.empty() : has_word(named, controller)) path = line.substr(second + 1);
  }
  std::istringstream mounts(read_text("/proc/self/mountinfo"));
  for (std::string line; !path.empty() && std::getline(mounts, line);) {
    std::istringstream fields(line);
    std::string skip, root, point, type, source, options;
    fields >> skip >> skip >> skip >> root >> point;
    while (fields >> skip && skip != "-") {
    }
    fields >> type >> source >> options;
    if (controller.empty() ? type != "cgroup2" : type != "cgroup" || !has_word(options, controller)) continue;
    // In a container the mount shows only what is below its own root.
    if (root != "/" && path.compare(0, root.size(), root) == 0) path.erase(0, root.size());
    return path == "/" ? point : point + path;
  }
  return "";
}

/// A part of the tree of v2 whose children may be limited. A group with processes in it gives its controllers to no children, so ours
/// first moves this process into a child, which only a part that was delegated to us allows (systemd: Delegate=yes).
std::string delegated_group() {
  const std::string own = own_group("");
  if (own.empty() || !has_word(read_text(own + "/cgroup.controllers"), "memory")) return "";
  if (has_word(read_text(own + "/cgroup.subtree_control"), "memory")) return own;
  const std::string leaf = own + "/selvedge-node";
  const bool made = mkdir(leaf.c_str(), 0755) == 0;
  if (write_text(leaf + "/cgroup.procs", "0") && write_text(own + "/cgroup.subtree_control", "+memory +pids")) return own;
  write_text(own + "/cgroup.procs", "0");
  if (made) rmdir(leaf.c_str());
  return "";
}

/// Groups that a node left behind when it was killed. One that is in use cannot be removed.
void sweep(const std::string& parent) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(parent, ignored)) {
    if (entry.path().filename().string().rfind("selvedge-domain-", 0) == 0) rmdir(entry.path().c_str());
  }
}

struct Places {
  std::string memory, pids;  // of v1
  std::string both;          // of v2
};

const Places& places() {
  static const Places found = [] {
    Places out{own_group("memory"), own_group("pids"), ""};
    if (out.memory.empty() && out.pids.empty()) out.both = delegated_group();
    for (const std::string& parent : {out.memory, out.pids, out.both}) sweep(parent);
    return out;
  }();
  return found;
}

}  // namespace

unsigned thread_count(pid_t pid) {
  // The 20th field; the second may hold anything, but ends with the last parenthesis.
  const std::string text = read_text("/proc/" + std::to_string(pid) + "/stat");
  const size_t end = text.rfind(')');
  if (end == std::string::npos) return 0;
  std::istringstream fields(text.substr(end + 1));
  std::string field;
  for (int i = 3; i <= 20; ++i) fields >> field;
  return unsigned(std::strtoul(field.c_str(), nullptr, 10));
}

std::unique_ptr<ControlGroup> ControlGroup::make() {
  static unsigned made = 0;
  const std::string name = "selvedge-domain-" + std::to_string(getpid()) + "-" + std::to_string(++made);
  std::unique_ptr<ControlGroup> out(new ControlGroup());
  const Places& at = places();
  bool any = false;
  if (!at.memory.empty()) any |= out->add(at.memory, name, true, at.pids == at.memory, false);
  if (!at.pids.empty() && at.pids != at.memory) any |= out->add(at.pids, name, false, true, false);
  if (!at.both.empty()) any |= out->add(at.both, name, true, true, true);
  return any ? std::move(out) : nullptr;
}

bool ControlGroup::add(const std::string& parent, const std::string& name, bool memory, bool pids, bool v2) {
  const std::string directory = parent + "/" + name;
  if (mkdir(directory.c_str(), 0755) != 0) return false;
  directories_.push_back(directory);
  const int enter = open((directory + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC);
  if (enter < 0) return false;
  enter_.push_back(enter);
  if (pids && write_text(directory + "/pids.max", std::to_string(kThreadsMax))) layers_ |= kLayerPidsGroup;
  if (!memory) return true;
  memory_max_ = directory + (v2 ? "/memory.max" : "/memory.limit_in_bytes");
  memory_events_ = directory + (v2 ? "/memory.events" : "/memory.oom_control");
  if (access(memory_max_.c_str(), W_OK) == 0) layers_ |= kLayerMemoryGroup;
  return true;
}

ControlGroup::~ControlGroup() {
  for (const int fd : enter_) close(fd);
  for (const std::string& directory : directories_) rmdir(directory.c_str());
}

void ControlGroup::limit_memory(uint64_t bytes) {
  if (bytes == limit_ || (layers_ & kLayerMemoryGroup) == 0) return;
  if (write_text(memory_max_, std::to_string(bytes))) limit_ = bytes;
}

bool ControlGroup::ran_out_of_memory() const {
  std::istringstream lines(memory_events_.empty() ? "" : read_text(memory_events_));
  for (std::string name, number; lines >> name >> number;) {
    if (name == "oom_kill") return number != "0";
  }
  return false;
}

}  // namespace selvedge::host::domain
