// The settings of a point, and the lists of them that make the points of an experiment.
#pragma once

#include "enprof/base/error.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

/// One combination of settings. Numbers are as their axis says, see axes().
struct ExperimentPoint {
  std::string model{};        ///< its file
  std::string prompt_file{};  ///< whose text is the prompt; empty: tokens that mean nothing
  int prompt_tokens = 512;    ///< without a file
  int output_tokens = 128;    ///< of each sequence
  int filled_tokens = 0;      ///< in the context before the prompt
  int parallel = 1;           ///< sequences at a time
  int threads = 0;            ///< 0: the engine's choice; so are the two below
  int batch = 0;              ///< see GenerateOptions
  int micro_batch = 0;
  int cache_type_k = 0;     ///< index into the axis' words
  int cache_type_v = 0;     ///< as above
  int flash_attention = 0;  ///< as above
  int gpu_layers = -1;      ///< -1: all
  int cpu_power_limit = 0;  ///< W of each CPU package; 0: as it is. So are the two below
  int gpu_power_limit = 0;  ///< W of each GPU
  int cpu_frequency = 0;    ///< MHz, the highest that CPUs may run at
  std::string label{};      ///< "a-q8.gguf p512 n128 t2": names it in tags and tables

  friend bool operator==(const ExperimentPoint&, const ExperimentPoint&) = default;
};

/// Lists whose combinations are points.
struct PointBlock {
  std::string name{};  ///< of the points, instead of the model's; empty: none
  std::vector<std::string> models{};
  std::vector<std::string> prompt_files{};  ///< instead of `prompt_tokens`
  std::vector<int> prompt_tokens{512};
  std::vector<int> output_tokens{128};
  std::vector<int> filled_tokens{0};
  std::vector<int> parallel{1};
  std::vector<int> threads{0};
  std::vector<int> batches{0};
  std::vector<int> micro_batches{0};
  std::vector<int> cache_types_k{0};
  std::vector<int> cache_types_v{0};
  std::vector<int> flash_attention{0};
  std::vector<int> gpu_layers{-1};
  std::vector<int> cpu_power_limits{0};
  std::vector<int> gpu_power_limits{0};
  std::vector<int> cpu_frequencies{0};

  friend bool operator==(const PointBlock&, const PointBlock&) = default;
};

/// A setting that points may differ in.
struct Axis {
  std::string_view key{};    ///< in plans, JSON and columns: "prompt_tokens"
  std::string_view flags{};  ///< on the command line: "-p,--prompt-tokens"
  std::string_view help{};   ///< one line
  std::string_view label{};  ///< before the value in a point's label, and its column: "p"
  int ExperimentPoint::* value = nullptr;
  std::vector<int> PointBlock::* values = nullptr;
  int least = 0;
  int most = 0;
  int usual = 0;                              ///< is not in the label, unless `always`
  std::string_view if_less{};                 ///< the hint for a number below `least`; may be empty
  bool always = false;                        ///< in the label, also where it is the usual one
  bool is_exact = false;                      ///< the usual value is meant, and no choice of others
  bool is_limit = false;                      ///< changes the machine, not the run
  std::span<const std::string_view> words{};  ///< values are indices into these; empty: numbers

  /// "512", "q8_0".
  [[nodiscard]] std::string text_of(int value) const;
  /// A list of values, as a command line or a plan gives it: parse_numbers(), or words. Errors:
  /// invalid_argument.
  [[nodiscard]] Result<std::vector<int>> parse(std::string_view text) const;
};

/// All axes, in the order of a point's label.
[[nodiscard]] std::span<const Axis> axes();
/// The axis with that key; null if there is none.
[[nodiscard]] const Axis* find_axis(std::string_view key);

/// The combinations of a block, models slowest, outputs fastest; with their labels. `with_path`:
/// labels have the models' paths, as their names are not unique.
[[nodiscard]] std::vector<ExperimentPoint> points_of(const PointBlock& block, bool with_path);

/// Why an engine cannot do what the point asks for, or would do the same as for another point;
/// empty if nothing stands against it.
[[nodiscard]] std::optional<std::string> contradiction(const ExperimentPoint& point);

/// A list of whole numbers as llama-bench takes it: "1,2,4", "1-4", "8-32+8", "1-8*2". Each number
/// once, in the order given. Errors: invalid_argument.
[[nodiscard]] Result<std::vector<int>> parse_numbers(std::string_view text, int least, int most);

}  // namespace enprof
