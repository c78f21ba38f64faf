#include "power/estimate/cpu_power_model.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace enprof {
namespace {

constexpr const char* kEpyc = "AMD EPYC 9554 64-Core Processor";  // 360 W, 128 logical CPUs

CpuPowerModel model(const CpuIdentity& cpu, unsigned logical_cpus, std::optional<Watts> tdp = {},
                    std::optional<Watts> idle = {}) {
  const auto result = make_cpu_power_model(cpu, logical_cpus, tdp, idle);
  EXPECT_TRUE(result);
  return result.value_or(CpuPowerModel{});
}

TEST(CpuPowerModel, AWholeMachineDrawsTheRatingOfEachSocket) {
  EXPECT_DOUBLE_EQ(model({.name = kEpyc}, 128).full.value(), 360);
  EXPECT_DOUBLE_EQ(model({.name = kEpyc, .sockets = 2}, 256).full.value(), 720);
  // Without hyper-threading half of the logical CPUs are gone, not half of the power.
  EXPECT_DOUBLE_EQ(model({.name = kEpyc}, 64).full.value(), 360);
}

TEST(CpuPowerModel, AVirtualMachineDrawsItsShare) {
  const auto vm = model({.name = kEpyc, .is_virtual = true}, 2);
  EXPECT_DOUBLE_EQ(vm.full.value(), 5.625);
  EXPECT_DOUBLE_EQ(vm.idle.value(), 1.125);
  EXPECT_EQ(vm.origin, "2 of 128 CPUs of AMD EPYC 9554 64-Core Processor, rated 360 W");
}

TEST(CpuPowerModel, AnUnlistedCpuIsTakenForOneOfItsFamily) {
  const auto unlisted = model({.name = "AMD EPYC"}, 2);
  EXPECT_DOUBLE_EQ(unlisted.full.value(), 6.0);
  EXPECT_EQ(unlisted.origin, "AMD EPYC is not in the table: assuming 3 W per CPU, 2 CPUs");
  EXPECT_GT(model({}, 1).full.value(), 0);
}

TEST(CpuPowerModel, WhatTheUserSaysGoesFirst) {
  const auto told = model({.name = kEpyc, .is_virtual = true}, 2, Watts{100}, Watts{30});
  EXPECT_DOUBLE_EQ(told.full.value(), 100);
  EXPECT_DOUBLE_EQ(told.idle.value(), 30);
  EXPECT_DOUBLE_EQ(model({}, 2, Watts{100}).idle.value(), 20);
  EXPECT_DOUBLE_EQ(model({}, 2, Watts{100}, Watts{0}).idle.value(), 0);
}

TEST(CpuPowerModel, RefusesPowersThatAreNone) {
  for (const double bad : {0.0, -1.0, std::numeric_limits<double>::quiet_NaN(),
                           std::numeric_limits<double>::infinity()}) {
    EXPECT_FALSE(make_cpu_power_model({}, 2, Watts{bad}, std::nullopt)) << bad;
  }
  EXPECT_FALSE(make_cpu_power_model({}, 2, Watts{10}, Watts{-1}));
  const auto above = make_cpu_power_model({}, 2, Watts{10}, Watts{20});
  ASSERT_FALSE(above);
  EXPECT_EQ(above.error().code, ErrorCode::invalid_argument);
  EXPECT_NE(above.error().message.find("20 W"), std::string::npos);
  EXPECT_NE(above.error().message.find("10 W"), std::string::npos);
  // An idle power alone may also be too much for the CPU that was found.
  EXPECT_FALSE(make_cpu_power_model({.name = kEpyc, .is_virtual = true}, 2, {}, Watts{6}));
}

}  // namespace
}  // namespace enprof
