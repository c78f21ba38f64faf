// Starts another program in our place: with our standard streams, terminal, descriptors and
// environment.
#pragma once

#include "enprof/base/error.hpp"

#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace enprof {

/// The file that a command's first word means, as shells find it. Errors: not_found, with a similar
/// name if PATH has one; permission_denied if it may not be executed.
[[nodiscard]] Result<std::string> find_command(std::string_view name);

/// Starts the file `path` with the words of `command`. It stays in our process group, so that it
/// gets what its terminal sends: Ctrl-C, Ctrl-Z. Signals that we handle have their default action
/// there; those that were ignored when we were started are ignored. A file that is neither a
/// program nor begins with #! is given to /bin/sh. Errors: not_found (the program that #! names);
/// permission_denied; unavailable (no processes or memory left); too_large (arguments too long).
/// `variables`, of the form NAME=VALUE, take the place of ours of the same name, for this program
/// alone.
[[nodiscard]] Result<pid_t> start_command(const std::string& path,
                                          const std::vector<std::string>& command,
                                          const std::vector<std::string>& variables = {});

}  // namespace enprof
