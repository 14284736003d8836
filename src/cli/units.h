// How people write and read amounts: "256M", "50%", "1h".
//
// Sizes are binary (1K is 1024 bytes), as memory and disks are bought and as quotas are counted. Used by the command
// line going in and by every table going out.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace selvedge::cli {

/// "0", "4096", "256M", "1.5G", "2 GiB" to bytes. Errors: kInvalid.
Result<uint64_t> parse_bytes(std::string_view text);
/// "50%", "12.5%" or "100" (percent of one processor) to thousandths, 0 to 1000. Errors: kInvalid.
Result<uint32_t> parse_cpu_permille(std::string_view text);
/// "90s", "15m", "1h", "7d", "2w" to seconds, at least 1. Errors: kInvalid.
Result<uint64_t> parse_seconds(std::string_view text);

/// "500us", "10ms", "1s" to microseconds, at least 1. Errors: kInvalid.
Result<uint32_t> parse_us(std::string_view text);
/// "500k", "20M", "1G" bits a second to thousands of bits a second, as networks are sold: decimal. Errors: kInvalid.
Result<uint32_t> parse_kbps(std::string_view text);

/// "812 B", "3.4 MiB".
std::string format_bytes(uint64_t bytes);
/// "812 µs", "43 ms", "1.27 s", "3 min 5 s", "2 h 10 min", "12 d 3 h".
std::string format_us(uint64_t microseconds);
std::string format_seconds(uint64_t seconds);
/// Megabytes (10^6 bytes) a second, as networks and disks are measured.
double megabytes_per_second(uint64_t bytes, uint64_t milliseconds);
/// "12.3 M": a large count in three digits.
std::string format_count(uint64_t count);

}  // namespace selvedge::cli
