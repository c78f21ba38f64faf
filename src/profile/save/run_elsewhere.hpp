// The directory for runs that can be saved neither in the database nor beside it.
#pragma once

#include <filesystem>

namespace enprof {

/// $TMPDIR if that is set and not empty, else /tmp.
[[nodiscard]] std::filesystem::path temporary_directory();

/// Whether a run of the usual size can be written to this directory.
[[nodiscard]] bool has_room_for_a_run(const std::filesystem::path& directory);

}  // namespace enprof
