#include "cli/demo_fabric.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>

#include "cli/files.h"
#include "host/daemon/home.h"

namespace selvedge::cli {

namespace {

constexpr int kStartMsMax = 30'000;
constexpr int kStopMsMax = 20'000;
constexpr size_t kReadyLineMax = 65'536;

/// In the child: everything is prepared before the fork, so that only system calls happen here.
[[noreturn]] void become_node(const char* program, const std::vector<const char*>& args, int out, int err, pid_t parent) {
  // A demonstration that is killed leaves no nodes behind; the check closes the gap before the prctl took effect.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(125);
  unblock_signals();
  const int null = open("/dev/null", O_RDONLY);
  if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0) _exit(126);
  execv(program, const_cast<char* const*>(args.data()));
  _exit(127);
}

std::string last_lines(const std::string& path) {
  constexpr size_t kTailBytes = 600;
  const Result<Bytes> text = read_whole(path, 1u << 20);
  if (!text.ok() || text->empty()) return "";
  const std::string all = to_string(*text);
  return all.substr(all.size() > kTailBytes ? all.size() - kTailBytes : 0);
}

}  // namespace

Fabric::~Fabric() {
  for (auto& node : nodes_) kill_hard(*node);
}

Status Fabric::make(const std::string& name, const std::string& misbehave) {
  auto node = std::make_unique<DemoNode>();
  node->name = name;
  node->home = dir_ + "/" + name;
  node->misbehave = misbehave;
  const host::Home home = TRY(host::Home::create(node->home));
  node->owner = home.owner_key;
  node->key = home.node_key;
  nodes_.push_back(std::move(node));
  return ok();
}

DemoNode& Fabric::at(const std::string& name) {
  const auto found = std::find_if(nodes_.begin(), nodes_.end(), [&](const auto& node) { return node->name == name; });
  CHECK(found != nodes_.end());
  return **found;
}

Status Fabric::start(DemoNode& node) {
  const std::string program = TRY(executable_path());
  const std::string listen = node.address.empty() ? "127.0.0.1:0" : node.address;
  std::vector<const char*> args{program.c_str(), "--home", node.home.c_str(), "--json", "up", "--listen", listen.c_str()};
  if (!node.misbehave.empty()) args.insert(args.end(), {"--misbehave", node.misbehave.c_str()});
  if (!node.web.empty()) args.insert(args.end(), {"--web", node.web.c_str()});
  args.push_back(nullptr);
  int out[2];
  if (pipe2(out, O_CLOEXEC) != 0) return fail(Errc::kIo, std::string("cannot make a pipe: ") + strerror(errno));
  const int err = open(log_of(node).c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  const pid_t parent = getpid();
  const pid_t child = err < 0 ? -1 : fork();
  const int code = errno;
  if (child == 0) become_node(program.c_str(), args, out[1], err, parent);
  close(out[1]);
  if (err >= 0) close(err);
  if (child < 0) {
    close(out[0]);
    return fail(Errc::kIo, std::string("cannot start a node: ") + strerror(code));
  }
  node.pid = child;
  node.out = out[0];
  const Json ready = TRY(Json::parse(TRY(ready_line(node))));
  if (!ready.at("ready").flag() || ready.at("addresses").size() == 0) return fail(Errc::kIo, node.name + " did not say that it is ready");
  node.address = ready.at("addresses").item(0).text();
  if (!node.web.empty()) node.web = ready.at("web").text();
  node.client = TRY(Client::connect(node.home, &interrupt_));
  return ok();
}

Result<std::string> Fabric::ready_line(DemoNode& node) {
  std::string line;
  while (line.find('\n') == std::string::npos) {
    if (!TRY(interrupt_.wait_readable(node.out, kStartMsMax))) return fail(Errc::kTimeout, node.name + " did not start in time");
    char buffer[4096];
    const ssize_t got = read(node.out, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0 || line.size() > kReadyLineMax) {
      reap(node);
      return fail(Errc::kIo, node.name + " ended before it was ready: " + last_lines(log_of(node)));
    }
    line.append(buffer, size_t(got));
  }
  return line.substr(0, line.find('\n'));
}

void Fabric::kill_hard(DemoNode& node) {
  if (node.pid > 0) kill(node.pid, SIGKILL);
  reap(node);
}

// Waits for a process that is known to end at once.
void Fabric::reap(DemoNode& node) {
  node.client.reset();
  if (node.pid > 0) waitpid(node.pid, nullptr, 0);
  if (node.out >= 0) close(node.out);
  node.pid = -1;
  node.out = -1;
}

Result<int> Fabric::stop(DemoNode& node) {
  if (node.pid <= 0 || node.client == nullptr) return fail(Errc::kUnavailable, node.name + " is not running");
  TRY(node.client->ask(node::ShutdownRequest{}));
  // Its standard output ends when it does.
  char buffer[4096];
  for (;;) {
    if (!TRY(interrupt_.wait_readable(node.out, kStopMsMax))) return fail(Errc::kTimeout, node.name + " did not stop in time");
    const ssize_t got = read(node.out, buffer, sizeof buffer);
    if (got == 0 || (got < 0 && errno != EINTR)) break;
  }
  int status = 0;
  if (waitpid(node.pid, &status, 0) < 0) status = 0x7F00;
  node.pid = -1;
  reap(node);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

namespace {

struct ProcEntry {
  pid_t parent = 0;
  std::string name;
};

// The fields after the name, which stands in parentheses and may itself hold any character.
bool parse_stat(const std::string& text, ProcEntry& entry) {
  const size_t open_at = text.find('('), close_at = text.rfind(')');
  if (open_at == std::string::npos || close_at == std::string::npos) return false;
  entry.name = text.substr(open_at + 1, close_at - open_at - 1);
  char state = 0;
  int parent = 0;
  if (std::sscanf(text.c_str() + close_at + 1, " %c %d", &state, &parent) != 2) return false;
  entry.parent = parent;
  return state != 'Z';
}

}  // namespace

std::set<pid_t> descendants(pid_t ancestor, const std::string& name) {
  constexpr size_t kCommMax = 15;  // the kernel keeps this much of a name
  std::map<pid_t, ProcEntry> all;
  std::error_code code;
  for (std::filesystem::directory_iterator it("/proc", code), end; !code && it != end; it.increment(code)) {
    const pid_t pid = pid_t(std::atoi(it->path().filename().c_str()));
    ProcEntry entry;
    if (pid <= 0) continue;
    const Result<Bytes> text = read_whole(it->path().string() + "/stat", 1u << 16);
    if (text.ok() && parse_stat(to_string(*text), entry)) all[pid] = entry;
  }
  std::set<pid_t> out;
  for (const auto& [pid, entry] : all) {
    if (entry.name != name.substr(0, kCommMax)) continue;
    constexpr size_t kDepthMax = 64;
    pid_t at = entry.parent;
    for (size_t depth = 0; at != ancestor && depth < kDepthMax && all.count(at); ++depth) at = all[at].parent;
    if (at == ancestor) out.insert(pid);
  }
  return out;
}

}  // namespace selvedge::cli
