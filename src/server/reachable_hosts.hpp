// Addresses at which a listening server can be reached.
#pragma once

#include <boost/asio/ip/address.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace enprof {

/// The hosts to show to a person for a server that listens on `host`: that host itself; for
/// "0.0.0.0" and "::", which are no addresses to connect to, first this machine's loopback address,
/// and then those of `interfaces` that others can use (no link-local ones, which need a zone), IPv4
/// first.
[[nodiscard]] std::vector<std::string> reachable_hosts(
    std::string_view host, const std::vector<boost::asio::ip::address>& interfaces);

/// Whether the host is "0.0.0.0", "::", or another notation of these.
[[nodiscard]] bool is_every_address(std::string_view host);

/// The addresses of this machine's active network interfaces; empty if the system does not report
/// them.
[[nodiscard]] std::vector<boost::asio::ip::address> interface_addresses();

}  // namespace enprof
