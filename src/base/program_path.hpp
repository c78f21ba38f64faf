// Where the running program is, and what was installed with it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace enprof {

/// The program's own file; empty if the system does not say.
[[nodiscard]] std::filesystem::path program_path();

/// The file that contains enprof's code: the program itself, or the library that another program
/// has loaded; empty if the system does not say.
[[nodiscard]] std::filesystem::path library_path();

/// The library that is loaded into other programs to look at llama.cpp in them, if it was installed
/// with `program`: PREFIX/lib/enprof/libenprof-probe.so, also in a multiarch directory.
[[nodiscard]] std::optional<std::filesystem::path> probe_library(
    const std::filesystem::path& program = program_path());

/// The script that gives the rights to read power sensors, if it was installed with `program` or
/// with `library`. Empty if it was not: a hint then says what the script would do.
[[nodiscard]] std::optional<std::string> setup_power_access(
    const std::filesystem::path& program = program_path(),
    const std::filesystem::path& library = library_path());

}  // namespace enprof
