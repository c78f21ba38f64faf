// Points that differ along one axis alone.
#pragma once

#include "experiment/analysis/point_data.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace enprof {

enum class PointAxis : std::uint8_t {
  parameters,    ///< that a decoded token reads; of models of one architecture and quantization
  context,       ///< positions that a decoded token attends to
  micro_batch,   ///< tokens of the prompt that are computed as one graph
  parallel,      ///< sequences at a time
  quantization,  ///< bits per weight; of models of one shape
};

struct PointGroup {
  std::string name{};                 ///< what its points share, for people
  std::vector<std::size_t> points{};  ///< indices into the data's points, by x
  std::vector<double> xs{};
  std::size_t distinct = 0;  ///< different xs
};

/// Groups of two points or more with different values, the largest first. Points without a value on
/// the axis are in none. `has`: which points count.
[[nodiscard]] std::vector<PointGroup> groups_along(const ExperimentData& data, PointAxis axis,
                                                   bool (*has)(const PointData&));

/// Tokens of a prompt that are computed as one graph.
[[nodiscard]] double tokens_in_pass(const PointData& point);

}  // namespace enprof
