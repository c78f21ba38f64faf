// Compares two runs, or two sets of repeated runs.
#pragma once

#include "enprof/model/profiled_run.hpp"

#include "experiment/interval.hpp"
#include "experiment/measure.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

/// Runs of the same work.
struct RunSet {
  std::string name{};               ///< for people
  std::vector<ProfiledRun> runs{};  ///< at least one
  bool is_from_files = false;       ///< not from the database of this machine
};

struct CompareOptions {
  double confidence = kUsualConfidence;
  bool same_machine = false;  ///< the user says so, where runs do not say where they were made
};

/// What an interval rests on.
enum class Basis : std::uint8_t {
  none,     ///< there is no interval
  single,   ///< one run on a side: what these runs say of themselves
  repeats,  ///< the spread of independent repeats
  rounds,   ///< differences within rounds of one experiment
};
[[nodiscard]] std::string_view to_string(Basis basis) noexcept;

/// The refusal of a measure that no run of a set has.
inline constexpr std::string_view kNotMeasured = "not measured";

/// One measure of both sets. Values are in the measure's unit.
struct MeasureChange {
  const Measure* measure = nullptr;
  std::optional<MeanInterval> a{};  ///< of the runs that can be compared
  std::optional<MeanInterval> b{};
  std::optional<double> change{};  ///< B over A, minus 1
  /// Half the interval of the change: the spread between repeats, but at least what the runs leave
  /// unknown, and what does not cancel between the sets.
  std::optional<double> half{};
  Basis basis = Basis::none;
  std::size_t repeats = 0;  ///< rounds, or the runs of the smaller set
  std::string refusal{};    ///< why no change is computed; empty if one is
  std::string no_half{};    ///< why the change has no interval; empty if it has one
};

/// A setting of both sets, as text.
struct SetSetting {
  std::string name{};
  std::string a{};
  std::string b{};
  [[nodiscard]] bool differs() const { return a != b; }
};

/// A set as it was used.
struct SetUse {
  std::string name{};
  std::string model{};
  std::size_t runs = 0;
  std::size_t used = 0;                   ///< whose energies can be compared
  std::optional<VerdictLevel> verdict{};  ///< the worst of the runs used; of all if none is
  std::vector<std::string> left_out{};    ///< reasons, each with its number of runs
  std::vector<std::string> run_ids{};
};

struct Comparison {
  SetUse a{};
  SetUse b{};
  double confidence = kUsualConfidence;
  std::vector<MeasureChange> changes{};  ///< in the order of measures()
  std::vector<SetSetting> settings{};
  /// Why no verdict can be given on this pair at all: other sensors, another machine. Empty if
  /// nothing stands against it.
  std::string energy_obstacle{};  ///< for what depends on a sensor
  std::string obstacle{};         ///< for everything

  [[nodiscard]] const MeasureChange& of(const Measure& measure) const;
};

[[nodiscard]] Comparison compare_sets(const RunSet& a, const RunSet& b,
                                      const CompareOptions& options = {});

enum class Judgement : std::uint8_t {
  passed,     ///< it is not shown that B is worse by more than the threshold, and the data would
  worse,      ///< B is worse, and the whole interval exceeds the threshold
  undecided,  ///< the data allows no verdict
};
[[nodiscard]] std::string_view to_string(Judgement judgement) noexcept;

struct Ruling {
  Judgement judgement = Judgement::undecided;
  std::string reason{};  ///< a sentence for people, without a full stop
};

/// Whether B is worse than A in this measure by more than `threshold` (0.02 is 2 %).
[[nodiscard]] Ruling rule_on(const Comparison& comparison, const Measure& measure,
                             double threshold);

}  // namespace enprof
