#include "host/daemon/log.h"

#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/spdlog.h>

namespace selvedge::host {

namespace {
constexpr size_t kLogBytesMax = 4u << 20;
constexpr size_t kLogFilesMax = 2;
}  // namespace

struct Log::Impl {
  std::unique_ptr<spdlog::logger> logger;
};

// spdlog throws when it cannot open a file; a node without a log still runs.
Log::Log(const std::string& path) : impl_(std::make_unique<Impl>()) {
  try {
    auto sink = std::make_shared<spdlog::sinks::rotating_file_sink_mt>(path, kLogBytesMax, kLogFilesMax);
    impl_->logger = std::make_unique<spdlog::logger>("node", sink);
    impl_->logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e %v");
    impl_->logger->flush_on(spdlog::level::info);
  } catch (const std::exception&) {
  }
}

Log::~Log() = default;

void Log::write(const std::string& text) {
  if (impl_->logger) impl_->logger->info("{}", text);
}

}  // namespace selvedge::host
