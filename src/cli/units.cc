#include "cli/units.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

namespace selvedge::cli {

namespace {

struct Amount {
  double value = 0;
  std::string_view unit;
};

// A decimal number, then a unit of letters or a percent sign, with at most one space between.
Result<Amount> split_amount(std::string_view text, const char* example) {
  const auto wrong = [&] { return fail(Errc::kInvalid, "\"" + std::string(text) + "\" is not an amount; write it like " + example); };
  Amount out;
  const char* const end = text.data() + text.size();
  const auto [rest, code] = std::from_chars(text.data(), end, out.value, std::chars_format::fixed);
  if (code != std::errc() || !std::isfinite(out.value) || out.value < 0 || text.front() == '-') return wrong();
  out.unit = std::string_view(rest, size_t(end - rest));
  if (!out.unit.empty() && out.unit.front() == ' ') out.unit.remove_prefix(1);
  return out;
}

}  // namespace

Result<uint64_t> parse_bytes(std::string_view text) {
  constexpr const char* kExample = "4096, 256M or 1.5G";
  const Amount amount = TRY(split_amount(text, kExample));
  constexpr std::string_view kSteps = "KMGTP";
  double factor = 1;
  std::string_view unit = amount.unit;
  if (!unit.empty() && unit != "B" && unit != "b") {
    const size_t step = kSteps.find(char(unit.front() & ~0x20));
    unit.remove_prefix(1);
    if (step == std::string_view::npos || !(unit.empty() || unit == "B" || unit == "iB" || unit == "b")) {
      return fail(Errc::kInvalid, "\"" + std::string(text) + "\" is not a size; write it like " + kExample);
    }
    factor = std::exp2(10.0 * double(step + 1));
  }
  constexpr double kBytesMax = 9.0e18;
  const double bytes = amount.value * factor;
  if (bytes > kBytesMax) return fail(Errc::kInvalid, "\"" + std::string(text) + "\" is more than any disk holds");
  return uint64_t(std::llround(bytes));
}

Result<uint32_t> parse_cpu_permille(std::string_view text) {
  const Amount amount = TRY(split_amount(text, "50%"));
  if (!amount.unit.empty() && amount.unit != "%") return fail(Errc::kInvalid, "\"" + std::string(text) + "\" is not a share; write it like 50%");
  if (amount.value > 100) return fail(Errc::kInvalid, "a share is of one processor, so at most 100%");
  return uint32_t(std::lround(amount.value * 10));
}

Result<uint64_t> parse_seconds(std::string_view text) {
  constexpr const char* kExample = "90s, 15m, 1h, 7d or 2w";
  const Amount amount = TRY(split_amount(text, kExample));
  double factor = 0;
  if (amount.unit == "s") factor = 1;
  else if (amount.unit == "m" || amount.unit == "min") factor = 60;
  else if (amount.unit == "h") factor = 3600;
  else if (amount.unit == "d") factor = 86400;
  else if (amount.unit == "w") factor = 7 * 86400;
  else return fail(Errc::kInvalid, "\"" + std::string(text) + "\" is not a duration; write it like " + kExample);
  const double seconds = std::round(amount.value * factor);
  constexpr double kSecondsMax = 100.0 * 366 * 86400;
  if (seconds < 1 || seconds > kSecondsMax) return fail(Errc::kInvalid, "\"" + std::string(text) + "\" is shorter than a second or longer than a life");
  return uint64_t(seconds);
}

Result<uint32_t> parse_us(std::string_view text) {
  constexpr const char* kExample = "500us, 10ms or 1s";
  const Amount amount = TRY(split_amount(text, kExample));
  const double factor = amount.unit == "us" ? 1 : amount.unit == "ms" ? 1e3 : amount.unit == "s" ? 1e6 : 0;
  const double us = std::round(amount.value * factor);
  if (us < 1 || us > 1e9) return fail(Errc::kInvalid, "\"" + std::string(text) + "\" is not a short time; write it like " + kExample);
  return uint32_t(us);
}

Result<uint32_t> parse_kbps(std::string_view text) {
  constexpr const char* kExample = "500k, 20M or 1G";
  const Amount amount = TRY(split_amount(text, kExample));
  const char unit = amount.unit.size() == 1 ? char(amount.unit.front() | 0x20) : '\0';
  const double factor = unit == 'k' ? 1 : unit == 'm' ? 1e3 : unit == 'g' ? 1e6 : 0;
  const double kbps = std::round(amount.value * factor);
  if (kbps < 1 || kbps > 4e9) return fail(Errc::kInvalid, "\"" + std::string(text) + "\" is not a rate in bits a second; write it like " + kExample);
  return uint32_t(kbps);
}

std::string format_bytes(uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} B", bytes);
  const char* const kUnits[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double value = double(bytes) / 1024;
  size_t unit = 0;
  while (value >= 1023.5 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  return value < 10 ? fmt::format("{:.1f} {}", value, kUnits[unit]) : fmt::format("{:.0f} {}", value, kUnits[unit]);
}

std::string format_us(uint64_t us) {
  if (us < 1000) return fmt::format("{} µs", us);
  if (us < 10'000) return fmt::format("{:.1f} ms", double(us) / 1e3);
  if (us < 1'000'000) return fmt::format("{} ms", us / 1000);
  if (us < 60'000'000) return fmt::format("{:.2f} s", double(us) / 1e6);
  return format_seconds(us / 1'000'000);
}

std::string format_seconds(uint64_t s) {
  if (s < 60) return fmt::format("{} s", s);
  if (s < 3600) return fmt::format("{} min {} s", s / 60, s % 60);
  if (s < 86400) return fmt::format("{} h {} min", s / 3600, s % 3600 / 60);
  return fmt::format("{} d {} h", s / 86400, s % 86400 / 3600);
}

double megabytes_per_second(uint64_t bytes, uint64_t milliseconds) {
  return double(bytes) / 1e3 / double(milliseconds == 0 ? 1 : milliseconds);
}

std::string format_count(uint64_t count) {
  if (count < 10'000) return fmt::format("{}", count);
  const char* const kUnits[] = {"k", "M", "G", "T", "P", "E"};
  double value = double(count) / 1000;
  size_t unit = 0;
  while (value >= 999.5 && unit + 1 < std::size(kUnits)) {
    value /= 1000;
    ++unit;
  }
  return value < 100 ? fmt::format("{:.1f} {}", value, kUnits[unit]) : fmt::format("{:.0f} {}", value, kUnits[unit]);
}

}  // namespace selvedge::cli
