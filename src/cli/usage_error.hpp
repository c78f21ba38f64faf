// Explains errors in the command line.
#pragma once

#include "enprof/base/error.hpp"

#include <CLI/CLI.hpp>

#include <optional>
#include <string>

namespace enprof {

/// The command that was chosen, or the program itself.
[[nodiscard]] const CLI::App& chosen_app(const CLI::App& program);
/// Its name with those of its parents: "enprof db check".
[[nodiscard]] std::string chosen_name(const CLI::App& program);

/// The error that CLI11 found, with the word that was probably meant and where to read more.
[[nodiscard]] Error usage_error(const CLI::App& program, const CLI::ParseError& error);

/// The error for an unknown word in place of a command; empty if there is none.
[[nodiscard]] std::optional<Error> unknown_command(const CLI::App& program);

}  // namespace enprof
