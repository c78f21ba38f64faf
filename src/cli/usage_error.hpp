// What is wrong with a command line, in the voice of the program.
#pragma once

#include "enprof/base/error.hpp"

#include <CLI/CLI.hpp>

#include <optional>
#include <string>

namespace enprof {

/// The command that was chosen, or the program itself.
[[nodiscard]] const CLI::App& chosen_app(const CLI::App& program);
/// Its name with those before it: "enprof db check".
[[nodiscard]] std::string chosen_name(const CLI::App& program);

/// What CLI11 found wrong: with the word probably meant, and where to read more.
[[nodiscard]] Error usage_error(const CLI::App& program, const CLI::ParseError& error);

/// A word where a command is expected that is none; empty where there is none.
[[nodiscard]] std::optional<Error> unknown_command(const CLI::App& program);

}  // namespace enprof
