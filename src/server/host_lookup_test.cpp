#include "server/host_lookup.hpp"

#include "support/wait_until.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <stdexcept>
#include <thread>

namespace enprof {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

using Addresses = Result<std::vector<std::string>>;

constexpr auto kLong = 600s;  // the test has failed if it waits this long

/// A lookup that does not answer before the test ends.
class HungLookup {
 public:
  [[nodiscard]] HostLookup lookup() const {
    return [over = over_.get_future().share(), asked = asked_](const std::string&) -> Addresses {
      *asked = true;
      over.wait();
      return std::vector<std::string>{};
    };
  }
  ~HungLookup() { over_.set_value(); }

  [[nodiscard]] bool was_asked() const { return *asked_; }

 private:
  mutable std::promise<void> over_;
  std::shared_ptr<std::atomic<bool>> asked_ = std::make_shared<std::atomic<bool>>(false);
};

TEST(LookUp, KnowsThisMachine) {
  const auto found = look_up("localhost");
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_THAT(*found, Contains("127.0.0.1"));
  EXPECT_THAT(look_up("192.0.2.7").value_or(std::vector<std::string>{}), ElementsAre("192.0.2.7"));
}

TEST(LookUp, AnUnknownNameIsAnError) {
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

TEST(LookUpWithin, AHangingLookupIsAbandonedWhenCancelled) {
  const HungLookup hung;
  std::stop_source stop;
  std::thread later([&] {
    testing::wait_until("it is asked", [&] { return hung.was_asked(); });
    stop.request_stop();
  });
  const auto found = look_up_within(hung.lookup(), "h", kLong, stop.get_token());
  later.join();
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ErrorCode::cancelled);
}

TEST(LookUpWithin, AHangingLookupIsAbandonedWhenPatienceIsOver) {
  const HungLookup hung;
  const auto found = look_up_within(hung.lookup(), "gpu-box", 20ms, {});
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ErrorCode::unavailable);
  EXPECT_THAT(found.error().message, HasSubstr("gpu-box was not found within 0.02 s"));
}

}  // namespace
}  // namespace enprof
