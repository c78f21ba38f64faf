// Starts a thread, with an error if the system cannot.
#pragma once

#include "enprof/base/error.hpp"

#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

namespace enprof {

/// The error for a thread that was refused: unavailable. `which`: "The thread that reads rapl".
[[nodiscard]] std::unexpected<Error> no_thread(std::string_view which,
                                               const std::system_error& error);

/// A thread that does this work. Errors: see no_thread.
template <class Work>
[[nodiscard]] Result<std::thread> start_thread(std::string_view which, Work&& work) {
  try {
    return std::thread(std::forward<Work>(work));
  } catch (const std::system_error& error) {
    return no_thread(which, error);
  }
}

}  // namespace enprof
