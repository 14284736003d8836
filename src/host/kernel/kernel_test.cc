// A made-up machine: files below a temporary directory.
#include "host/kernel/kernel.h"

#include <gtest/gtest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace selvedge::host {
namespace {

using work::Level;
namespace fs = std::filesystem;

class KernelTest : public testing::Test {
 protected:
  KernelTest() {
    std::string pattern = fs::temp_directory_path() / "selvedge-kernel-XXXXXX";
    root_ = mkdtemp(pattern.data());
  }
  ~KernelTest() override { fs::remove_all(root_); }

  void write(const std::string& path, const std::string& text) {
    fs::create_directories(fs::path(root_ + "/" + path).parent_path());
    std::ofstream(root_ + "/" + path) << text << "\n";
  }
  void pressure(const std::string& some, const std::string& full) {
    write("proc/pressure/memory", "some avg10=" + some + " avg60=0.00 avg300=0.00 total=1\nfull avg10=" + full + " avg60=0.00 avg300=0.00 total=1");
  }
  void battery(const std::string& status, const std::string& capacity) {
    write("sys/class/power_supply/BAT0/type", "Battery");
    write("sys/class/power_supply/BAT0/status", status);
    write("sys/class/power_supply/BAT0/capacity", capacity);
  }
  void zone(int temperature) {
    write("sys/class/thermal/thermal_zone0/temp", std::to_string(temperature));
    write("sys/class/thermal/thermal_zone0/trip_point_0_type", "passive");
    write("sys/class/thermal/thermal_zone0/trip_point_0_temp", "95000");
  }
  const work::Signals& after(Kernel& kernel, Duration time) { return kernel.read(now_ = now_ + time); }

