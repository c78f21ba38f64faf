#include "server/host_lookup.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <stdexcept>
#include <thread>

namespace enprof {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

using Addresses = Result<std::vector<std::string>>;

constexpr auto kLong = 600s;  // a test that waits for it has failed

/// Name servers that do not answer before the test is over.
class HungLookup {
 public:
  [[nodiscard]] HostLookup lookup() const {
    return [over = over_.get_future().share()](const std::string&) -> Addresses {
      over.wait();
      return std::vector<std::string>{};
    };
  }
  ~HungLookup() { over_.set_value(); }

 private:
  mutable std::promise<void> over_;
};

TEST(LookUp, KnowsThisMachine) {
  const auto found = look_up("localhost");
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_THAT(*found, Contains("127.0.0.1"));
  EXPECT_THAT(look_up("192.0.2.7").value_or(std::vector<std::string>{}), ElementsAre("192.0.2.7"));
}

TEST(LookUp, ANameThatNobodyHasIsAnError) {
  const auto found = look_up("name.invalid");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ErrorCode::unavailable);
  EXPECT_THAT(found.error().message, HasSubstr("name.invalid"));
}

TEST(LookUpWithin, PassesOnWhatWasFound) {
  const auto found = look_up_within(
      [](const std::string& host) -> Addresses { return std::vector{host + "!"}; }, "h", kLong, {});
  EXPECT_THAT(found.value_or(std::vector<std::string>{}), ElementsAre("h!"));
  const auto thrown = look_up_within(
      [](const std::string&) -> Addresses { throw std::runtime_error("broken"); }, "h", kLong, {});
  ASSERT_FALSE(thrown);
  EXPECT_THAT(thrown.error().message, HasSubstr("broken"));
}

TEST(LookUpWithin, ALookupThatHangsIsLeftWhenItIsCancelled) {
  const HungLookup hung;
  std::stop_source stop;
  std::thread later([&] {
    std::this_thread::sleep_for(20ms);
    stop.request_stop();
  });
  const auto found = look_up_within(hung.lookup(), "h", kLong, stop.get_token());
  later.join();
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ErrorCode::cancelled);
}

TEST(LookUpWithin, ALookupThatHangsIsLeftWhenPatienceIsOver) {
  const HungLookup hung;
  const auto found = look_up_within(hung.lookup(), "gpu-box", 20ms, {});
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ErrorCode::unavailable);
  EXPECT_THAT(found.error().message, HasSubstr("gpu-box was not found within 0.02 s"));
}

}  // namespace
}  // namespace enprof
