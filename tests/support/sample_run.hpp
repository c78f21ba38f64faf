// A run with a value in every field; the values are not round numbers.
#pragma once

#include "enprof/model/profiled_run.hpp"

#include <chrono>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace enprof::testing {

inline Figure sample_figure(double scale) {
  return {.duration = Nanoseconds{static_cast<Nanoseconds::rep>(1'234'567 * scale) + 1},
          .total = Joules{0.1 * scale},
          .baseline = Joules{0.03 * scale},
          .dynamic = Joules{0.07 * scale},
          .mean_power = Watts{41.0 / 3.0 * scale},
          .quality = {.sensor = "rapl+nvml",
                      .method = Method::attributed,
                      .coverage = 0.97,
                      .resolution = 2.0 / 3.0,
                      .standard_error = Joules{1e-3 / 7.0},
                      .dynamic_standard_error = Joules{1.3e-3 / 7.0},
                      .standard_uncertainty = Joules{5.1e-3 / 7.0},
                      .dynamic_standard_uncertainty = Joules{4.3e-3 / 7.0},
                      .foreign_cpu_share = 0.05}};
}

/// Adds what the deeper depths have. Layers, components and operations do not add up: their values
/// are only distinct.
inline void add_operations(ProfiledRun& run) {
  constexpr std::int32_t kNone = OperationInfo::kNoLayer;
  for (const std::int32_t layer : {kNone, 0, 1}) {
    const double scale = layer + 1.3;
    run.layers.push_back(
        {.phase = Phase::decode, .layer = layer, .count = 2, .figure = sample_figure(scale)});
    for (const char* const component : {"q_proj", "down_proj"}) {
      run.components.push_back({.phase = Phase::decode,
                                .layer = layer,
                                .component = component,
                                .count = 2,
                                .figure = sample_figure(scale / 3),
                                .flops = 1e9 / 3.0 * scale,
                                .bytes = 123'456.0 * scale});
      run.operation_table.operations.push_back(
          {.layer = layer,
           .component = component,
           .op = "MUL_MAT",
           .name = std::string{component} + "-" + std::to_string(layer),
           .shape = {512, 7, 3, 2},
           .flops = 1e6 / 3.0 * scale,
           .bytes = 777.0 * scale});
    }
  }
  run.components.back().flops.reset();
  run.operation_table.operations.back().bytes.reset();
  run.operations.push_back({.phase = Phase::prefill,
                            .component = "q_proj",
                            .op = "MUL_MAT",
                            .count = 12,
                            .figure = sample_figure(9.1),
                            .flops = 1e9 / 7.0,
                            .bytes = std::nullopt});
  run.operations.push_back({.phase = Phase::decode,
                            .component = "add",
                            .op = "ADD",
                            .count = 4,
                            .figure = sample_figure(0.1)});
  for (std::uint32_t index = 0; index < 18; ++index) {
    const auto pass = static_cast<std::int32_t>(index / 6);
    run.operation_table.events.push_back(
        // The second half of a pass begins a little after the first half.
        {.begin = Nanoseconds{1'000'003 + 70'001 * static_cast<int>(index) +
                              static_cast<int>(index % 6 / 3) * 17},
         .energy_j = index == 4 ? std::nan("") : 1e-3 / (index + 3.0),
         .duration_ns = 70'001,
         .operation = index % 6,
         .token = pass - 1,
         .phase = pass == 0 ? Phase::prefill : Phase::decode});
  }
  run.values = {.every = 8, .passes = 3, .sparsity_threshold = 0.02};
  run.values.activations = {{.phase = Phase::prefill,
                             .layer = 1,
                             .component = "gate_proj",
                             .mean = 0.1 / 3.0,
                             .standard_deviation = 1.1 / 3.0,
                             .maximum = 9.9 / 7.0,
                             .sparsity = 0.25,
                             .kill_ratio = 0.51},
                            {.token = 2,
                             .component = "final_norm",
                             .mean = -1.0 / 3.0,
                             .standard_deviation = 1.3,
                             .maximum = 4.1,
                             .sparsity = 0.5,
                             .variance_ratio = 12.5}};
  run.values.attention = {{.token = 1,
                           .layer = 1,
                           .head = 7,
                           .entropy_nats = 2.0 / 3.0,
                           .maximum_weight = 0.9,
                           .sparsity = 0.75}};
  run.values.experts = {{.token = 1,
                         .layer = 0,
                         .experts = {14, 3},
                         .weights = {0.1F * 7, 0.3F},
                         .routing_entropy_nats = 1.9 / 7.0},
                        {.phase = Phase::prefill, .layer = 1, .routing_entropy_nats = 0.5}};
}

inline ProfiledRun sample_run(std::string run_id = "5eed0123456789ab") {
  using std::chrono::milliseconds;
  ProfiledRun run;
  run.run_id = std::move(run_id);
  run.status = RunStatus::completed;
  run.started_at = WallTime{milliseconds{1'790'000'000'123}};
  run.depth = Depth::deep;
  run.experiment = "quantization sweep";
  run.tags = {"q8", "baseline", "q8"};
  run.prompt = "How many joules does a thought take?";
  run.response = "About twenty a second.";
  run.finish_reason = "end_of_generation";
  run.calibration = {.made_at = WallTime{std::chrono::milliseconds{1'700'000'000'123}},
                     .classes = 37,
                     .time_share = 0.93,
                     .power_ratio = 1.0 + 1.0 / 7.0};
  run.capture = {
      .requests = 3,
      .passes = 29,
      .most_in_flight = 2,
      .mean_sequences = 5.0 / 3.0,
      .sharing = "operations",
      .parts = {{.kind = CapturePartKind::requests, .count = 3, .figure = sample_figure(0.6)},
                {.kind = CapturePartKind::idle_while_loaded,
                 .count = 2,
                 .figure = sample_figure(0.4)}},
      .occupancy = {{.sequences = 1,
                     .passes = 17,
                     .tokens = 31,
                     .duration = milliseconds{117},
                     .energy = Joules{1.0 / 3.0}},
                    {.sequences = 2,
                     .passes = 12,
                     .tokens = 24,
                     .duration = milliseconds{83},
                     .energy = Joules{1.0 / 7.0}}}};
  run.verdict = VerdictLevel::with_caution;
  run.verdict_reasons = {{VerdictLevel::with_caution, "no_baseline", "no idle baseline"},
                         {VerdictLevel::with_caution, "counter_reset", "a counter was reset"}};
  run.model = {.name = "synth-8x512",
               .path = "/models/synth-8x512.gguf",
               .architecture = "llama",
               .quantization = "Q8_0",
               .engine = "llama.cpp v0.5.0",
               .parameters = 42'000'001,
               .file_bytes = 45'678'901,
               .weight_bytes = 44'000'003,
               .layers = 8,
               .embedding_width = 512,
               .feed_forward_width = 2048,
               .heads = 8,
               .kv_heads = 4,
               .head_width = 64,
               .experts = 16,
               .experts_used = 2,
               .vocabulary = 32'000,
               .context_trained = 4096,
               .context = 2048,
               .kv_cache_bytes = 16'777'216,
               .kv_cache_used_bytes = 589'824,
               .gpu_layers = 3,
               .threads = 2,
               .load_time = Nanoseconds{123'456'789}};
  run.totals = {.figure = sample_figure(30.1),
                .process_dynamic = Joules{1.9 / 0.7},
                .prompt_tokens = 9,
                .output_tokens = 3,
                .time_to_first_token = Nanoseconds{12'345'678},
                .prefill_tokens_per_second = 1234.5 / 7.0,
                .decode_tokens_per_second = 98.7 / 3.0,
                .energy_per_input_token = Joules{0.1 / 3.0},
                .energy_per_output_token = Joules{0.7 / 3.0},
                .energy_per_input_token_uncertainty = Joules{0.01 / 3.0},
                .energy_per_output_token_uncertainty = Joules{0.02 / 3.0},
                .output_to_input_ratio = 7.000000001,
                .tokens_per_joule = 1.1 / 3.0,
                .edp_joule_seconds = 0.123 / 7.0,
                .edp_per_token_joule_seconds = 0.0123 / 7.0,
                .economics = {.price_usd_per_kwh = 0.31, .carbon_g_per_kwh = 123.4},
                .cost_usd = 1.0 / 3e7,
                .co2_grams = 1.0 / 3e4};
  for (const Phase phase : kAllPhases) {
    const double scale = static_cast<double>(run.phases.size()) + 1.1;
    run.phases.push_back({.phase = phase,
                          .begin = Nanoseconds{1'000'003} * static_cast<int>(run.phases.size()),
                          .figure = sample_figure(scale)});
    run.sections.push_back({.phase = phase,
                            .name = "section of " + std::string{to_string(phase)},
                            .count = run.sections.size() + 1,
                            .begin = Nanoseconds{1'000'033},
                            .figure = sample_figure(scale / 2)});
  }
  for (const char* const text : {"About", " twenty", " a second."}) {
    run.tokens.push_back(
        {.index = run.tokens.size(),
         .text = text,
         .phase = run.tokens.empty() ? Phase::prefill : Phase::decode,
         .begin = Nanoseconds{7'000'001} * static_cast<int>(run.tokens.size()),
         .figure = sample_figure(0.1 * static_cast<double>(run.tokens.size() + 1))});
  }
  PowerFigures& power = run.power;
  power.sources = {"rapl: core-0, package-0, dram-0", "nvml: gpu-0"};
  for (const char* const name : {"core-0", "package-0", "dram-0", "gpu-0"}) {
    DomainFigure domain{.domain = domain_from_name(name),
                        .figure = sample_figure(3.3),
                        .idle_power = Watts{5.1},
                        .idle_spread = Watts{0.1}};
    domain.domain.source = name[0] == 'g' ? "nvml" : "rapl";
    domain.domain.period = milliseconds{10};
    domain.domain.stamp_error = Nanoseconds{281'741};
    domain.domain.relative_uncertainty = 0.1 / 3.0;
    if (name[0] == 'g') {
      domain.domain.scope = DomainScope::board;
      domain.domain.device = "GPU-5eed0123";
    }
    power.domains.push_back(std::move(domain));
  }
  power.domains[0].domain.parent = 1;
  power.baseline = {.power = Watts{20.7},
                    .spread = Watts{0.3},
                    .duration = Nanoseconds{2'000'000'017},
                    .windows = 199};
  power.peak = {.power = Watts{88.8},
                .at = Nanoseconds{23'456'789},
                .window = Nanoseconds{10'000'019},
                .by_domain = {Watts{33.3}, Watts{44.4}, std::nullopt, Watts{44.1}}};
  for (int index = -1; index < 9; ++index) {  // the first window began before the run
    power.samples.push_back({.domain = static_cast<std::size_t>(index + 1) % 4,
                             .begin = Nanoseconds{9'999'991} * index,
                             .end = Nanoseconds{9'999'991} * (index + 1),
                             .energy = Joules{0.4 + 0.01 * index}});
  }
  power.interval = milliseconds{10};
  for (const SensorQuantity quantity :
       {SensorQuantity::utilization_ratio, SensorQuantity::thermal_pressure,
        SensorQuantity::utilization_ratio}) {
    power.readings.push_back(
        {.domain = power.readings.size() + 1,
         .quantity = quantity,
         .at = Nanoseconds{10'000'019} * static_cast<int>(power.readings.size()),
         .value = 0.1 / 3.0});
  }
  add_operations(run);
  run.warnings = {{.component = "power",
                   .code = "low_coverage",
                   .message = "The sensor covers 97 % of the run",
                   .hint = "Sample more often: --power-interval-ms 5"},
                  {.component = "profile", .code = "mended_spans", .message = "1", .hint = ""}};
  return run;
}

/// Gives each list enough rows to be read in several pieces.
inline void lengthen(ProfiledRun& run, std::size_t rows = 3000) {
  const auto repeat = [&](auto& list) {
    for (std::size_t row = list.size(); row < rows; ++row) {
      list.push_back(list[row % 7 % list.size()]);
    }
  };
  repeat(run.tokens);
  repeat(run.layers);
  repeat(run.components);
  repeat(run.operations);
  repeat(run.operation_table.operations);
  repeat(run.operation_table.events);
  repeat(run.values.activations);
  repeat(run.values.attention);
  repeat(run.values.experts);
  repeat(run.power.samples);
  repeat(run.power.readings);
  for (std::size_t token = 0; token < run.tokens.size(); ++token) {
    run.tokens[token].index = token;
  }
}

}  // namespace enprof::testing
