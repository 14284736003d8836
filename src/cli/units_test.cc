#include "cli/units.h"

#include <gtest/gtest.h>

namespace selvedge::cli {

TEST(Units, ReadsSizes) {
  EXPECT_EQ(*parse_bytes("0"), 0u);
  EXPECT_EQ(*parse_bytes("4096"), 4096u);
  EXPECT_EQ(*parse_bytes("256M"), 256u << 20);
  EXPECT_EQ(*parse_bytes("1.5G"), 3u << 29);
  EXPECT_EQ(*parse_bytes("2 GiB"), 2ull << 30);
  EXPECT_EQ(*parse_bytes("3kb"), 3072u);
  for (const char* wrong : {"", "M", "-1", "1X", "1MM", "1e3", "inf", "nan", "99999999P", "1  M"}) {
    EXPECT_FALSE(parse_bytes(wrong).ok()) << wrong;
  }
}

TEST(Units, ReadsShares) {
  EXPECT_EQ(*parse_cpu_permille("50%"), 500u);
  EXPECT_EQ(*parse_cpu_permille("12.5%"), 125u);
  EXPECT_EQ(*parse_cpu_permille("100"), 1000u);
  EXPECT_EQ(*parse_cpu_permille("0"), 0u);
  for (const char* wrong : {"101%", "half", "50%%", "-5"}) EXPECT_FALSE(parse_cpu_permille(wrong).ok()) << wrong;
}

TEST(Units, ReadsShortTimesAndRates) {
  EXPECT_EQ(*parse_us("500us"), 500u);
  EXPECT_EQ(*parse_us("1.5ms"), 1500u);
  EXPECT_EQ(*parse_us("1s"), 1'000'000u);
  for (const char* wrong : {"", "5", "0us", "1h", "10000s"}) EXPECT_FALSE(parse_us(wrong).ok()) << wrong;
  EXPECT_EQ(*parse_kbps("500k"), 500u);
  EXPECT_EQ(*parse_kbps("20M"), 20'000u);
  EXPECT_EQ(*parse_kbps("1g"), 1'000'000u);
  for (const char* wrong : {"", "500", "0k", "1T", "5MB", "9999G"}) EXPECT_FALSE(parse_kbps(wrong).ok()) << wrong;
}

TEST(Units, ReadsDurations) {
  EXPECT_EQ(*parse_seconds("90s"), 90u);
  EXPECT_EQ(*parse_seconds("15m"), 900u);
  EXPECT_EQ(*parse_seconds("1h"), 3600u);
  EXPECT_EQ(*parse_seconds("7d"), 604800u);
  EXPECT_EQ(*parse_seconds("0.5h"), 1800u);
  for (const char* wrong : {"", "60", "1y", "0s", "999999d", "h"}) EXPECT_FALSE(parse_seconds(wrong).ok()) << wrong;
}

TEST(Units, WritesForPeople) {
  EXPECT_EQ(format_bytes(812), "812 B");
  EXPECT_EQ(format_bytes(3565158), "3.4 MiB");
  EXPECT_EQ(format_bytes(1024 * 1024 - 1), "1.0 MiB");
  EXPECT_EQ(format_us(812), "812 µs");
  EXPECT_EQ(format_us(43'210), "43 ms");
  EXPECT_EQ(format_us(1'270'000), "1.27 s");
  EXPECT_EQ(format_us(185'000'000), "3 min 5 s");
  EXPECT_EQ(format_count(9'999), "9999");
  EXPECT_EQ(format_count(12'345'678), "12.3 M");
  EXPECT_DOUBLE_EQ(megabytes_per_second(5'000'000, 1000), 5.0);
}

}  // namespace selvedge::cli
