// Rated power of CPUs by their name.
#pragma once

#include "enprof/base/units.hpp"

#include <span>
#include <string_view>

namespace enprof {

struct CpuRating {
  std::string_view name;  ///< the words that tell it from others: "EPYC 9554", "i9-13900K"
  Watts tdp;
  unsigned logical_cpus;  ///< threads of the whole part
};

/// The part whose name occurs in a CPU's own name (CpuIdentity), as whole words and in any case;
/// the longest where there are several. Null where the table has none.
[[nodiscard]] const CpuRating* find_cpu_rating(std::string_view cpu_name);

/// Power of one logical CPU of a part that is not in the table, by its family: what is usual for
/// the family's parts that are.
[[nodiscard]] Watts typical_power_per_cpu(std::string_view cpu_name);

/// The whole table, for tests.
[[nodiscard]] std::span<const CpuRating> cpu_ratings();

}  // namespace enprof
