// Compresses with gzip.
#pragma once

#include "enprof/base/error.hpp"

#include <string>
#include <string_view>

namespace enprof {

/// The text as a gzip file; the same text gives the same file. Errors: internal.
[[nodiscard]] Result<std::string> gzip(std::string_view text);

}  // namespace enprof
