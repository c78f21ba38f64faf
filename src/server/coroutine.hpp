// How the server's coroutines fail.
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

/// For those that nobody awaits: what has ended them goes to the log.
void log_failure(const std::exception_ptr& failure);

}  // namespace enprof
