// Experiments with known answers, for tests of analyses.
#pragma once

#include "experiment/analysis/point_data.hpp"
#include "experiment/comparison_test_support.hpp"
#include "experiment/run_labels.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace enprof::testing {

/// Facts of a dense decoder with so many layers of this width; four times as wide inside.
inline ModelFacts facts_of(int layers, int width, double bits = 8.5,
                           const std::string& quantization = "Q8_0") {
  ModelFacts facts;
  facts.name = fmt::format("m{}x{}", layers, width);
  facts.architecture = "llama";
  facts.quantization = quantization;
  facts.layers = layers;
  facts.embedding_width = width;
  facts.feed_forward_width = 4 * width;
  facts.heads = width / 64;
  facts.kv_heads = width / 64;
  facts.head_width = 64;
  facts.vocabulary = 32'000;
  const double parameters =
      static_cast<double>(layers) * (4.0 + 12.0) * width * width + 2.0 * 32'000.0 * width;
  facts.parameters = static_cast<std::uint64_t>(parameters);
  facts.weight_bytes = static_cast<std::uint64_t>(parameters * bits / 8.0);
  facts.threads = 2;
  return facts;
}

/// The same with experts, of which two are used.
inline ModelFacts mixture_of(int layers, int width, int experts) {
  ModelFacts facts = facts_of(layers, width);
  facts.name = fmt::format("moe{}x{}", layers, width);
  facts.architecture = "qwen3moe";
  facts.experts = experts;
  facts.experts_used = 2;
  const double parameters = static_cast<double>(layers) * (4.0 + 12.0 * experts) * width * width +
                            static_cast<double>(layers) * width * experts + 2.0 * 32'000.0 * width;
  facts.parameters = static_cast<std::uint64_t>(parameters);
  facts.weight_bytes = static_cast<std::uint64_t>(parameters * 8.5 / 8.0);
  return facts;
}

struct MadeUpPoint {
  std::string label{};
  ModelFacts model{};
  double output_joules = 1.0;
  double input_joules = 0.1;
  double tokens_per_second = 10.0;
  std::size_t prompt_tokens = 512;
  std::size_t output_tokens = 128;
  int repeats = 5;
  double scatter = 0.001;  ///< of the repeats, relative
};

/// The repeats of a point, whose means are exactly as asked for.
inline std::vector<ProfiledRun> runs_of(const MadeUpPoint& point) {
  std::vector<ProfiledRun> runs;
  for (int round = 1; round <= point.repeats; ++round) {
    const double middle = 0.5 * (point.repeats + 1);
    const double factor = 1.0 + point.scatter * (round - middle);
    ProfiledRun run = run_of(1.0, round);
    run.run_id =
        fmt::format("{:08x}{:08x}", std::hash<std::string>{}(point.label) & 0xffffffffU, round);
    run.model = point.model;
    run.totals.prompt_tokens = point.prompt_tokens;
    run.totals.output_tokens = point.output_tokens;
    run.totals.energy_per_output_token = Joules{point.output_joules * factor};
    run.totals.energy_per_input_token = Joules{point.input_joules * factor};
    run.totals.decode_tokens_per_second = point.tokens_per_second * factor;
    run.tags.push_back(make_tag(kPointTag, point.label));
    // The runs' own errors would hide the made-up spread.
    for (PhaseFigure& phase : run.phases) {
      phase.figure.quality.standard_error = Joules{1e-6};
    }
    runs.push_back(std::move(run));
  }
  return runs;
}

inline ExperimentData data_of(const std::vector<MadeUpPoint>& points,
                              const DataOptions& options = {}) {
  std::vector<ProfiledRun> runs;
  for (const MadeUpPoint& point : points) {
    for (ProfiledRun& run : runs_of(point)) {
      runs.push_back(std::move(run));
    }
  }
  return experiment_data("weekly", std::move(runs), options);
}

/// Whether one of the texts holds this part.
inline bool says(const std::vector<std::string>& texts, const std::string& part) {
  return std::ranges::any_of(
      texts, [&](const std::string& text) { return text.find(part) != std::string::npos; });
}

}  // namespace enprof::testing
