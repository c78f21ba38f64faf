#include "power/counter/counter_file.hpp"

#include "support/temp_dir.hpp"

#include <gtest/gtest.h>

namespace enprof {
namespace {

TEST(CounterFile, ReadsTheValueOfNow) {
  const testing::TempDir dir;
  CounterFile counter(dir.write("energy", "12\n"));
  EXPECT_EQ(counter.read(), 12U);
  dir.write("energy", "13\n");
  EXPECT_EQ(counter.read(), 13U);
}

TEST(CounterFile, MayComeLate) {
  const testing::TempDir dir;
  CounterFile counter(dir.path() / "energy");
  const auto missing = counter.read();
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::not_found);
  dir.write("energy", "5\n");
  EXPECT_EQ(counter.read(), 5U);
}

TEST(CounterFile, IsOpenedAnewOnlyWhereThatIsAsked) {
  const testing::TempDir dir;
  CounterFile counter(dir.write("energy", "12\n"));
  ASSERT_EQ(counter.read(), 12U);
  std::filesystem::remove(dir.path() / "energy");
  EXPECT_EQ(counter.read(), 12U) << "the open file is still used";
  counter.renew();
  EXPECT_FALSE(counter.read());
  dir.write("energy", "1\n");
  EXPECT_EQ(counter.read(), 1U);
}

TEST(CounterFile, WhatIsNoNumberIsNoValue) {
  const testing::TempDir dir;
  CounterFile counter(dir.write("energy", "many\n"));
  const auto value = counter.read();
  ASSERT_FALSE(value);
  EXPECT_EQ(value.error().code, ErrorCode::malformed);
}

TEST(CounterFile, ItsPointReadsTheSameCounter) {
  const testing::TempDir dir;
  CounterFile counter(dir.write("energy", "12\n"));
  const auto point = counter.point();
  EXPECT_EQ(point->read(), 12U);
  dir.write("energy", "00013\n");
  EXPECT_EQ(point->read(), 13U);
  dir.write("energy", "many\n");
  EXPECT_EQ(point->read(), std::nullopt);
}

TEST(CounterFile, ItsPointFollowsWhereTheFileIsOpenedAgain) {
  const testing::TempDir dir;
  CounterFile counter(dir.path() / "energy");
  const auto point = counter.point();
  EXPECT_EQ(point->read(), std::nullopt) << "there is no file yet";
  dir.write("energy", "5\n");
  EXPECT_EQ(point->read(), std::nullopt);
  ASSERT_EQ(counter.read(), 5U);
  EXPECT_EQ(point->read(), 5U);
  std::filesystem::remove(dir.path() / "energy");
  dir.write("energy", "1\n");
  EXPECT_EQ(point->read(), 5U) << "the file that was there before";
  counter.renew();
  ASSERT_EQ(counter.read(), 1U);
  EXPECT_EQ(point->read(), 1U);
}

TEST(CounterFile, ItsPointOutlivesIt) {
  const testing::TempDir dir;
  auto counter = std::make_unique<CounterFile>(dir.write("energy", "12\n"));
  const auto point = counter->point();
  counter.reset();
  EXPECT_EQ(point->read(), 12U);
}

}  // namespace
}  // namespace enprof
