#include "server/reachable_hosts.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace enprof {
namespace {

using ::testing::ElementsAre;

std::vector<boost::asio::ip::address> some_interfaces() {
  std::vector<boost::asio::ip::address> result;
  for (const char* text :
       {"127.0.0.1", "::1", "fe80::1", "2001:db8::7", "192.168.1.7", "172.17.0.1", "192.168.1.7"}) {
    result.push_back(boost::asio::ip::make_address(text));
  }
  return result;
}

TEST(ReachableHosts, AnAddressIsReachedByItself) {
  EXPECT_THAT(reachable_hosts("127.0.0.1", some_interfaces()), ElementsAre("127.0.0.1"));
  EXPECT_THAT(reachable_hosts("localhost", some_interfaces()), ElementsAre("localhost"));
  EXPECT_THAT(reachable_hosts("192.168.1.7", some_interfaces()), ElementsAre("192.168.1.7"));
}

TEST(ReachableHosts, EveryAddressIsThoseThatCanBeUsed) {
  EXPECT_THAT(reachable_hosts("0.0.0.0", some_interfaces()),
              ElementsAre("127.0.0.1", "192.168.1.7", "172.17.0.1"));
  EXPECT_THAT(reachable_hosts("::", some_interfaces()),
              ElementsAre("::1", "192.168.1.7", "172.17.0.1", "2001:db8::7"));
  EXPECT_THAT(reachable_hosts("0.0.0.0", {}), ElementsAre("127.0.0.1"));
}

TEST(ReachableHosts, EveryAddressIsKnownHoweverItIsWritten) {
  for (const char* host : {"0.0.0.0", "::", "0:0:0:0:0:0:0:0"}) {
    EXPECT_TRUE(is_every_address(host)) << host;
  }
  for (const char* host : {"127.0.0.1", "::1", "localhost", "", "box.lan"}) {
    EXPECT_FALSE(is_every_address(host)) << host;
  }
}

TEST(ReachableHosts, ThisMachinesInterfacesAreListed) {
  const auto addresses = interface_addresses();
  EXPECT_TRUE(std::ranges::any_of(addresses, [](const auto& each) { return each.is_loopback(); }));
}

}  // namespace
}  // namespace enprof
