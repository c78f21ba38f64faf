// Formatted logging for enprof's own code; the public interface is <enprof/base/log.hpp>.
#pragma once

#include "enprof/base/log.hpp"

#include <fmt/format.h>

#include <string_view>
#include <utility>

namespace enprof {

/// Logs for one component: `kLog.info("Connected to profiling database at {}", path)`. Threads:
/// any. Never throws: a message that cannot be formatted is replaced by one that says so.
class Logger {
 public:
  constexpr explicit Logger(std::string_view component) : component_(component) {}

  template <class... Args>
  void debug(fmt::format_string<Args...> text, Args&&... args) const noexcept {
    write(LogLevel::debug, text, std::forward<Args>(args)...);
  }
  template <class... Args>
  void info(fmt::format_string<Args...> text, Args&&... args) const noexcept {
    write(LogLevel::info, text, std::forward<Args>(args)...);
  }
  template <class... Args>
  void warning(fmt::format_string<Args...> text, Args&&... args) const noexcept {
    write(LogLevel::warning, text, std::forward<Args>(args)...);
  }
  template <class... Args>
  void error(fmt::format_string<Args...> text, Args&&... args) const noexcept {
    write(LogLevel::error, text, std::forward<Args>(args)...);
  }

 private:
  template <class... Args>
  void write(LogLevel level, fmt::format_string<Args...> text, Args&&... args) const noexcept {
    if (!log_enabled(level)) {
      return;
    }
    try {
      log_line(level, component_, fmt::format(text, std::forward<Args>(args)...));
    } catch (...) {
      log_line(LogLevel::error, component_, "a log message could not be formatted");
    }
  }

  std::string_view component_;
};

}  // namespace enprof
