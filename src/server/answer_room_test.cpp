#include "server/answer_room.hpp"

#include <gtest/gtest.h>

#include <utility>

namespace enprof {
namespace {

TEST(AnswerRoom, HasSoManyPlaces) {
  AnswerRoom room(2, 1000);
  const auto first = room.take(10);
  {
    const auto second = room.take(10);
    EXPECT_TRUE(second);
    EXPECT_FALSE(room.take(10));
  }
  EXPECT_TRUE(first);
  EXPECT_TRUE(room.take(10)) << "what is over makes room";
  EXPECT_EQ(room.answers(), 1U);
  EXPECT_EQ(room.bytes(), 10U);
}

TEST(AnswerRoom, HasRoomForSoManyBytes) {
  AnswerRoom room(10, 1000);
  auto first = room.take(900);
  ASSERT_TRUE(first);
  EXPECT_FALSE(room.take(101));
  first->hold(100);
  EXPECT_TRUE(room.take(900));
  first->hold(2000);
  EXPECT_FALSE(room.take(1));
  {
    const AnswerRoom::Place moved = std::move(*first);
    EXPECT_EQ(room.bytes(), 2000U);
  }
  EXPECT_EQ(room.bytes(), 0U);
  EXPECT_EQ(room.answers(), 0U);
  EXPECT_TRUE(room.take(5000)) << "one that is alone is never refused";
}

}  // namespace
}  // namespace enprof
