// Rated power of CPUs by their name.
#pragma once

#include "enprof/base/units.hpp"

#include <span>
#include <string_view>

namespace enprof {

struct CpuRating {
  std::string_view name;  ///< the words that identify it: "EPYC 9554", "i9-13900K"
  Watts tdp;
  unsigned logical_cpus;  ///< threads of the whole part
};

/// The part whose name occurs in a CPU's own name (CpuIdentity), as whole words and in any case;
/// the longest if there are several. Null if the table has none.
[[nodiscard]] const CpuRating* find_cpu_rating(std::string_view cpu_name);

/// Power of one logical CPU of a part that is not in the table: the median of its family's parts in
/// the table.
[[nodiscard]] Watts typical_power_per_cpu(std::string_view cpu_name);

/// The whole table, for tests.
[[nodiscard]] std::span<const CpuRating> cpu_ratings();

}  // namespace enprof
