#include "base/message_socket.hpp"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <thread>
#include <unistd.h>
#include <utility>

namespace enprof {
namespace {

using namespace std::chrono_literals;
constexpr Nanoseconds kPatience = 10s;

class MessageSocketTest : public ::testing::Test {
 protected:
  MessageSocketTest() {
    auto ends = MessageSocket::make_pair();
    if (!ends) {
      throw std::runtime_error(ends.error().message);
    }
    ours_ = std::move(ends->first);
    theirs_ = std::move(ends->second);
  }
  MessageSocket ours_{-1};
  MessageSocket theirs_{-1};
};

TEST_F(MessageSocketTest, CarriesMessagesOfAnyLength) {
  const std::string large(3'000'000, 'x');  // more than the system keeps for a reader
  std::thread sending([&] {
    EXPECT_TRUE(ours_.send("one"));
    EXPECT_TRUE(ours_.send(""));
    EXPECT_TRUE(ours_.send(large));
  });
  for (const std::string& expected : {std::string{"one"}, std::string{}, large}) {
    const auto message = theirs_.receive(kPatience);
    ASSERT_TRUE(message && *message);
    EXPECT_TRUE((*message)->text == expected);
    EXPECT_LT((*message)->descriptor.get(), 0);
  }
  sending.join();
}

TEST_F(MessageSocketTest, CarriesADescriptor) {
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe(ends.data()), 0);
  ASSERT_TRUE(ours_.send("with", ends[1]));
  ::close(ends[1]);
  {
    const auto message = theirs_.receive(kPatience);
    ASSERT_TRUE(message && *message);
    ASSERT_GE((*message)->descriptor.get(), 0);
    EXPECT_EQ(::write((*message)->descriptor.get(), "y", 1), 1);
  }
  char read_back = 0;
  EXPECT_EQ(::read(ends[0], &read_back, 1), 1);
  EXPECT_EQ(read_back, 'y');
  EXPECT_EQ(::read(ends[0], &read_back, 1), 0) << "the message closed its descriptor";
  ::close(ends[0]);
}

TEST_F(MessageSocketTest, NoMessageInTimeIsNoError) {
  const auto message = theirs_.receive(1ms);
  ASSERT_TRUE(message);
  EXPECT_FALSE(message->has_value());
}

TEST_F(MessageSocketTest, APeerThatIsGoneIsAnError) {
  ASSERT_TRUE(ours_.send("last"));
  ours_.close();
  EXPECT_TRUE(theirs_.receive(kPatience)) << "what was sent before still comes";
  const auto message = theirs_.receive(kPatience);
  ASSERT_FALSE(message);
  EXPECT_EQ(message.error().code, ErrorCode::process_exited);
  const auto sent = theirs_.send("more");
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, ErrorCode::process_exited);
}

TEST_F(MessageSocketTest, APeerThatBreaksOffOrLiesIsAnError) {
  const std::uint32_t length = 100;
  ASSERT_EQ(::write(ours_.descriptor(), &length, sizeof(length)), 4);
  ASSERT_EQ(::write(ours_.descriptor(), "half", 4), 4);
  ours_.close();
  EXPECT_FALSE(theirs_.receive(kPatience));

  auto ends = MessageSocket::make_pair();
  ASSERT_TRUE(ends);
  const std::uint32_t too_long = 0xFFFFFFFF;
  ASSERT_EQ(::write(ends->first.descriptor(), &too_long, sizeof(too_long)), 4);
  const auto message = ends->second.receive(kPatience);
  ASSERT_FALSE(message);
  EXPECT_EQ(message.error().code, ErrorCode::malformed);
}

}  // namespace
}  // namespace enprof
