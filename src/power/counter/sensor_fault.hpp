// What a source reports of a sensor that it cannot use, or not well.
#pragma once

#include "enprof/power/power_source.hpp"

#include <string>
#include <utility>

namespace enprof {

/// An entry of PowerSource::faults(). `code` is that of the warning.
[[nodiscard]] inline Incident sensor_fault(const char* code, std::string message,
                                           std::string hint) {
  return {
      .code = code,
      .error = {
          .code = ErrorCode::unavailable, .message = std::move(message), .hint = std::move(hint)}};
}

}  // namespace enprof
