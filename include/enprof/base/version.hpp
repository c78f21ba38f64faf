// The version of enprof. The build reads it from here.
#pragma once

#include "enprof/base/export.hpp"

#define ENPROF_VERSION_MAJOR 0
#define ENPROF_VERSION_MINOR 2
#define ENPROF_VERSION_PATCH 0

namespace enprof {

/// Version of the library that the program runs with, "0.2.0". Before 1.0, each minor version has
/// its own API and its own file name, so a program finds the library that it was built for.
[[nodiscard]] ENPROF_API const char* library_version() noexcept;

}  // namespace enprof
