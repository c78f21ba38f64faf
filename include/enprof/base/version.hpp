// Which enprof this is. The build reads the version from here.
#pragma once

#include "enprof/base/export.hpp"

#define ENPROF_VERSION_MAJOR 0
#define ENPROF_VERSION_MINOR 2
#define ENPROF_VERSION_PATCH 0

namespace enprof {

/// Version of the library that the program runs with, "0.2.0". Until 1.0 another minor number is
/// another API and another file name: a program finds the library that it was built for.
[[nodiscard]] ENPROF_API const char* library_version() noexcept;

}  // namespace enprof
