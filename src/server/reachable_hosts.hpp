// Where a server that listens on every address can be reached.
#pragma once

#include <boost/asio/ip/address.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace enprof {

/// Hosts to name to a person for a server that listens on `host`: that host itself; for "0.0.0.0"
/// and "::", which are no addresses to connect to, this machine's loopback address first, and then
/// those of `interfaces` that others can use (no link-local ones, which need a zone), IPv4 first.
[[nodiscard]] std::vector<std::string> reachable_hosts(
    std::string_view host, const std::vector<boost::asio::ip::address>& interfaces);

/// "0.0.0.0", "::", and other ways to write them.
[[nodiscard]] bool is_every_address(std::string_view host);

/// The addresses of this machine's network interfaces that are up; none where the system does not
/// tell.
[[nodiscard]] std::vector<boost::asio::ip::address> interface_addresses();

}  // namespace enprof
