// Which points an experiment has, and in which order they are measured.
#pragma once

#include "enprof/base/error.hpp"

#include "experiment/point_axes.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

/// Points that are left out: those that have one of these values in each of these settings.
struct Exclusion {
  std::vector<std::string> models{};                              ///< empty: any
  std::map<std::string, std::vector<int>, std::less<>> values{};  ///< by the axis' key

  [[nodiscard]] bool covers(const ExperimentPoint& point) const;
  friend bool operator==(const Exclusion&, const Exclusion&) = default;
};

/// How the models' answers are judged, beside the measured runs; see quality.hpp.
struct QualityRequest {
  std::string text{};       ///< a file
  std::string reference{};  ///< the model that the others are compared with; empty: the largest
  int chunks = 16;          ///< of the text, at most
  int context = 512;        ///< tokens of a chunk

  friend bool operator==(const QualityRequest&, const QualityRequest&) = default;
};

struct ExperimentDesign {
  std::string name{};
  std::vector<PointBlock> blocks{};
  std::vector<Exclusion> exclusions{};
  int repeats = 5;         ///< of each point; with `precision` at most
  std::uint32_t seed = 0;  ///< of the order and of the prompts
  /// Half the 95 % interval of the mean, over the mean: a point that is as precise is not measured
  /// again.
  std::optional<double> precision{};
  std::optional<QualityRequest> quality{};

  /// The points of all blocks, without those that are excluded. Of two with the same label, the
  /// first.
  [[nodiscard]] std::vector<ExperimentPoint> points() const;
  /// All models, each once.
  [[nodiscard]] std::vector<std::string> models() const;
  friend bool operator==(const ExperimentDesign&, const ExperimentDesign&) = default;
};

/// The most points that an experiment may have.
inline constexpr std::size_t kMostPoints = 10'000;
/// Refuses a design without points, or with more than kMostPoints. Errors: invalid_argument.
[[nodiscard]] Result<void> check_points(const ExperimentDesign& design);

/// So many numbers from 0 on in random order, which depends on seed and round alone.
[[nodiscard]] std::vector<std::size_t> order_of_round(std::uint32_t seed, int round,
                                                      std::size_t count);

/// A design on one line, for the tag of a run, and back. Errors: malformed.
[[nodiscard]] std::string design_to_json(const ExperimentDesign& design);
[[nodiscard]] Result<ExperimentDesign> design_from_json(std::string_view text);

}  // namespace enprof
