// A run of round numbers whose parts add up, to be compared with expected texts.
#pragma once

#include "enprof/model/profiled_run.hpp"

#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>

namespace enprof::testing {

/// 100 ms and 10 J: a prefill of 40 ms and a decode of two tokens, of 30 ms each. Nothing is
/// measured between 90 and 100 ms.
inline ProfiledRun small_run() {
  using std::chrono::milliseconds;
  constexpr std::int32_t kNone = OperationInfo::kNoLayer;
  const auto figure = [](int duration_ms, double joules) {
    return Figure{.duration = milliseconds{duration_ms},
                  .total = Joules{joules},
                  .quality = {.method = Method::attributed,
                              .coverage = 1.0,
                              .standard_uncertainty = Joules{joules / 10}}};
  };
  ProfiledRun run;
  run.run_id = "a1b2";
  run.status = RunStatus::completed;
  run.started_at = WallTime{milliseconds{1'790'000'000'123}};
  run.depth = Depth::deep;
  run.model.name = "small";
  run.totals.figure = figure(100, 10);
  run.phases = {{.phase = Phase::prefill, .figure = figure(40, 4)},
                {.phase = Phase::decode, .begin = milliseconds{40}, .figure = figure(60, 6)}};
  const auto section = [&](Phase phase, const char* name, std::size_t count, int begin_ms,
                           const Figure& its_figure) {
    run.sections.push_back({.phase = phase,
                            .name = name,
                            .count = count,
                            .begin = milliseconds{begin_ms},
                            .figure = its_figure});
  };
  section(Phase::prefill, "forward", 1, 1, figure(30, 3));
  section(Phase::prefill, kSelfSection, 1, 0, figure(10, 1));
  section(Phase::decode, "forward", 2, 40, figure(50, 5));
  section(Phase::decode, "sampling", 2, 65, figure(5, 0.5));
  section(Phase::decode, kSelfSection, 1, 40, figure(5, 0.5));
  const auto token = [&](const char* text, Phase phase, int begin_ms, const Figure& its_figure) {
    run.tokens.push_back({.index = run.tokens.size(),
                          .text = text,
                          .phase = phase,
                          .begin = milliseconds{begin_ms},
                          .figure = its_figure});
  };
  token("A", Phase::prefill, 35, figure(4, 0.4));
  token(" b", Phase::decode, 40, figure(30, 3));
  token("\n", Phase::decode, 70, figure(30, 3));
  const auto component = [&](Phase phase, std::int32_t layer, const char* name,
                             const Figure& its_figure) {
    run.components.push_back({.phase = phase,
                              .layer = layer,
                              .component = name,
                              .count = 1,
                              .figure = its_figure,
                              .flops = {},
                              .bytes = {}});
  };
  component(Phase::prefill, kNone, "lm_head", figure(8, 0.8));
  component(Phase::prefill, kNone, kSelfComponent, figure(2, 0.1));
  component(Phase::prefill, 0, "q_proj", figure(20, 2));
  component(Phase::decode, kNone, "lm_head", figure(10, 1));
  component(Phase::decode, kNone, kSelfComponent, figure(2, 0.2));
  component(Phase::decode, 0, "q_proj", figure(30, 3));
  run.operation_table.operations = {{.layer = 0, .component = "q_proj", .op = "MUL_MAT"},
                                    {.layer = 0, .component = "q_proj", .op = "ROPE"},
                                    {.component = "lm_head", .op = "MUL_MAT"}};
  const auto pass = [&](int begin_ms, std::int32_t of_token, Phase phase,
                        std::initializer_list<std::pair<int, double>> operations) {
    std::uint32_t kind = 0;
    for (const auto& [duration_ms, joules] : operations) {
      run.operation_table.events.push_back(
          {.begin = milliseconds{begin_ms},
           .energy_j = joules,
           .duration_ns = 1'000'000U * static_cast<std::uint32_t>(duration_ms),
           .operation = kind++,
           .token = of_token,
           .phase = phase});
      begin_ms += duration_ms;
    }
  };
  pass(2, -1, Phase::prefill, {{15, 1.5}, {5, 0.5}, {8, 0.8}});
  pass(41, 1, Phase::decode, {{10, 1}, {5, 0.5}, {5, 0.5}});
  pass(71, 2, Phase::decode, {{10, 1}, {5, 0.5}, {5, 0.5}});
  run.power.domains = {{.domain = domain_from_name("package-0"), .figure = figure(90, 9)}};
  const auto sample = [&](int begin_ms, int end_ms, double watts) {
    run.power.samples.push_back({.domain = 0,
                                 .begin = milliseconds{begin_ms},
                                 .end = milliseconds{end_ms},
                                 .energy = Watts{watts} * milliseconds{end_ms - begin_ms}});
  };
  sample(-10, 40, 100);
  sample(40, 60, 120);
  sample(70, 90, 80);
  run.power.readings = {{.domain = 0,
                         .quantity = SensorQuantity::temperature_celsius,
                         .at = milliseconds{50},
                         .value = 61.5}};
  return run;
}

/// The same without any energy.
inline ProfiledRun small_run_without_power() {
  ProfiledRun run = small_run();
  const auto forget = [](Figure& figure) { figure = {.duration = figure.duration, .quality = {}}; };
  forget(run.totals.figure);
  const auto forget_all = [&](auto& rows) {
    for (auto& row : rows) {
      forget(row.figure);
    }
  };
  forget_all(run.phases);
  forget_all(run.sections);
  forget_all(run.tokens);
  forget_all(run.components);
  for (OperationEvent& event : run.operation_table.events) {
    event.energy_j = std::nan("");
  }
  run.power = {};
  return run;
}

}  // namespace enprof::testing
