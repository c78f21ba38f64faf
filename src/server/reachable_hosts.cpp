#include "server/reachable_hosts.hpp"

#include <boost/asio/ip/address_v4.hpp>
#include <boost/asio/ip/address_v6.hpp>

#include <algorithm>
#include <arpa/inet.h>
#include <cstring>
#include <ifaddrs.h>
#include <memory>
#include <net/if.h>
#include <netinet/in.h>
#include <optional>
#include <sys/socket.h>

namespace enprof {
namespace {

namespace ip = boost::asio::ip;

std::optional<ip::address> address_of(const sockaddr& socket) {
  if (socket.sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &socket, sizeof v4);
    return ip::address_v4(ntohl(v4.sin_addr.s_addr));
  }
  if (socket.sa_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &socket, sizeof v6);
    ip::address_v6::bytes_type bytes{};
    std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
    return ip::address_v6(bytes);
  }
  return std::nullopt;
}

bool is_for_others(const ip::address& address) {
  return !address.is_loopback() && !address.is_unspecified() && !address.is_multicast() &&
         !(address.is_v6() && address.to_v6().is_link_local());
}

}  // namespace

bool is_every_address(std::string_view host) {
  boost::system::error_code error;
  const auto address = ip::make_address(std::string(host), error);
  return !error && address.is_unspecified();
}

std::vector<std::string> reachable_hosts(std::string_view host,
                                         const std::vector<ip::address>& interfaces) {
  if (!is_every_address(host)) {
    return {std::string(host)};
  }
  const bool v6_too = ip::make_address(std::string(host)).is_v6();
  std::vector<std::string> result{v6_too ? "::1" : "127.0.0.1"};
  for (const bool v6 : {false, true}) {
    for (const ip::address& address : interfaces) {
      const std::string text = address.to_string();
      if (address.is_v6() == v6 && (v6_too || !v6) && is_for_others(address) &&
          std::ranges::find(result, text) == result.end()) {
        result.push_back(text);
      }
    }
  }
  return result;
}

std::vector<ip::address> interface_addresses() {
  ifaddrs* first = nullptr;
  if (getifaddrs(&first) != 0) {
    return {};
  }
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> list(first, &freeifaddrs);
  std::vector<ip::address> result;
  for (const ifaddrs* entry = list.get(); entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr != nullptr && (entry->ifa_flags & IFF_UP) != 0) {
      if (const auto address = address_of(*entry->ifa_addr)) {
        result.push_back(*address);
      }
    }
  }
  return result;
}

}  // namespace enprof
