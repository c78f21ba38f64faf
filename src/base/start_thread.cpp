#include "base/start_thread.hpp"

#include <fmt/format.h>

namespace enprof {

std::unexpected<Error> no_thread(std::string_view which, const std::system_error& error) {
  return fail(ErrorCode::unavailable, fmt::format("{} cannot be started: {}", which, error.what()),
              "Raise the limit on threads: ulimit -u");
}

}  // namespace enprof
