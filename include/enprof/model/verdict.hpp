// How far the numbers of a run may be quoted.
#pragma once

#include "enprof/base/export.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

struct ProfiledRun;

/// From best to worst.
enum class VerdictLevel : std::uint8_t {
  quotable,        ///< its energies may stand in a paper, with their uncertainties
  with_caution,    ///< they may too, together with the reasons
  not_comparable,  ///< they are not those of this work on this machine: no ratio of them means
                   ///< anything
};

[[nodiscard]] ENPROF_API std::string_view to_string(VerdictLevel level) noexcept;
/// For people: "quotable", "with caution", "not comparable".
[[nodiscard]] ENPROF_API std::string_view words_of(VerdictLevel level) noexcept;

/// Why a run is not simply quotable.
struct VerdictReason {
  VerdictLevel level = VerdictLevel::with_caution;
  std::string code;     ///< short and stable, for programs: foreign_load, estimate, …
  std::string message;  ///< for people: a few words without a full stop

  friend bool operator==(const VerdictReason&, const VerdictReason&) = default;
};

/// Judges a run by its figures and warnings: sets its verdict and the reasons, the worst first. The
/// rules and the reasons for their thresholds are in docs/quoting.md.
ENPROF_API void judge_run(ProfiledRun& run);

/// "with caution: no idle baseline; other processes used 4.2 % of the busy CPU time".
[[nodiscard]] ENPROF_API std::string verdict_line(VerdictLevel level,
                                                  const std::vector<VerdictReason>& reasons);

}  // namespace enprof
