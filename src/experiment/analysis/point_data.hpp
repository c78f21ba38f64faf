// What analyses know of an experiment: its points with their facts, and means over their runs.
#pragma once

#include "enprof/model/profiled_run.hpp"

#include "base/mean_interval.hpp"
#include "experiment/comparison.hpp"
#include "experiment/run_labels.hpp"

#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

/// A mean over the runs of a point.
struct MeasuredValue {
  double value = 0.0;
  /// Standard error of the mean: from the spread between runs, but at least what the runs leave
  /// unknown by themselves. Empty for one run, which says nothing about the spread.
  std::optional<double> error{};
  double freedom = std::numeric_limits<double>::infinity();
  std::size_t count = 0;

  /// Half the interval of the mean.
  [[nodiscard]] std::optional<double> half(double confidence = kUsualConfidence) const;
};

/// A component of the decode phase.
struct ComponentEnergy {
  std::string component{};
  MeasuredValue energy{};  ///< J per output token
  MeasuredValue share{};   ///< of all components
};

/// A figure of the quality of a model's answers, and its standard error.
struct QualityFigure {
  double value = 0.0;
  std::optional<double> error{};
};

/// What the uncertainty of an energy per output token is made of, each as a share of it: standard
/// uncertainties of the mean.
struct UncertaintyBudget {
  std::optional<double> spread{};  ///< between runs; empty for one run
  std::optional<double> own{};     ///< what attribution leaves unknown in each run
  std::optional<double> scale{};   ///< of the sensor; cancels on one machine
  /// Of the scale, and of the larger of the other two; empty without the scale or without both.
  [[nodiscard]] std::optional<double> combined() const;
};

/// One point. Energies are in J, speeds in tokens per second.
struct PointData {
  std::string label{};
  ModelFacts model{};                  ///< of its first run; nothing but defaults without one
  std::size_t prompt_tokens = 0;       ///< of all sequences
  std::size_t output_tokens = 0;       ///< as above
  std::optional<int> filled_tokens{};  ///< in the context before the prompt
  std::optional<int> parallel{};       ///< sequences at a time
  std::optional<int> micro_batch{};    ///< tokens that are computed as one graph
  std::size_t runs = 0;                ///< completed
  std::size_t used = 0;                ///< of these, those whose energies can be compared
  std::optional<VerdictLevel> verdict{};
  std::string no_energy{};                       ///< why there are no energies; empty if there are
  std::optional<MeasuredValue> output_energy{};  ///< per output token
  std::optional<MeasuredValue> input_energy{};   ///< per prompt token
  std::optional<MeasuredValue> output_speed{};
  std::optional<MeasuredValue> input_speed{};
  std::optional<MeasuredValue> first_token_s{};
  std::optional<MeasuredValue> mean_power_w{};
  std::optional<MeasuredValue> energy{};  ///< of a run
  UncertaintyBudget budget{};
  std::optional<QualityFigure> perplexity{};
  std::optional<QualityFigure> kl_divergence{};  ///< from the reference model, nats
  std::vector<ComponentEnergy> components{};     ///< most first; empty at minimal depth
  std::vector<ProfiledRun> all_runs{};           ///< also those that are not used

  /// The model's name and quantization, for people.
  [[nodiscard]] std::string model_name() const;
  /// "p512 n128 t2": the label without the model.
  [[nodiscard]] std::string settings() const;
  [[nodiscard]] std::size_t sequences() const;
  /// The mean number of positions that a decoded token attends to.
  [[nodiscard]] double decode_context() const;
  [[nodiscard]] RunSet run_set() const;
};

struct DataOptions {
  /// Estimates count as energies. Without it they are refused: an estimate says how long CPUs were
  /// busy, times a power that was not measured.
  bool estimates = false;
};

struct ExperimentData {
  std::string name{};
  std::vector<PointData> points{};     ///< those that have a run, in the order of the design
  std::vector<std::string> missing{};  ///< labels of the design that have no completed run
  /// What is not as designed: rounds that are missing. Sentences.
  std::vector<std::string> notes{};
  bool has_estimates = false;  ///< energies are estimates, and are used
  std::vector<std::string> machines{};
  std::vector<std::string> sensors{};
  std::vector<std::string> engines{};
  std::optional<WallTime> first{};  ///< when its first run began
  std::optional<WallTime> last{};

  /// Points with an energy per output token.
  [[nodiscard]] std::size_t points_with_energy() const;
};

/// All runs of one experiment. The lists of layers and components need not be there.
[[nodiscard]] ExperimentData experiment_data(std::string name, std::vector<ProfiledRun> runs,
                                             const DataOptions& options = {});

/// The value of a setting in a point's label: 8 of "ub" in "a.gguf p512 ub8".
[[nodiscard]] std::optional<int> label_setting(std::string_view label, std::string_view name);

}  // namespace enprof
