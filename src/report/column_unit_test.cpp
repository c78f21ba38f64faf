#include "report/column_unit.hpp"

#include "report/format.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <initializer_list>

namespace enprof {
namespace {

ColumnUnit joules(std::initializer_list<double> values) {
  ColumnUnit unit("J");
  for (const double value : values) {
    unit.add(value);
  }
  return unit;
}

TEST(ColumnUnit, TheLargestValueChoosesThePrefix) {
  EXPECT_EQ(joules({0.25, 0.03}).name(), "mJ");
  EXPECT_EQ(joules({244.8, 2.0}).name(), "J");
  EXPECT_EQ(joules({34'000.0, 500.0}).name(), "kJ");
  EXPECT_EQ(joules({999.96, 500.0}).name(), "kJ");
}

TEST(ColumnUnit, ASmallValueAsksForASmallerPrefixWhileTheLargestStaysReadable) {
  const ColumnUnit unit = joules({34.47, 171.7e-6});
  EXPECT_EQ(unit.name(), "mJ");
  EXPECT_EQ(unit.cell(34.47), "34470");
  EXPECT_EQ(unit.cell(171.7e-6), "0.172");
  const ColumnUnit wide = joules({244.8, 171.7e-6});
  EXPECT_EQ(wide.name(), "J");
  EXPECT_EQ(wide.cell(171.7e-6), "<0.001");
  EXPECT_EQ(wide.cell(-171.7e-6), ">-0.001");
}

TEST(ColumnUnit, ShowsFourSignificantDigits) {
  const ColumnUnit unit = joules({0.7});
  EXPECT_EQ(unit.cell(0.7), "700.0");
  EXPECT_EQ(unit.cell(0.05356), "53.56");
  EXPECT_EQ(unit.cell(0.00316), "3.160");
  EXPECT_EQ(unit.cell(0.0), "0");
}

TEST(ColumnUnit, WhatIsAbsentIsNotZero) {
  const ColumnUnit unit = joules({});
  EXPECT_EQ(unit.name(), "J");
  EXPECT_EQ(unit.cell(std::nullopt), kAbsent);
  EXPECT_EQ(unit.cell(std::nan("")), kAbsent);
}

}  // namespace
}  // namespace enprof
