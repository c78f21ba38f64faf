#include "server/server_url.hpp"

#include "server/http_request.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace enprof {
namespace {

using ::testing::HasSubstr;

ServerUrl parsed(std::string_view text) {
  const auto url = parse_server_url(text);
  EXPECT_TRUE(url) << text;
  return url.value_or(ServerUrl{.host = "none"});
}

TEST(ServerUrl, ReadsWhatServePrints) {
  EXPECT_EQ(parsed("http://127.0.0.1:8000/"), (ServerUrl{"127.0.0.1", 8000, "", ""}));
  EXPECT_EQ(parsed("http://0.0.0.0:81/?token=a%2Bb"), (ServerUrl{"0.0.0.0", 81, "", "a+b"}));
  EXPECT_EQ(parsed("http://[::1]:8000/"), (ServerUrl{"::1", 8000, "", ""}));
  EXPECT_EQ(parsed("http://[::1]:8000/").authority(), "[::1]:8000");
}

TEST(ServerUrl, ReadsWhatPeopleWrite) {
  EXPECT_EQ(parsed("localhost"), (ServerUrl{"localhost", 8000, "", ""}));
  EXPECT_EQ(parsed("localhost:9000"), (ServerUrl{"localhost", 9000, "", ""}));
  EXPECT_EQ(parsed("http://gpu-box"), (ServerUrl{"gpu-box", 80, "", ""}));
  EXPECT_EQ(parsed("ws://h:1/ws/profiling"), (ServerUrl{"h", 1, "", ""}));
  EXPECT_EQ(parsed("http://h/enprof/"), (ServerUrl{"h", 80, "/enprof", ""}));
  EXPECT_EQ(parsed("http://h/enprof/ws/profiling").text(), "http://h:80/enprof");
}

TEST(ServerUrl, HttpsIsRefusedWithATunnel) {
  for (const char* text : {"https://box:8000/", "wss://box/ws/profiling"}) {
    const auto url = parse_server_url(text);
    ASSERT_FALSE(url);
    EXPECT_EQ(url.error().code, ErrorCode::unsupported);
    EXPECT_THAT(url.error().hint, HasSubstr("ssh -L 8000:localhost:8000 box"));
  }
}

TEST(ServerUrl, AnInvalidUrlIsRefused) {
  for (const char* text : {"", "http://", "ftp://h/", "http://h:0/", "http://h:99999/", "h:x",
                           "http://a b/", "://", "/ws/profiling"}) {
    const auto url = parse_server_url(text);
    ASSERT_FALSE(url) << text;
    EXPECT_EQ(url.error().code, ErrorCode::invalid_argument) << text;
    EXPECT_THAT(url.error().hint, HasSubstr("http://127.0.0.1:8000/"));
  }
}

TEST(ServerUrl, ATokenOfAnyCharactersComesThrough) {
  const ServerUrl url{.host = "::1", .port = 8000, .token = "a+b&c=d e%41#/\xC3\xA9"};
  EXPECT_EQ(url.text_with_token(), "http://[::1]:8000/?token=a%2Bb%26c%3Dd%20e%2541%23%2F%C3%A9");
  const auto read = parse_server_url(url.text_with_token());
  ASSERT_TRUE(read);
  EXPECT_EQ(*read, url);
  // The server parses it like the client.
  const std::string target = url.text_with_token().substr(url.text().size());
  EXPECT_EQ(parse_target(target).parameter("token"), url.token);
  EXPECT_EQ((ServerUrl{.token = {}}.text_with_token()), "http://127.0.0.1:8000/");
}

}  // namespace
}  // namespace enprof
