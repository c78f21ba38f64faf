// Passes of a program from a file, in the place of those that the program itself tells.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/base/error.hpp"

#include "record/capture_recording.hpp"

#include <filesystem>
#include <string_view>

namespace enprof {

/// Reads a file of recorded passes (docs/formats.md). Its times count from the program's begin,
/// which the clock's zero stands for: see moved_to(). Errors: not_found, io, malformed.
[[nodiscard]] Result<CaptureRecording> read_recorded_passes(const std::filesystem::path& path);
/// The same from a text. `name` is what messages call it.
[[nodiscard]] Result<CaptureRecording> parse_recorded_passes(std::string_view text,
                                                             std::string_view name);

/// A recording as if its program had begun at this instant and ended at that: what it did later is
/// left out.
[[nodiscard]] CaptureRecording moved_to(const CaptureRecording& recording, Instant begin,
                                        Instant end);

}  // namespace enprof
