// The measures of a run that experiments report and compare.
#pragma once

#include "enprof/model/profiled_run.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

enum class Better : std::uint8_t { less, more, neither };

/// One measure. Values are in `unit`, without prefix.
struct Measure {
  std::string_view key{};       ///< for options: "output-token"
  std::string_view name{};      ///< for people: "energy per output token"
  std::string_view unit{};      ///< "J"
  std::string_view json_key{};  ///< the stem of keys and columns, without a unit
  std::string_view json_unit{};
  double json_factor = 1.0;  ///< from `unit` to `json_unit`
  Better better = Better::neither;
  bool of_power = false;      ///< depends on a sensor or an estimate
  bool of_whole_run = false;  ///< depends on how many tokens the run had
  std::optional<double> (*of)(const ProfiledRun&) = nullptr;
  /// The standard error that attribution gives it, without that of the sensor's scale and of idle
  /// power, which several runs share. Null for what is no energy.
  std::optional<double> (*error)(const ProfiledRun&) = nullptr;
};

/// All measures, in the order in which they are shown.
[[nodiscard]] std::span<const Measure> measures();
/// The measure with that key; null if there is none.
[[nodiscard]] const Measure* find_measure(std::string_view key);
/// The keys of those of which less or more is better.
[[nodiscard]] std::vector<std::string> judged_measures();

inline constexpr std::string_view kOutputTokenMeasure = "output-token";
inline constexpr std::string_view kInputTokenMeasure = "input-token";
inline constexpr std::string_view kDecodeSpeedMeasure = "decode-speed";
inline constexpr std::string_view kPrefillSpeedMeasure = "prefill-speed";
inline constexpr std::string_view kFirstTokenMeasure = "first-token";
inline constexpr std::string_view kAboveIdleMeasure = "above-idle";
inline constexpr std::string_view kMeanPowerMeasure = "mean-power";
inline constexpr std::string_view kEdpMeasure = "edp";

/// The memory that the model needs: its weights, and its cache at the run's context. Empty if one
/// of the two is not known.
[[nodiscard]] std::optional<std::uint64_t> memory_of(const ProfiledRun& run);

}  // namespace enprof
