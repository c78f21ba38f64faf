// Looks up the addresses of a host, with a time limit.
#pragma once

#include "enprof/base/error.hpp"

#include <chrono>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

namespace enprof {

/// The addresses of a host, as text. May block as long as the name servers take. Errors:
/// unavailable, with the resolver's message.
using HostLookup = std::function<Result<std::vector<std::string>>(const std::string& host)>;

/// Uses the system's resolver.
[[nodiscard]] Result<std::vector<std::string>> look_up(const std::string& host);

/// Runs `lookup` on its own thread and waits until it answers, `patience` is over or a stop is
/// requested, which is noticed within 50 ms. In the latter cases the thread is abandoned
/// (AbandonableThread), because nothing stops getaddrinfo(3); Asio's own asynchronous resolver
/// waits for it even when cancelled. A lookup must therefore own or share what it uses. Errors:
/// unavailable; cancelled.
[[nodiscard]] Result<std::vector<std::string>> look_up_within(const HostLookup& lookup,
                                                              const std::string& host,
                                                              std::chrono::milliseconds patience,
                                                              const std::stop_token& stop);

}  // namespace enprof
