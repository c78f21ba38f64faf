#include "server/answer_room.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace enprof {
namespace {

const std::string kClient = "10.0.0.1";
const std::string kOther = "10.0.0.2";

/// As many places as the client gets.
std::vector<AnswerRoom::Place> take_all(AnswerRoom& room, const std::string& client,
                                        std::size_t bytes = 1) {
  std::vector<AnswerRoom::Place> places;
  while (auto place = room.take(client, bytes)) {
    places.push_back(*std::move(place));
  }
  return places;
}

TEST(AnswerRoom, HasSoManyPlaces) {
  AnswerRoom room(2, 1000);
  const auto first = room.take(kClient, 10);
  {
    const auto second = room.take(kOther, 10);
    EXPECT_TRUE(second);
    EXPECT_FALSE(room.take("10.0.0.3", 10));
  }
  EXPECT_TRUE(first);
  EXPECT_TRUE(room.take(kOther, 10)) << "what is over makes room";
  EXPECT_EQ(room.answers(), 1U);
  EXPECT_EQ(room.answers_of(kClient), 1U);
  EXPECT_EQ(room.answers_of(kOther), 0U);
  EXPECT_EQ(room.bytes(), 10U);
}

TEST(AnswerRoom, AClientLeavesAsManyPlacesAsItTakes) {
  AnswerRoom room(64, 1000);
  auto greedy = take_all(room, kClient);
  EXPECT_EQ(greedy.size(), 32U);
  {
    const auto second = take_all(room, kOther);
    EXPECT_EQ(second.size(), 16U);
    const auto third = take_all(room, "10.0.0.3");
    EXPECT_EQ(third.size(), 8U);
    EXPECT_TRUE(room.take("10.0.0.4", 1));
  }
  greedy.pop_back();
  EXPECT_EQ(take_all(room, kClient).size(), 1U);
  greedy.clear();
  EXPECT_EQ(room.answers(), 0U);
  EXPECT_EQ(take_all(room, kOther).size(), 32U);
}

TEST(AnswerRoom, AClientLeavesAsManyBytesAsItTakes) {
  AnswerRoom room(64, 1000);
  const auto greedy = take_all(room, kClient, 100);
  EXPECT_EQ(greedy.size(), 5U);
  EXPECT_TRUE(room.take(kOther, 500));
}

TEST(AnswerRoom, HasRoomForSoManyBytes) {
  AnswerRoom room(10, 1000);
  auto first = room.take(kClient, 900);
  ASSERT_TRUE(first);
  EXPECT_FALSE(room.take(kOther, 101));
  first->hold(100);
  EXPECT_TRUE(room.take(kOther, 900));
  first->hold(2000);
  EXPECT_FALSE(room.take(kOther, 1));
  {
    const AnswerRoom::Place moved = std::move(*first);
    EXPECT_EQ(room.bytes(), 2000U);
  }
  EXPECT_EQ(room.bytes(), 0U);
  EXPECT_EQ(room.answers(), 0U);
  EXPECT_TRUE(room.take(kClient, 5000)) << "one that is alone is never refused";
}

}  // namespace
}  // namespace enprof
