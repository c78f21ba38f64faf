// Writes results to files, completely or not at all.
#pragma once

#include "enprof/base/error.hpp"

#include "base/text_stream.hpp"

#include <filesystem>
#include <string_view>

namespace enprof {

/// Writes a text to PATH through a temporary file beside it, or to stdout if PATH is "-".
[[nodiscard]] Result<void> write_output(const std::filesystem::path& path, std::string_view text);
/// Writes a text while it is made, piece by piece. Errors: also those of the text.
[[nodiscard]] Result<void> write_output(const std::filesystem::path& path, TextStream& text);

/// Whether write_output() to this path can succeed. Checked before a long run.
[[nodiscard]] Result<void> check_output(const std::filesystem::path& path);

/// Whether the path is free, or is not a regular file. For commands whose purpose is to write the
/// file: they replace a file only with --force.
[[nodiscard]] Result<void> check_not_there(const std::filesystem::path& path);

/// check_output() for files that a run writes besides its report (--json, --record-power). The same
/// command is often repeated, so it may overwrite a file that enprof wrote: one that begins with a
/// JSON object with this mark, one of its keys in quotes.
[[nodiscard]] Result<void> check_by_product(const std::filesystem::path& path,
                                            std::string_view mark);

}  // namespace enprof
