// From a host's name to its addresses, without waiting longer than somebody wants to.
#pragma once

#include "enprof/base/error.hpp"

#include <chrono>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

namespace enprof {

/// The addresses of a host, as text. May block for as long as name servers take. Errors:
/// unavailable, with the resolver's words.
using HostLookup = std::function<Result<std::vector<std::string>>(const std::string& host)>;

/// Asks the system.
[[nodiscard]] Result<std::vector<std::string>> look_up(const std::string& host);

/// Runs `lookup` on a thread of its own and waits until it answers, `patience` is over or a stop
/// is set, which is noticed within 50 ms. The thread is then left behind (AbandonableThread):
/// nothing stops getaddrinfo(3), for which Asio's own asynchronous resolver waits even when it is
/// cancelled. A lookup must therefore own or share what it touches. Errors: unavailable; cancelled.
[[nodiscard]] Result<std::vector<std::string>> look_up_within(const HostLookup& lookup,
                                                              const std::string& host,
                                                              std::chrono::milliseconds patience,
                                                              const std::stop_token& stop);

}  // namespace enprof
