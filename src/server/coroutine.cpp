#include "server/coroutine.hpp"

#include "base/log.hpp"

namespace enprof {
namespace {

constexpr Logger kLog{"server"};

}  // namespace

void log_failure(const std::exception_ptr& failure) {
  try {
    if (failure) {
      std::rethrow_exception(failure);
    }
  } catch (const std::exception& error) {
    kLog.error("A connection failed: {}", error.what());
  }
}

}  // namespace enprof
