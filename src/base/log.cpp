#include "base/log.hpp"

#include "base/printable.hpp"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <memory>

namespace enprof {
namespace {

constexpr const char* kPattern = "%Y-%m-%d %H:%M:%S.%e %-7l %v";

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warning:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
    case LogLevel::off:
      return spdlog::level::off;
  }
  return spdlog::level::off;
}

std::shared_ptr<spdlog::logger> make_logger(spdlog::sink_ptr sink) {
  auto logger = std::make_shared<spdlog::logger>("enprof", std::move(sink));
  logger->set_pattern(kPattern);
  logger->set_level(spdlog::level::warn);
  logger->flush_on(spdlog::level::info);
  return logger;
}

/// The one logger of the process. shared_ptr because spdlog's sinks are shared by design. It is
/// never destroyed: a thread that a hanging driver holds may log when the program ends.
std::shared_ptr<spdlog::logger>& logger() {
  static auto* const instance = new std::shared_ptr<spdlog::logger>(
      make_logger(std::make_shared<spdlog::sinks::stderr_sink_mt>()));
  return *instance;
}

}  // namespace

void set_log_level(LogLevel level) { logger()->set_level(to_spdlog(level)); }

Result<void> set_log_file(const std::filesystem::path& path) {
  try {
    auto replacement =
        make_logger(std::make_shared<spdlog::sinks::basic_file_sink_mt>(path.string()));
    replacement->set_level(logger()->level());
    logger() = std::move(replacement);
    return {};
  } catch (const spdlog::spdlog_ex& error) {
    return fail(ErrorCode::io,
                fmt::format("Cannot write the log to {}: {}", path.string(), error.what()),
                "Pass --log-file a path in a directory that you may write to.");
  }
}

bool log_enabled(LogLevel level) noexcept { return logger()->should_log(to_spdlog(level)); }

void log_line(LogLevel level, std::string_view component, std::string_view message) noexcept {
  try {
    logger()->log(to_spdlog(level), "{:<9} {}", component, printable(message));
  } catch (...) {
    return;  // the log is the last resort: there is nowhere left to report to
  }
}

}  // namespace enprof
