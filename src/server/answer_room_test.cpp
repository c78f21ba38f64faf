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

/// Takes as many places as the client gets.
std::vector<AnswerRoom::Place> reserve_all(AnswerRoom& room, const std::string& client,
                                           std::size_t bytes = 1) {
  std::vector<AnswerRoom::Place> places;
  while (auto place = room.reserve(client, bytes)) {
    places.push_back(*std::move(place));
  }
  return places;
}

TEST(AnswerRoom, HasSoManyPlaces) {
  AnswerRoom room(2, 1000);
  const auto first = room.reserve(kClient, 10);
  {
    const auto second = room.reserve(kOther, 10);
    EXPECT_TRUE(second);
    EXPECT_FALSE(room.reserve("10.0.0.3", 10));
  }
  EXPECT_TRUE(first);
  EXPECT_TRUE(room.reserve(kOther, 10)) << "a finished answer frees its place";
  EXPECT_EQ(room.answers(), 1U);
  EXPECT_EQ(room.answers_of(kClient), 1U);
  EXPECT_EQ(room.answers_of(kOther), 0U);
  EXPECT_EQ(room.bytes(), 10U);
}

TEST(AnswerRoom, AClientLeavesAsManyPlacesAsItTakes) {
  AnswerRoom room(64, 1000);
  auto greedy = reserve_all(room, kClient);
  EXPECT_EQ(greedy.size(), 32U);
  {
    const auto second = reserve_all(room, kOther);
    EXPECT_EQ(second.size(), 16U);
    const auto third = reserve_all(room, "10.0.0.3");
    EXPECT_EQ(third.size(), 8U);
    EXPECT_TRUE(room.reserve("10.0.0.4", 1));
  }
  greedy.pop_back();
  EXPECT_EQ(reserve_all(room, kClient).size(), 1U);
  greedy.clear();
  EXPECT_EQ(room.answers(), 0U);
  EXPECT_EQ(reserve_all(room, kOther).size(), 32U);
}

TEST(AnswerRoom, AClientLeavesAsManyBytesAsItTakes) {
  AnswerRoom room(64, 1000);
  const auto greedy = reserve_all(room, kClient, 100);
  EXPECT_EQ(greedy.size(), 5U);
  EXPECT_TRUE(room.reserve(kOther, 500));
}

TEST(AnswerRoom, HasRoomForSoManyBytes) {
  AnswerRoom room(10, 1000);
  auto first = room.reserve(kClient, 900);
  ASSERT_TRUE(first);
  EXPECT_FALSE(room.reserve(kOther, 101));
  first->set_bytes(100);
  EXPECT_TRUE(room.reserve(kOther, 900));
  first->set_bytes(2000);
  EXPECT_FALSE(room.reserve(kOther, 1));
  {
    const AnswerRoom::Place moved = std::move(*first);
    EXPECT_EQ(room.bytes(), 2000U);
  }
  EXPECT_EQ(room.bytes(), 0U);
  EXPECT_EQ(room.answers(), 0U);
  EXPECT_TRUE(room.reserve(kClient, 5000)) << "a client's only answer is never refused";
}

}  // namespace
}  // namespace enprof
