// Runs with given figures, for tests of this room.
#pragma once

#include "enprof/model/profiled_run.hpp"
#include "enprof/model/verdict.hpp"

#include "experiment/comparison.hpp"
#include "experiment/run_labels.hpp"

#include <fmt/format.h>

#include <initializer_list>
#include <string>
#include <utility>

namespace enprof::testing {

/// A quotable run of 10 tokens in and 11 out over two seconds: so many joules per output token,
/// measured to ± 0.1 %, by a sensor of 5 %.
inline ProfiledRun run_of(double joules_per_token, int round = 0) {
  using namespace std::chrono_literals;
  ProfiledRun run;
  run.run_id = "915eafb830f399b1";
  run.status = RunStatus::completed;
  run.model.name = "a.gguf";
  run.model.quantization = "Q8_0";
  run.model.threads = 2;
  const Joules total{joules_per_token * 20.0};
  run.totals.figure = {.duration = 2s,
                       .total = total,
                       .baseline = 0.25 * total,
                       .dynamic = 0.75 * total,
                       .mean_power = total / 2s,
                       .quality = {.sensor = "rapl",
                                   .method = Method::attributed,
                                   .coverage = 1.0,
                                   .resolution = 200.0,
                                   .standard_error = 0.001 * total,
                                   .dynamic_standard_error = 0.001 * total,
                                   .standard_uncertainty = 0.05001 * total,
                                   .dynamic_standard_uncertainty = 0.04 * total,
                                   .foreign_cpu_share = 0.01}};
  run.totals.prompt_tokens = 10;
  run.totals.output_tokens = 11;
  run.totals.energy_per_output_token = Joules{joules_per_token};
  run.totals.energy_per_input_token = Joules{0.5 * joules_per_token};
  run.totals.decode_tokens_per_second = 10.0 / joules_per_token;
  Figure phase = run.totals.figure;
  phase.total = 0.5 * total;
  phase.quality.standard_error = 0.0005 * total;
  run.phases = {{.phase = Phase::prefill, .begin = 0s, .figure = phase},
                {.phase = Phase::decode, .begin = 1s, .figure = phase}};
  DomainFigure package{.domain = domain_from_name("package-0"), .figure = run.totals.figure};
  package.domain.source = "rapl";
  package.domain.relative_uncertainty = 0.05;
  run.power.domains = {package};
  run.power.baseline = BaselineFigure{.power = Watts{5}, .duration = 2s, .windows = 200};
  if (round > 0) {
    run.experiment = "weekly";
    run.tags = {make_tag(kRoundTag, fmt::format("{}", round))};
  }
  judge_run(run);
  return run;
}

inline RunSet set_of(std::initializer_list<double> values) {
  RunSet set{.name = "set"};
  for (const double value : values) {
    set.runs.push_back(run_of(value));
  }
  return set;
}

inline void refuse(ProfiledRun& run, std::string code) {
  run.verdict = VerdictLevel::not_comparable;
  std::string message = "because of " + code;
  run.verdict_reasons = {{VerdictLevel::not_comparable, std::move(code), std::move(message)}};
}

}  // namespace enprof::testing
