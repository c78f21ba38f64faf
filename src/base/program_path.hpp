// Where the running program is, and what was installed with it.
#pragma once

#include <filesystem>
#include <string>

namespace enprof {

/// The program's own file; empty where the system does not say.
[[nodiscard]] std::filesystem::path program_path();

/// How to call the script that gives the rights to read power sensors, as a hint may say it: its
/// path, where it was installed with `program`, else where enprof's source has it.
[[nodiscard]] std::string setup_power_access(const std::filesystem::path& program = program_path());

}  // namespace enprof
