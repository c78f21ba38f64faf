#include "base/log.hpp"

#include "base/printable.hpp"
#include "base/say.hpp"

#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <string>

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

/// spdlog's own sink throws if stderr cannot be written.
class StderrSink final : public spdlog::sinks::base_sink<std::mutex> {
 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    say({line.data(), line.size()});
  }
  void flush_() override {}
};

/// Reports once that the log file cannot be written any more (a full disk). spdlog itself would
/// print a line every second.
void on_log_failure(const std::string& what) {
  static std::atomic<bool> reported{false};
  if (!reported.exchange(true)) {
    say("enprof: the log cannot be written, lines are missing: " + printable(what) + "\n");
  }
}

std::shared_ptr<spdlog::logger> make_logger(spdlog::sink_ptr sink) {
  auto logger = std::make_shared<spdlog::logger>("enprof", std::move(sink));
  logger->set_pattern(kPattern);
  logger->set_level(spdlog::level::warn);
  logger->flush_on(spdlog::level::info);
  logger->set_error_handler(on_log_failure);
  return logger;
}

/// The one logger of the process. A shared_ptr because spdlog shares sinks by design. It is never
/// destroyed: a thread that hangs in a driver may log while the program ends.
std::shared_ptr<spdlog::logger>& logger() {
  static auto* const instance =
      new std::shared_ptr<spdlog::logger>(make_logger(std::make_shared<StderrSink>()));
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

bool log_enabled(LogLevel level) noexcept {
  try {
    return logger()->should_log(to_spdlog(level));
  } catch (...) {  // the first call makes the logger: out of memory
    return false;
  }
}

void log_line(LogLevel level, std::string_view component, std::string_view message) noexcept {
  try {
    logger()->log(to_spdlog(level), "{:<9} {}", component, printable(message));
  } catch (...) {
    return;  // a failure of the log itself cannot be reported anywhere
  }
}

}  // namespace enprof
