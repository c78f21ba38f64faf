// Starting a thread, where the system may have none to give.
#pragma once

#include "enprof/base/error.hpp"

#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

namespace enprof {

/// What to answer where a thread was refused: unavailable. `which`: "The thread that reads rapl".
[[nodiscard]] std::unexpected<Error> no_thread(std::string_view which,
                                               const std::system_error& error);

/// A thread that does this work. Errors: no_thread.
template <class Work>
[[nodiscard]] Result<std::thread> start_thread(std::string_view which, Work&& work) {
  try {
    return std::thread(std::forward<Work>(work));
  } catch (const std::system_error& error) {
    return no_thread(which, error);
  }
}

}  // namespace enprof
