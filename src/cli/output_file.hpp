// A result written to a file, whole or not at all.
#pragma once

#include "enprof/base/error.hpp"

#include "base/text_stream.hpp"

#include <filesystem>
#include <string_view>

namespace enprof {

/// Writes a text to PATH by way of a temporary file beside it, or to stdout where PATH is "-".
[[nodiscard]] Result<void> write_output(const std::filesystem::path& path, std::string_view text);
/// The same while the text is made, piece by piece. Errors: those of the text as well.
[[nodiscard]] Result<void> write_output(const std::filesystem::path& path, TextStream& text);

/// Whether write_output to this path has a chance: asked before hours of work depend on it.
[[nodiscard]] Result<void> check_output(const std::filesystem::path& path);

/// Whether the path is free, or what is there is no regular file. Asked by commands whose only
/// purpose is the file: what was there before is lost only where --force says so.
[[nodiscard]] Result<void> check_not_there(const std::filesystem::path& path);

/// check_output for what a run leaves beside its report (--json, --record-power). The same command
/// is often given again, so what it wrote before is written over. A file that does not begin with a
/// JSON object with this mark, one of its keys in quotes, is not.
[[nodiscard]] Result<void> check_by_product(const std::filesystem::path& path,
                                            std::string_view mark);

}  // namespace enprof
