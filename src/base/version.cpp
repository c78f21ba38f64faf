#include "enprof/base/version.hpp"

namespace enprof {

const char* library_version() noexcept { return ENPROF_VERSION; }

}  // namespace enprof
