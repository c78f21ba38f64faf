// Error handling of the server's coroutines.
#pragma once

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>

#include <exception>

namespace enprof {

/// Completes `co_await` with an error code in `error` instead of throwing.
inline auto no_throw(boost::system::error_code& error) {
  return boost::asio::redirect_error(boost::asio::use_awaitable, error);
}

/// For coroutines that are not awaited: logs the exception that ended one.
void log_failure(const std::exception_ptr& failure);

}  // namespace enprof