  std::string root_;
  Instant now_ = Instant::from_unix_seconds(1'800'000'000);
};

// req: D8
TEST_F(KernelTest, AMachineThatSaysNothingIsCalmAndItIsSaidThatItSaysNothing) {
  Kernel kernel(root_);
  EXPECT_EQ(after(kernel, seconds(1)), work::Signals());
  for (const KernelSource& source : kernel.sources()) {
    EXPECT_FALSE(source.there) << source.what;
    EXPECT_FALSE(source.detail.empty());
  }
}

// req: D8
TEST_F(KernelTest, MemoryPressureInLevels) {
  Kernel kernel(root_);
  pressure("0.50", "0.00");
  EXPECT_EQ(after(kernel, seconds(1)).memory, Level::kCalm);
  pressure("4.00", "0.50");
  EXPECT_EQ(after(kernel, seconds(1)).memory, Level::kRaised);
  pressure("12.00", "0.50");
  EXPECT_EQ(after(kernel, seconds(1)).memory, Level::kHigh);
  pressure("50.00", "30.00");
  EXPECT_EQ(after(kernel, seconds(1)).memory, Level::kCritical);
  pressure("0.00", "0.00");
  EXPECT_EQ(after(kernel, seconds(1)).memory, Level::kCritical) << "down only after it was lower for a while";
  EXPECT_EQ(after(kernel, kKernelHold).memory, Level::kCalm);
  write("proc/meminfo", "MemTotal:       1000000 kB\nMemFree:          10000 kB\nMemAvailable:    40000 kB");
  EXPECT_EQ(after(kernel, seconds(1)).memory, Level::kHigh);
}

// req: D8
TEST_F(KernelTest, ReadingMoreOftenSaysNoMore) {
  Kernel kernel(root_);
  pressure("0.00", "0.00");
  EXPECT_EQ(after(kernel, seconds(1)).memory, Level::kCalm);
  pressure("50.00", "30.00");
  EXPECT_EQ(after(kernel, milliseconds(900)).memory, Level::kCalm);
  EXPECT_EQ(after(kernel, milliseconds(100)).memory, Level::kCritical);
}

// req: D8
TEST_F(KernelTest, HeatIsMeasuredAgainstWhereTheKernelSlowsDown) {
  Kernel kernel(root_);
  zone(60'000);
  EXPECT_EQ(after(kernel, seconds(1)).heat, Level::kCalm);
  zone(76'000);
  EXPECT_EQ(after(kernel, seconds(1)).heat, Level::kRaised);
  zone(77'000);
  EXPECT_EQ(after(kernel, seconds(10)).heat, Level::kHigh) << "and rising: 17 degrees since it was looked at before";
  zone(86'000);
  EXPECT_EQ(after(kernel, seconds(1)).heat, Level::kHigh);
  zone(94'000);
  EXPECT_EQ(after(kernel, seconds(1)).heat, Level::kCritical);
}

// req: D8
TEST_F(KernelTest, PowerIsInTensAndKnowsChargingFromDischarging) {
  Kernel kernel(root_);
  battery("Discharging", "47");
  work::Signals seen = after(kernel, seconds(1));
  EXPECT_FALSE(seen.charging);
  EXPECT_EQ(seen.battery_percent, 40);
  EXPECT_EQ(seen.drain, Level::kRaised);
  battery("Discharging", "9");
  seen = after(kernel, seconds(1));
  EXPECT_EQ(seen.drain, Level::kCritical);
  battery("Charging", "9");
  write("sys/class/power_supply/AC/type", "Mains");
  write("sys/class/power_supply/AC/online", "1");
  EXPECT_TRUE(after(kernel, seconds(1)).charging);
  write("sys/class/power_supply/mouse/type", "Battery");
  write("sys/class/power_supply/mouse/scope", "Device");
  write("sys/class/power_supply/mouse/capacity", "3");
  write("sys/class/power_supply/mouse/status", "Discharging");
  EXPECT_TRUE(after(kernel, seconds(1)).charging) << "the battery of a mouse is not the machine's";
}

// req: D8
TEST_F(KernelTest, InputSaysThatSomebodyIsThereAndFadesAway) {
  fs::create_directories(root_ + "/dev/input");
  const std::string device = root_ + "/dev/input/event0";
  ASSERT_EQ(mkfifo(device.c_str(), 0600), 0);
  Kernel kernel(root_);
  const int keyboard = open(device.c_str(), O_WRONLY | O_NONBLOCK);
  ASSERT_GE(keyboard, 0);
  EXPECT_EQ(after(kernel, seconds(1)).interaction, Level::kCalm);
  ASSERT_EQ(::write(keyboard, "a key", 5), 5);
  EXPECT_EQ(after(kernel, seconds(1)).interaction, Level::kCritical);
  after(kernel, seconds(5));
  EXPECT_EQ(after(kernel, seconds(3)).interaction, Level::kHigh);
  EXPECT_EQ(after(kernel, seconds(30)).interaction, Level::kRaised);
  EXPECT_EQ(after(kernel, seconds(60)).interaction, Level::kCalm);
  close(keyboard);
}

// req: D8
TEST_F(KernelTest, ATerminalThatWasTypedInRaisesIt) {
  write("dev/pts/0", "");
  const timespec times[2] = {{time_t(now_.unix_seconds()), 0}, {0, UTIME_OMIT}};
  ASSERT_EQ(utimensat(AT_FDCWD, (root_ + "/dev/pts/0").c_str(), times, 0), 0);
  Kernel kernel(root_);
  EXPECT_EQ(after(kernel, seconds(8)).interaction, Level::kRaised);
  EXPECT_EQ(after(kernel, seconds(120)).interaction, Level::kCalm);
}

// req: D8
TEST_F(KernelTest, WaitingForTheProcessorIsAFrameThatMayBeMissed) {
  Kernel kernel(root_);
  write("proc/self/schedstat", "5000000000 90000000000 1000");
  EXPECT_EQ(after(kernel, seconds(1)).frames, Level::kCalm) << "what was before is not now";
  write("proc/self/schedstat", "5000000000 90010000000 1100");
  EXPECT_EQ(after(kernel, seconds(1)).frames, Level::kCalm) << "a tenth of a millisecond each time";
  write("proc/self/schedstat", "5000000000 90260000000 1200");
  EXPECT_EQ(after(kernel, seconds(1)).frames, Level::kRaised);
  write("proc/self/schedstat", "5000000000 99260000000 1300");
  EXPECT_EQ(after(kernel, seconds(1)).frames, Level::kHigh);
  EXPECT_EQ(after(kernel, seconds(1)).frames, Level::kCalm);
}

TEST(KernelOfThisMachine, CanBeRead) {
  Kernel kernel;
  (void)kernel.read(Instant::from_unix_seconds(1'800'000'000));
  EXPECT_EQ(kernel.sources().size(), 5u);
}

}  // namespace
}  // namespace selvedge::host
