#include "server/host_lookup.hpp"

#include "base/abandonable_thread.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <memory>
#include <string_view>
#include <utility>

namespace enprof {

using Addresses = Result<std::vector<std::string>>;

namespace {

std::unexpected<Error> cannot_ask(const std::string& host, std::string_view why) {
  return fail(ErrorCode::unavailable,
              fmt::format("cannot look up the address of {}: {}", host, why));
}

}  // namespace

Addresses look_up(const std::string& host) {
  boost::asio::io_context context;
  boost::asio::ip::tcp::resolver resolver(context);
  boost::system::error_code error;
  const auto found = resolver.resolve(host, "", error);
  if (error) {
    return fail(ErrorCode::unavailable,
                fmt::format("the host {} is not known: {}", host, error.message()));
  }
  std::vector<std::string> addresses;
  for (const auto& entry : found) {
    addresses.push_back(entry.endpoint().address().to_string());
  }
  return addresses;
}

Addresses look_up_within(const HostLookup& lookup, const std::string& host,
                         std::chrono::milliseconds patience, const std::stop_token& stop) {
  using SteadyClock = std::chrono::steady_clock;
  constexpr std::chrono::milliseconds kLookAround{50};  // how often `stop` is checked
  const auto deadline = SteadyClock::now() + patience;
  const auto answer = std::make_shared<Addresses>(cannot_ask(host, "the resolver failed"));
  auto thread =
      AbandonableThread::start("The thread that looks up " + host, [lookup, host, answer] {
        try {
          *answer = lookup(host);
        } catch (const std::exception& error) {
          *answer = cannot_ask(host, error.what());
        }
      });
  if (!thread) {
    return cannot_ask(host, thread.error().message);
  }
  while (true) {
    const auto left = std::max(deadline - SteadyClock::now(), SteadyClock::duration::zero());
    if (thread->wait_for(std::min<SteadyClock::duration>(left, kLookAround))) {
      return std::move(*answer);
    }
    if (stop.stop_requested()) {
      return fail(ErrorCode::cancelled, fmt::format("The lookup of {} was cancelled", host));
    }
    if (left == SteadyClock::duration::zero()) {
      return fail(ErrorCode::unavailable,
                  fmt::format("the address of {} was not found within {:g} s", host,
                              std::chrono::duration<double>(patience).count()));
    }
  }
}

}  // namespace enprof
