#include "report/component_section.hpp"

#include "report/format.hpp"
#include "report/run_report.hpp"
#include "report/value_section.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <sstream>

namespace enprof {
namespace {

using namespace std::chrono_literals;

Figure figure(Nanoseconds duration, std::optional<double> joules) {
  Figure result{.duration = duration};
  if (joules) {
    result.total = Joules{*joules};
  }
  return result;
}

/// Two phases of 40 layers with long and short component names; decode uses 10 times as much.
ProfiledRun deep_run(bool with_energy) {
  ProfiledRun run;
  run.depth = Depth::deep;
  run.model.experts = 4;
  for (const Phase phase : {Phase::prefill, Phase::decode}) {
    const double scale = phase == Phase::decode ? 10.0 : 1.0;
    const auto of = [&](double joules) {
      return figure(from_ms(joules * 100 * scale),
                    with_energy ? std::optional{joules * scale} : std::nullopt);
    };
    run.layers.push_back({.phase = phase, .layer = -1, .count = 3, .figure = of(4)});
    run.components.push_back(
        {.phase = phase, .layer = -1, .component = "lm_head", .figure = of(3), .bytes = 3e12});
    run.components.push_back(
        {.phase = phase, .layer = -1, .component = kUntimedComponent, .figure = of(1)});
    for (std::int32_t layer = 0; layer < 40; ++layer) {
      run.layers.push_back({.phase = phase, .layer = layer, .count = 3, .figure = of(1.0)});
      for (const char* component :
           {"q_proj", "post_attention_layernorm", "up_proj", "gate_proj", "down_proj", "k_proj",
            "v_proj", "o_proj", "attention", "rope", "kv_cache_store", "residual", "activation",
            "some_weight_that_no_table_names", "merge_heads"}) {
        const bool heavy = std::string_view(component) == "up_proj";
        run.components.push_back({.phase = phase,
                                  .layer = layer,
                                  .component = component,
                                  .count = 3,
                                  .figure = of(heavy ? 0.3 : 0.05),
                                  .flops = 1e9,
                                  .bytes = 1e9});
      }
    }
    run.operations.push_back({.phase = phase,
                              .component = "some_weight_that_no_table_names",
                              .op = "FLASH_ATTN_EXT",
                              .count = 1234567,
                              .figure = of(5.0),
                              .flops = std::nullopt,
                              .bytes = std::nullopt});
  }
  run.values = {.every = 64, .passes = 2};
  run.values.activations = {{.layer = 3, .component = "up_proj", .sparsity = 0.25},
                            {.layer = 5, .component = "up_proj", .sparsity = 0.75}};
  return run;
}

std::string text_of(const ProfiledRun& run) {
  ReportPage page(Terminal{.colour = false, .width = 80});
  write_components(page, run);
  return page.move_text();
}

TEST(ComponentSection, FitsOneScreenOfEightyColumns) {
  for (const bool with_energy : {true, false}) {
    std::istringstream lines(text_of(deep_run(with_energy)));
    std::size_t count = 0;
    for (std::string line; std::getline(lines, line); ++count) {
      EXPECT_LE(display_width(line), 80U) << line;
      EXPECT_EQ(line.find('\x1b'), std::string::npos);
    }
    EXPECT_LE(count, 30U);
  }
}

TEST(ComponentSection, ShowsWhereTheJoulesWent) {
  const std::string text = text_of(deep_run(true));
  // up_proj: 40 layers × 0.3 J of 44 J; 3 J on 3e12 bytes is 1 pJ/byte for lm_head, in decode 10.
  for (const char* part :
       {"up_proj", "prefill J", "decode J", "12.00", "27.3 %", "all passes", "44.00", "440.0",
        "MLP", "attention", "layers 0–39: 1.00 J to 1.00 J each", "1.23 M", "identified in"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " is missing in\n" << text;
  }
  EXPECT_LT(text.find("up_proj"), text.find("gate_proj"));  // the costliest first
}

TEST(ComponentSection, WithoutSensorsItShowsTime) {
  const std::string text = text_of(deep_run(false));
  EXPECT_NE(text.find("Inside the passes: time"), std::string::npos) << text;
  EXPECT_NE(text.find("27.3 %"), std::string::npos) << text;
  EXPECT_EQ(text.find(" J"), std::string::npos) << text;
}

TEST(ComponentSection, ARunWithoutLayersHasNone) { EXPECT_EQ(text_of(ProfiledRun{}), ""); }

TEST(ComponentSection, CoverageIsTheShareOfIdentifiedOperations) {
  EXPECT_NEAR(*operation_coverage(deep_run(true)), 43.0 / 44.0, 1e-12);
  EXPECT_EQ(operation_coverage(ProfiledRun{}), std::nullopt);
}

TEST(ComponentSection, SparklinesBeginAtZero) {
  EXPECT_EQ(sparkline({8.0, 4.0, 0.0, 7.9}, 10), "█▅▁█");
  EXPECT_EQ(sparkline({1.0, std::nullopt, 1.0}, 10), "█·█");
  EXPECT_EQ(sparkline({1.0, 1.0, 8.0, 8.0, 4.0}, 3), "▂█▅");
  EXPECT_EQ(sparkline({0.0, 0.0}, 10), "▁▁");
  EXPECT_EQ(sparkline({}, 10), "");
}

TEST(ValueSection, SummarizesWhatWasSeen) {
  ReportPage page(Terminal{.colour = false, .width = 80});
  write_values(page, deep_run(true));
  const std::string text = page.move_text();
  for (const char* part : {"2 sampled passes", "one decode pass in 64", "|x| < 0.01",
                           "mean 0.5, 0.25 (layer 3) to 0.75 (layer 5)"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " is missing in\n" << text;
  }
  EXPECT_EQ(text.find("entropy"), std::string::npos);  // there were none
  ReportPage none(Terminal{});
  write_values(none, ProfiledRun{});
  EXPECT_EQ(none.move_text(), "");
}

TEST(ValueSection, ExpertsThatWereNeverChosenCount) {
  ProfiledRun run = deep_run(true);
  // Two of four experts are chosen twice, two never: mean 1, σ 1, balance 0.
  run.values.experts = {{.layer = 1, .experts = {0, 3}, .weights = {0.5F, 0.5F}},
                        {.layer = 1, .experts = {3, 0}, .weights = {0.5F, 0.5F}},
                        {.layer = 2, .experts = {5}, .weights = {1.0F}}};
  const std::vector<ExpertBalance> balances = expert_balances(run);
  ASSERT_EQ(balances.size(), 2U);
  EXPECT_EQ(balances[0].layer, 1);
  EXPECT_EQ(balances[0].positions, 2U);
  EXPECT_NEAR(*balances[0].load_balance, 0.0, 1e-12);
  // Expert 5 means that there are at least six: mean 1/6, σ √5/6.
  EXPECT_NEAR(*balances[1].load_balance, 1.0 - std::sqrt(5.0), 1e-12);
}

}  // namespace
}  // namespace enprof
