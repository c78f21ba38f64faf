// Which points an experiment has, and in which order they are measured.
#pragma once

#include "enprof/base/error.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

/// One combination of settings.
struct ExperimentPoint {
  std::string model{};  ///< its file
  int prompt_tokens = 512;
  int output_tokens = 128;
  int threads = 0;  ///< 0: the engine's choice; so are the two below
  int batch = 0;    ///< see GenerateOptions
  int micro_batch = 0;
  int gpu_layers = -1;  ///< -1: all
  std::string label{};  ///< "a-q8.gguf p512 n128 t2": names it in tags and tables

  friend bool operator==(const ExperimentPoint&, const ExperimentPoint&) = default;
};

struct ExperimentDesign {
  std::string name{};
  std::vector<std::string> models{};
  std::vector<int> prompt_tokens{512};
  std::vector<int> output_tokens{128};
  std::vector<int> threads{0};
  std::vector<int> batches{0};
  std::vector<int> micro_batches{0};
  std::vector<int> gpu_layers{-1};
  int repeats = 5;         ///< of each point; with `precision` at most
  std::uint32_t seed = 0;  ///< of the order and of the prompts
  /// Half the 95 % interval of the mean, over the mean: a point that is as precise is not measured
  /// again.
  std::optional<double> precision{};

  /// All combinations, models slowest.
  [[nodiscard]] std::vector<ExperimentPoint> points() const;
  friend bool operator==(const ExperimentDesign&, const ExperimentDesign&) = default;
};

/// A list of whole numbers as llama-bench takes it: "1,2,4", "1-4", "8-32+8", "1-8*2". Each number
/// once, in the order given. Errors: invalid_argument.
[[nodiscard]] Result<std::vector<int>> parse_numbers(std::string_view text, int least, int most);

/// So many numbers from 0 on in random order, which depends on seed and round alone.
[[nodiscard]] std::vector<std::size_t> order_of_round(std::uint32_t seed, int round,
                                                      std::size_t count);

/// A design on one line, for the tag of a run, and back. Errors: malformed.
[[nodiscard]] std::string design_to_json(const ExperimentDesign& design);
[[nodiscard]] Result<ExperimentDesign> design_from_json(std::string_view text);

}  // namespace enprof
