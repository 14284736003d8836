#include "host/kernel/kernel.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>

namespace selvedge::host {

namespace {

using work::Level;
namespace fs = std::filesystem;

constexpr size_t kFileBytesMax = 16 * 1024;
constexpr size_t kEntriesMax = 64;  // of a directory that is looked through

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string out(kFileBytesMax, '\0');
  in.read(out.data(), std::streamsize(out.size()));
  out.resize(size_t(std::max<std::streamsize>(in.gcount(), 0)));
  while (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

std::optional<int64_t> read_number(const std::string& path) {
  const std::string text = read_file(path);
  char* end = nullptr;
  const int64_t value = std::strtoll(text.c_str(), &end, 10);
  return text.empty() || end == text.c_str() ? std::nullopt : std::optional(value);
}

/// Entries whose names begin with `prefix`, sorted.
std::vector<std::string> entries(const std::string& dir, const std::string& prefix = "") {
  std::vector<std::string> out;
  std::error_code code;
  for (fs::directory_iterator it(dir, code), end; !code && it != end && out.size() < kEntriesMax; it.increment(code)) {
    if (it->path().filename().string().rfind(prefix, 0) == 0) out.push_back(it->path().string());
  }
  std::sort(out.begin(), out.end());
  return out;
}

/// The number after `name` in a text such as "some avg10=1.25 avg60=…".
std::optional<double> number_after(const std::string& text, const std::string& name, size_t from = 0) {
  const size_t at = text.find(name, from);
  if (at == std::string::npos) return std::nullopt;
  return std::strtod(text.c_str() + at + name.size(), nullptr);
}

template <class T>
Level level_of(T value, T raised, T high, T critical) {
  return value >= critical ? Level::kCritical : value >= high ? Level::kHigh : value >= raised ? Level::kRaised : Level::kCalm;
}

}  // namespace

Kernel::Kernel(std::string root) : root_(std::move(root)) {
  if (!root_.empty() && root_.back() != '/') root_ += '/';
  for (const std::string& path : entries(root_ + "dev/input", "event")) {
    const int fd = open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0) inputs_.push_back(fd);
  }
}

Kernel::~Kernel() {
  for (int fd : inputs_) close(fd);
}

// Time lost to reclaiming, and what is left. Swapless machines show the second first.
Level Kernel::memory() const {
  const std::string pressure = read_file(root_ + "proc/pressure/memory");
  Level out = Level::kCalm;
  if (const auto some = number_after(pressure, "some avg10=")) out = level_of(*some, 2.0, 10.0, 40.0);
  if (const auto full = number_after(pressure, "full avg10=")) out = std::max(out, level_of(*full, 1.0, 5.0, 20.0));
  const std::string info = read_file(root_ + "proc/meminfo");
  const auto total = number_after(info, "MemTotal:"), available = number_after(info, "MemAvailable:");
  if (total && available && *total > 0) out = std::max(out, level_of(-*available / *total, -0.10, -0.05, -0.02));
  return out;
}

// How near the hottest zone is to where the kernel slows the machine down, one level up while it gets hotter quickly.
Level Kernel::heat(Instant now) {
  constexpr int64_t kTripDefault = 90'000, kPlausibleMax = 150'000;
  constexpr int64_t kRise = 2000;  // within kTrendPeriod
  constexpr Duration kTrendPeriod = seconds(10);
  int64_t hottest = INT64_MIN, below_trip = INT64_MAX;
  for (const std::string& zone : entries(root_ + "sys/class/thermal", "thermal_zone")) {
    const auto temperature = read_number(zone + "/temp");
    if (!temperature || *temperature <= 0 || *temperature > kPlausibleMax) continue;
    int64_t trip = kTripDefault;
    for (int i = 0; i < 8; ++i) {
      const std::string point = zone + "/trip_point_" + std::to_string(i);
      const std::string type = read_file(point + "_type");
      const auto at = read_number(point + "_temp");
      if (at && *at > 0 && (type == "passive" || type == "hot" || type == "critical")) trip = std::min(trip, *at);
    }
    hottest = std::max(hottest, *temperature);
    below_trip = std::min(below_trip, trip - *temperature);
  }
  if (hottest == INT64_MIN) return Level::kCalm;
  if (hottest_at_ == Instant{} || now - hottest_at_ >= kTrendPeriod) {
    rising_ = hottest_at_ != Instant{} && hottest - hottest_ >= kRise;
    hottest_ = hottest;
    hottest_at_ = now;
  }
  const Level level = level_of<int64_t>(-below_trip, -20'000, -10'000, -2000);
  return rising_ && level == Level::kRaised ? Level::kHigh : level;
}

// How long this process's first thread, which is as ordinary as one that draws, waited for the processor each time that it wanted it.
// Whose doing that is nobody can tell, so this is never critical.
Level Kernel::frames() {
  std::ifstream in(root_ + "proc/self/schedstat");
  uint64_t ran_ns = 0, waited_ns = 0, turns = 0;
  if (!(in >> ran_ns >> waited_ns >> turns)) return Level::kCalm;
  const uint64_t waited = waited_ns - std::min(waited_ns, waited_ns_), times = turns - std::min(turns, turns_);
  const bool first = turns_ == 0;
  waited_ns_ = waited_ns;
  turns_ = turns;
  if (first || times == 0) return Level::kCalm;
  return std::min(level_of<uint64_t>(waited / times, 2'000'000, 4'000'000, UINT64_MAX), Level::kHigh);
}

void Kernel::power(work::Signals& signals) const {
  bool battery = false, plugged = false, discharging = false;
  int64_t percent = 100;
  for (const std::string& supply : entries(root_ + "sys/class/power_supply")) {
    const std::string type = read_file(supply + "/type");
    if (type != "Battery") {
      plugged = plugged || read_number(supply + "/online").value_or(0) > 0;
      continue;
    }
    // Mice and headsets have batteries too.
    if (read_file(supply + "/scope") == "Device") continue;
    battery = true;
    discharging = discharging || read_file(supply + "/status") == "Discharging";
    percent = std::min(percent, read_number(supply + "/capacity").value_or(100));
  }
  signals.charging = !battery || (plugged && !discharging) || !discharging;
  signals.battery_percent = uint8_t(std::clamp<int64_t>(percent, 0, 100) / 10 * 10);
  signals.drain = signals.charging ? Level::kCalm : level_of<int64_t>(-percent, -50, -30, -10);
}

// Input devices say it at once. Terminals say it to within eight seconds, and whoever types there draws no frames.
Level Kernel::interaction(Instant now) {
  constexpr Duration kNow = seconds(2), kJustNow = seconds(10), kLately = seconds(60);
  for (int fd : inputs_) {
    char ignored[4096];
    while (::read(fd, ignored, sizeof ignored) > 0) input_at_ = now;  // that there was something counts, never what
  }
  Level out = Level::kCalm;
  if (input_at_ != Instant{}) {
    const Duration ago = now - input_at_;
    out = ago < kNow ? Level::kCritical : ago < kJustNow ? Level::kHigh : ago < kLately ? Level::kRaised : Level::kCalm;
  }
  std::vector<std::string> terminals = entries(root_ + "dev/pts");
  for (const std::string& console : entries(root_ + "dev", "tty")) terminals.push_back(console);
  for (const std::string& terminal : terminals) {
    struct stat info {};
    if (stat(terminal.c_str(), &info) != 0) continue;
    const bool lately = Instant::from_unix_seconds(uint64_t(info.st_atime)) + kLately > now;
    if (lately && fs::path(terminal).filename() != "ptmx") out = std::max(out, Level::kRaised);
  }
  return out;
}

// Up at once, down when it has been lower for a while.
void Kernel::hold(Instant now, Level& kept, Level seen, Instant& since) const {
  if (seen >= kept) {
    kept = seen;
    since = now;
  } else if (now - since >= kKernelHold) {
    kept = seen;
    since = now;
  }
}

const work::Signals& Kernel::read(Instant now) {
  if (read_at_ != Instant{} && now - read_at_ < kKernelPeriod) return signals_;
  read_at_ = now;
  work::Signals seen;
  power(seen);
  signals_.charging = seen.charging;
  signals_.battery_percent = seen.battery_percent;
  hold(now, signals_.memory, memory(), held_[0]);
  hold(now, signals_.heat, heat(now), held_[1]);
  hold(now, signals_.drain, seen.drain, held_[2]);
  hold(now, signals_.interaction, interaction(now), held_[3]);
  signals_.frames = frames();
  return signals_;
}

std::vector<KernelSource> Kernel::sources() const {
  const bool pressure = !read_file(root_ + "proc/pressure/memory").empty();
  const bool waits = !read_file(root_ + "proc/self/schedstat").empty();
  const bool heat = !entries(root_ + "sys/class/thermal", "thermal_zone").empty();
  const bool supply = !entries(root_ + "sys/class/power_supply").empty();
  std::vector<KernelSource> out;
  out.push_back({"memory", pressure, pressure ? "/proc/pressure/memory" : "only what is free is seen: a kernel with CONFIG_PSI (psi=1) says more"});
  out.push_back({"frames", waits, waits ? "/proc/self/schedstat" : "a kernel with CONFIG_SCHED_INFO says how long programs wait for the processor"});
  out.push_back({"heat", heat, heat ? "/sys/class/thermal" : "no thermal zone: leases are not slowed when it gets hot"});
  out.push_back({"power", supply, supply ? "/sys/class/power_supply" : "no battery and no mains adapter: it counts as charging"});
  out.push_back({"input", !inputs_.empty(), !inputs_.empty() ? "/dev/input" : "only terminals are seen: let the node's user read /dev/input (group input)"});
  return out;
}

}  // namespace selvedge::host
