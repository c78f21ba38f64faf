#include "cli/server_options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace enprof {
namespace {

using ::testing::HasSubstr;

TEST(ListenAddress, IsAPortOrAHostAndAPort) {
  EXPECT_EQ(parse_listen_address("8000"), (ListenAddress{"127.0.0.1", 8000}));
  EXPECT_EQ(parse_listen_address("0"), (ListenAddress{"127.0.0.1", 0}));
  EXPECT_EQ(parse_listen_address("0.0.0.0:65535"), (ListenAddress{"0.0.0.0", 65535}));
  EXPECT_EQ(parse_listen_address("localhost:1"), (ListenAddress{"localhost", 1}));
  EXPECT_EQ(parse_listen_address("[::1]:80"), (ListenAddress{"::1", 80}));
}

TEST(ListenAddress, AnythingElseIsRefusedWithAnExample) {
  for (const char* text : {"", ":", "x", ":80", "80:", "65536", "-1", " 80", "80 ", "0x50",
                           "localhost", "[]:80", "8000/", "http://127.0.0.1:80/"}) {
    const auto address = parse_listen_address(text);
    ASSERT_FALSE(address) << text;
    EXPECT_EQ(address.error().code, ErrorCode::invalid_argument);
    EXPECT_THAT(address.error().hint, HasSubstr("0.0.0.0:8000")) << text;
  }
  const auto bare = parse_listen_address("::1:80");
  ASSERT_FALSE(bare);
  EXPECT_THAT(bare.error().hint, HasSubstr("[::1]:80"));
}

/// Options as they are given on a command line.
class ServerOptionsTest : public ::testing::Test {
 protected:
  Result<void> given(std::vector<std::string> words) {
    CLI::App app{"test"};
    options_.declare_wish(app);
    std::vector<std::string> reversed(words.rbegin(), words.rend());
    app.parse(reversed);
    return options_.prepare();
  }
  Result<std::unique_ptr<HttpServer>> open() {
    return options_.open([](const HttpRequest&) { return HttpResponse{}; }, hub_);
  }

  ServerOptions options_;
  EventHub hub_;
};

TEST_F(ServerOptionsTest, WithoutAWishNothingIsServed) {
  ASSERT_TRUE(given({}));
  EXPECT_FALSE(options_.are_wanted());
}

TEST_F(ServerOptionsTest, AnyFreePort) {
  ASSERT_TRUE(given({"--serve", "0"}));
  EXPECT_TRUE(options_.are_wanted());
  const auto server = open();
  ASSERT_TRUE(server) << server.error().message;
  EXPECT_GT((*server)->port(), 0);
}

TEST_F(ServerOptionsTest, APortThatIsTakenIsNamedWithAWayOut) {
  ASSERT_TRUE(given({"--serve", "0"}));
  const auto first = open();
  ASSERT_TRUE(first);
  const std::string port = std::to_string((*first)->port());
  ASSERT_TRUE(given({"--serve", port}));
  const auto second = open();
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::busy);
  EXPECT_THAT(second.error().message, HasSubstr(port));
  EXPECT_THAT(second.error().hint, HasSubstr("--serve 0"));
}

TEST_F(ServerOptionsTest, AnotherAddressThanALoopbackOneGetsAToken) {
  ASSERT_TRUE(given({"--serve", "0.0.0.0:0"}));
  EXPECT_TRUE(open()) << "without a token HttpServer refuses such an address";
}

TEST_F(ServerOptionsTest, ANameThatIsNoneIsRefused) {
  const auto prepared = given({"--serve", "0", "--allow-host", "a b"});
  ASSERT_FALSE(prepared);
  EXPECT_EQ(prepared.error().code, ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace enprof
