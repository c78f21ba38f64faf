// What runs of an experiment say about themselves: their point, round and machine. Kept as tags of
// the run, NAME=VALUE.
#pragma once

#include "enprof/model/profiled_run.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

inline constexpr std::string_view kPointTag = "point";
inline constexpr std::string_view kRoundTag = "round";
inline constexpr std::string_view kMachineTag = "machine";
inline constexpr std::string_view kDesignTag = "design";

/// "round=3".
[[nodiscard]] std::string make_tag(std::string_view name, std::string_view value);
/// The value of the first tag of that name.
[[nodiscard]] std::optional<std::string> tag_value(const std::vector<std::string>& tags,
                                                   std::string_view name);
/// The round of a run of `enprof bench`.
[[nodiscard]] std::optional<int> round_of(const ProfiledRun& run);
/// The point of an experiment that a run belongs to: its tag, else model, quantization, prompt
/// tokens, threads and GPU layers, as the run has them.
[[nodiscard]] std::string point_of(const ProfiledRun& run);

/// The runs by point, in the order in which the points first occur.
struct PointRuns {
  std::string point{};
  std::vector<ProfiledRun> runs{};
};
[[nodiscard]] std::vector<PointRuns> by_point(std::vector<ProfiledRun> runs);

/// Whether a point is meant by a selector: words, separated by commas or blanks, that all occur in
/// it as words or parts of the model's name, ignoring case: "q4,t2".
[[nodiscard]] bool is_meant(std::string_view point, std::string_view selector);

}  // namespace enprof
