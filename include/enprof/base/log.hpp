// The log. Each line has a time, a level, a component and a message; lines go to stderr unless a
// program redirects them.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/base/export.hpp"

#include <filesystem>
#include <string_view>

namespace enprof {

enum class LogLevel : std::uint8_t { debug, info, warning, error, off };

/// Sets the lowest level that is logged. The default is `warning`. Threads: any.
ENPROF_API void set_log_level(LogLevel level);

/// Sends the log to a file (appended to) instead of stderr. Threads: call before others log.
[[nodiscard]] ENPROF_API Result<void> set_log_file(const std::filesystem::path& path);

/// Writes one line. Threads: any. Never throws; a line that cannot be written is lost.
ENPROF_API void log_line(LogLevel level, std::string_view component,
                         std::string_view message) noexcept;

/// Whether a line of this level would be written. Ask before you build an expensive message.
[[nodiscard]] ENPROF_API bool log_enabled(LogLevel level) noexcept;

}  // namespace enprof
