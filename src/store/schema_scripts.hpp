// The tables as SQL, version by version.
#pragma once

#include <span>
#include <string>

namespace enprof {

/// The scripts in order: the one at index n migrates a file from version n to n + 1. A released
/// script is never changed; a change is another script.
[[nodiscard]] std::span<const std::string> schema_migrations();

}  // namespace enprof
