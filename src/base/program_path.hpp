// Where the running program is, and what was installed with it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace enprof {

/// The program's own file; empty where the system does not say.
[[nodiscard]] std::filesystem::path program_path();

/// The file that holds enprof's code: the program itself, or the library that another program has
/// loaded; empty where the system does not say.
[[nodiscard]] std::filesystem::path library_path();

/// The script that gives the rights to read power sensors, where it was installed with `program` or
/// with `library`. Empty where it is in neither's package: a hint then names what it would do.
[[nodiscard]] std::optional<std::string> setup_power_access(
    const std::filesystem::path& program = program_path(),
    const std::filesystem::path& library = library_path());

}  // namespace enprof
