#include "report/roofline_section.hpp"

#include <gtest/gtest.h>

#include <string>

namespace enprof {
namespace {

OperationFigure operation(std::string component, std::optional<Joules> energy,
                          std::optional<double> flops, std::optional<double> bytes,
                          std::optional<Joules> error = std::nullopt) {
  OperationFigure result{.phase = Phase::decode,
                         .component = std::move(component),
                         .op = "MUL_MAT",
                         .count = 10,
                         .figure = {.duration = std::chrono::seconds{2}, .total = energy},
                         .flops = flops,
                         .bytes = bytes};
  result.figure.quality.standard_error = error;
  result.figure.quality.coverage = 1.0;
  if (energy) {
    result.figure.mean_power = *energy / result.figure.duration;
  }
  return result;
}

std::string page_of(std::vector<OperationFigure> operations) {
  ProfiledRun run;
  run.operations = std::move(operations);
  ReportPage page({.colour = false, .width = 80});
  write_roofline(page, run);
  return page.move_text();
}

TEST(RooflineSection, ACostIsOfAllTheTimeNotOnlyOfTheMeasured) {
  OperationFigure partly = operation("q_proj", Joules{3}, 6e12, 2e12);
  partly.figure.total = Joules{2.85};
  partly.figure.quality.coverage = 0.95;
  EXPECT_NEAR(*operation_cost(partly).joules_per_flop, 0.5e-12, 1e-18);
  partly.figure.quality.coverage = 0.85;
  EXPECT_FALSE(operation_cost(partly).joules_per_flop);
  EXPECT_FALSE(operation_cost(partly).joules_per_byte);
}

TEST(RooflineSection, CostsAreEnergyByWork) {
  const OperationCost cost = operation_cost(operation("q_proj", Joules{3}, 6e12, 2e12));
  EXPECT_DOUBLE_EQ(*cost.joules_per_flop, 0.5e-12);
  EXPECT_DOUBLE_EQ(*cost.joules_per_byte, 1.5e-12);
  EXPECT_DOUBLE_EQ(*cost.flops_per_byte, 3.0);
  EXPECT_DOUBLE_EQ(*cost.flops_per_second, 3e12);
  EXPECT_DOUBLE_EQ(*cost.bytes_per_second, 1e12);
}

TEST(RooflineSection, UnknownValuesAreEmpty) {
  const OperationCost copy = operation_cost(operation("kv_store", Joules{3}, 0.0, 2e12));
  EXPECT_FALSE(copy.joules_per_flop);  // it computes nothing
  EXPECT_DOUBLE_EQ(*copy.joules_per_byte, 1.5e-12);
  EXPECT_DOUBLE_EQ(*copy.flops_per_byte, 0.0);
  const OperationCost unmeasured = operation_cost(operation("q_proj", std::nullopt, 6e12, 2e12));
  EXPECT_FALSE(unmeasured.joules_per_flop);
  EXPECT_FALSE(unmeasured.joules_per_byte);
  EXPECT_TRUE(unmeasured.flops_per_byte);
  EXPECT_FALSE(operation_cost(operation("q_proj", Joules{3}, std::nullopt, 2e12)).joules_per_flop);
}

TEST(RooflineSection, NoClassLiesBelowTheRoof) {
  const std::vector operations{operation("q_proj", Joules{3}, 6e12, 2e12),
                               operation("lm_head", Joules{9}, 6e12, 9e12),
                               operation("prefill", Joules{2}, 9e12, 1e11)};
  const auto roof = energy_roof(operations);
  ASSERT_TRUE(roof);
  EXPECT_DOUBLE_EQ(roof->joules_per_flop, 2.0 / 9e12);
  EXPECT_DOUBLE_EQ(roof->joules_per_byte, 1e-12);
  for (const OperationFigure& each : operations) {
    const OperationCost cost = operation_cost(each);
    EXPECT_GE(*cost.joules_per_flop, roof->at(*cost.flops_per_byte) * (1 - 1e-12));
  }
}

TEST(RooflineSection, WhatMayBeZeroSetsNoRoof) {
  const std::vector operations{operation("q_proj", Joules{3}, 6e12, 2e12, Joules{0.1}),
                               operation("rope", Joules{0.01}, 6e12, 2e12, Joules{0.02})};
  EXPECT_DOUBLE_EQ(energy_roof(operations)->joules_per_flop, 0.5e-12);
  EXPECT_FALSE(energy_roof({operation("rope", Joules{0.01}, 6e12, 2e12, Joules{0.02})}));
}

TEST(RooflineSection, ThePageHasATableAndAChart) {
  const std::string page = page_of({operation("q_proj", Joules{3}, 6e12, 2e12, Joules{0.3}),
                                    operation("lm_head", Joules{9}, 6e12, 9e12),
                                    operation("kv_store", Joules{1}, 0.0, 1e11)});
  EXPECT_NE(page.find("A  decode  lm_head MUL_MAT"), std::string::npos) << page;
  EXPECT_NE(page.find("B  decode  q_proj MUL_MAT            3      0.5  0.05      1.5       1\n"),
            std::string::npos)
      << page;
  EXPECT_NE(page.find("C  decode  kv_store MUL_MAT          0        –     –       10       –\n"),
            std::string::npos)
      << page;
  EXPECT_NE(page.find(" FLOP/byte\n"), std::string::npos) << page;
  for (std::size_t begin = 0; begin < page.size();) {
    const std::size_t end = page.find('\n', begin);
    EXPECT_LE(end - begin, 100U) << page.substr(begin, end - begin);  // bytes: some take three
    begin = end + 1;
  }
}

TEST(RooflineSection, WithoutEnergyOrWorkThereIsNothing) {
  EXPECT_EQ(page_of({}), "");
  EXPECT_EQ(page_of({operation("q_proj", std::nullopt, 6e12, 2e12)}), "");
  EXPECT_EQ(page_of({operation("q_proj", Joules{3}, std::nullopt, std::nullopt)}), "");
}

}  // namespace
}  // namespace enprof
