#include "experiment/comparison.hpp"

#include "base/counted.hpp"
#include "experiment/comparable.hpp"
#include "experiment/outliers.hpp"
#include "experiment/run_labels.hpp"
#include "report/format.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <span>
#include <tuple>
#include <utility>

namespace enprof {
namespace {

/// Fewer pairs have an interval so wide that independent runs are the better choice.
constexpr std::size_t kLeastRounds = 3;
constexpr double kInfinite = std::numeric_limits<double>::infinity();

/// Why a run is not compared; its code is empty if it is.
VerdictReason why_not(bool of_power, const ProfiledRun& run) {
  if (const VerdictReason* const reason = refusal(of_power, run)) {
    return *reason;
  }
  if (run.status != RunStatus::completed) {
    return {.level = VerdictLevel::not_comparable,
            .code = "not_completed",
            .message = fmt::format("the run was {}", to_string(run.status))};
  }
  return {.level = VerdictLevel::quotable, .code = {}, .message = {}};
}

/// Which runs of a set are outliers; none where they are not all of one point of an experiment.
std::vector<bool> outliers_of(const RunSet& set) {
  const bool is_designed = std::ranges::all_of(set.runs, [&](const ProfiledRun& run) {
    return !run.experiment.empty() && run.experiment == set.runs.front().experiment &&
           round_of(run) && point_of(run) == point_of(set.runs.front());
  });
  return is_designed ? find_outliers(set.runs) : std::vector<bool>(set.runs.size(), false);
}

const VerdictReason& outlying() {
  static const VerdictReason reason{.level = VerdictLevel::not_comparable,
                                    .code = "outlier",
                                    .message = "unlike the point's other runs"};
  return reason;
}

/// A run and its value of the measure.
struct Valued {
  const ProfiledRun* run = nullptr;
  double value = 0.0;
};

struct Side {
  std::vector<Valued> runs{};
  std::string refusal{};  // why there are none

  [[nodiscard]] std::vector<double> values() const {
    std::vector<double> result;
    result.reserve(runs.size());
    for (const Valued& each : runs) {
      result.push_back(each.value);
    }
    return result;
  }
};

Side side_of(const RunSet& set, const Measure& measure) {
  Side side;
  std::string refused;
  const std::vector<bool> is_outlier = outliers_of(set);
  for (std::size_t index = 0; index < set.runs.size(); ++index) {
    const ProfiledRun& run = set.runs[index];
    const VerdictReason reason = is_outlier[index] ? outlying() : why_not(measure.of_power, run);
    if (!reason.code.empty()) {
      refused = refused.empty() ? reason.message : refused;
    } else if (const auto value = measure.of(run)) {
      side.runs.push_back({.run = &run, .value = *value});
    }
  }
  if (side.runs.empty()) {
    side.refusal = refused.empty() ? std::string{kNotMeasured} : refused;
  }
  return side;
}

/// The mean of the values of each round that both sides have, if both belong to one experiment.
std::vector<std::pair<double, double>> rounds_of(const Side& a, const Side& b) {
  struct Sum {
    double total = 0.0;
    double count = 0.0;
  };
  using Rounds = std::map<std::pair<std::string, int>, Sum>;
  const auto collect = [](const Side& side) {
    Rounds rounds;
    for (const Valued& each : side.runs) {
      if (const auto round = round_of(*each.run); round && !each.run->experiment.empty()) {
        Sum& sum = rounds[{each.run->experiment, *round}];
        sum.total += each.value;
        sum.count += 1.0;
      }
    }
    return rounds;
  };
  const Rounds before = collect(a);
  const Rounds after = collect(b);
  std::vector<std::pair<double, double>> pairs;
  for (const auto& [round, sum] : before) {
    if (const auto found = after.find(round); found != after.end()) {
      pairs.emplace_back(sum.total / sum.count, found->second.total / found->second.count);
    }
  }
  return pairs;
}

/// Squared standard error of a side's mean by what each run leaves unknown; empty if a run does not
/// say it.
std::optional<double> own_square(const Side& side, const Measure& measure) {
  if (measure.error == nullptr) {
    return std::nullopt;
  }
  double squares = 0.0;
  for (const Valued& each : side.runs) {
    const auto error = measure.error(*each.run);
    if (!error) {
      return std::nullopt;
    }
    squares += *error * *error;
  }
  const auto count = static_cast<double>(side.runs.size());
  return squares / (count * count);
}

/// Runs that were measured after the same idle measurement share its error.
using BaselineKey = std::tuple<double, Nanoseconds::rep, std::size_t>;

/// Squared relative uncertainty of the change of energy above idle by the error of idle power.
double baseline_square(const Side& a, const Side& b, double mean_a, double mean_b) {
  struct Share {
    double power_error = 0.0;  // W
    double coefficient = 0.0;  // of the change, per watt
  };
  std::map<BaselineKey, Share> shares;
  const double ratio = mean_b / mean_a;
  const auto add = [&](const Side& side, double factor) {
    for (const Valued& each : side.runs) {
      const Figure& figure = each.run->totals.figure;
      const auto& baseline = each.run->power.baseline;
      const auto& whole = figure.quality.dynamic_standard_error;
      const auto& part = figure.quality.standard_error;
      const double time = seconds(figure.duration);
      if (!baseline || !whole || !part || time <= 0.0) {
        continue;
      }
      const double square = whole->value() * whole->value() - part->value() * part->value();
      Share& share =
          shares[{baseline->power.value(), baseline->duration.count(), baseline->windows}];
      share.power_error = std::max(share.power_error, std::sqrt(std::max(square, 0.0)) / time);
      share.coefficient += factor * time / static_cast<double>(side.runs.size());
    }
  };
  add(a, ratio / mean_a);
  add(b, -1.0 / mean_a);
  double result = 0.0;
  for (const auto& [key, share] : shares) {
    const double error = share.power_error * share.coefficient;
    result += error * error;
  }
  return result;
}

/// The relative uncertainty of the sensors' scale; empty where a run does not know it.
std::optional<double> scale_uncertainty(const Side& side) {
  double most = 0.0;
  for (const Valued& each : side.runs) {
    const Figure& figure = each.run->totals.figure;
    const auto uncertainty = figure.quality.sensor_uncertainty();
    if (!uncertainty || !figure.total || figure.total->value() <= 0.0) {
      return std::nullopt;
    }
    most = std::max(most, *uncertainty / *figure.total);
  }
  return most;
}

std::string joined(const std::set<std::string>& values) {
  return values.empty() ? std::string{kAbsent} : fmt::format("{}", fmt::join(values, ", "));
}

/// All values that the compared runs of a set have, so that a set that is not of one kind shows it;
/// of all runs if none is compared.
template <class Of>
std::string setting_of(const RunSet& set, Of of) {
  std::set<std::string> values;
  const auto collect = [&](bool all) {
    for (const ProfiledRun& run : set.runs) {
      if (all || why_not(false, run).code.empty()) {
        std::string value = of(run);
        values.insert(value.empty() ? std::string{kAbsent} : std::move(value));
      }
    }
  };
  collect(false);
  if (values.empty()) {
    collect(true);
  }
  return joined(values);
}

std::string sensors_of(const ProfiledRun& run) {
  std::set<std::string> names;
  for (const DomainFigure& domain : run.power.domains) {
    if (domain.domain.is_root()) {
      names.insert(fmt::format("{}: {}{}{}", domain.domain.source, domain.domain.name,
                               domain.domain.device.empty() ? "" : " ", domain.domain.device));
    }
  }
  return names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "));
}

std::string number_text(const std::optional<int>& value) {
  return value ? fmt::format("{}", *value) : std::string{kAbsent};
}

std::string tokens_of(const ProfiledRun& run) {
  return fmt::format("{} in, {} out", run.totals.prompt_tokens, run.totals.output_tokens);
}

constexpr std::string_view kSensors = "sensors";
constexpr std::string_view kMachine = "machine";
constexpr std::string_view kTokens = "tokens";
constexpr std::string_view kNotStored = "not stored";

std::vector<SetSetting> settings_of(const RunSet& a, const RunSet& b) {
  using Of = std::string (*)(const ProfiledRun&);
  constexpr std::array<std::pair<std::string_view, Of>, 13> kSettings{{
      {"model", [](const ProfiledRun& run) { return run.model.name; }},
      {"quantization", [](const ProfiledRun& run) { return run.model.quantization; }},
      {"engine", [](const ProfiledRun& run) { return run.model.engine; }},
      {"threads", [](const ProfiledRun& run) { return number_text(run.model.threads); }},
      {"GPU layers", [](const ProfiledRun& run) { return number_text(run.model.gpu_layers); }},
      {"context", [](const ProfiledRun& run) { return number_text(run.model.context); }},
      {kTokens, tokens_of},
      {"prompt", [](const ProfiledRun& run) { return quote(run.prompt, 48); }},
      {"depth", [](const ProfiledRun& run) { return std::string{to_string(run.depth)}; }},
      {kSensors, sensors_of},
      {"idle baseline",
       [](const ProfiledRun& run) {
         return std::string{run.power.baseline ? "measured" : "none"};
       }},
      {"calibration",
       [](const ProfiledRun& run) { return std::string{run.calibration ? "used" : "none"}; }},
      {kMachine,
       [](const ProfiledRun& run) {
         return tag_value(run.tags, kMachineTag).value_or(std::string{kNotStored});
       }},
  }};
  std::vector<SetSetting> settings;
  settings.reserve(kSettings.size());
  for (const auto& [name, of] : kSettings) {
    settings.push_back({.name = std::string{name}, .a = setting_of(a, of), .b = setting_of(b, of)});
  }
  return settings;
}

SetUse use_of(const RunSet& set) {
  SetUse use{.name = set.name,
             .model = setting_of(set, [](const ProfiledRun& run) { return run.model.name; }),
             .runs = set.runs.size()};
  // By code, with the first message: messages have values, which differ.
  std::map<std::string, std::pair<std::string, std::size_t>> reasons;
  std::optional<VerdictLevel> worst_of_all;
  const std::vector<bool> is_outlier = outliers_of(set);
  for (std::size_t index = 0; index < set.runs.size(); ++index) {
    const ProfiledRun& run = set.runs[index];
    use.run_ids.push_back(run.run_id);
    if (run.verdict) {
      worst_of_all = std::max(worst_of_all.value_or(*run.verdict), *run.verdict);
    }
    const VerdictReason reason = is_outlier[index] ? outlying() : why_not(true, run);
    if (!reason.code.empty()) {
      ++reasons.try_emplace(reason.code, reason.message, 0).first->second.second;
      continue;
    }
    ++use.used;
    if (run.verdict) {
      use.verdict = std::max(use.verdict.value_or(*run.verdict), *run.verdict);
    }
  }
  if (use.used == 0) {
    use.verdict = worst_of_all;
  }
  for (const auto& [code, reason] : reasons) {
    const auto& [message, count] = reason;
    use.left_out.push_back(
        fmt::format("{}: {}{}", counted(count, "run"), message, count > 1 ? ", or alike" : ""));
  }
  return use;
}

class Comparer {
 public:
  Comparer(const RunSet& a, const RunSet& b, const CompareOptions& options)
      : a_(a), b_(b), options_(options) {}

  Comparison compare() {
    result_.a = use_of(a_);
    result_.b = use_of(b_);
    result_.confidence = options_.confidence;
    result_.settings = settings_of(a_, b_);
    find_obstacles();
    for (const Measure& measure : measures()) {
      result_.changes.push_back(change_of(measure));
    }
    return std::move(result_);
  }

 private:
  [[nodiscard]] const SetSetting& setting(std::string_view name) const {
    return *std::ranges::find(result_.settings, name, &SetSetting::name);
  }

  void find_obstacles() {
    const SetSetting& machine = setting(kMachine);
    const bool is_known = machine.a != kNotStored && machine.b != kNotStored;
    if (options_.same_machine) {
      // The user knows.
    } else if (machine.differs() && is_known) {
      result_.obstacle =
          fmt::format("the runs were made on different machines: {} and {}", machine.a, machine.b);
    } else if (!is_known && (a_.is_from_files || b_.is_from_files)) {
      result_.obstacle =
          "files do not say on which machine they were made; --same-machine says that it was one";
    }
    const SetSetting& sensors = setting(kSensors);
    if (sensors.differs()) {
      result_.energy_obstacle = fmt::format(
          "the runs were measured with different sensors: {} and {}", sensors.a, sensors.b);
    }
  }

  [[nodiscard]] bool does_scale_cancel() const {
    return result_.obstacle.empty() && result_.energy_obstacle.empty();
  }

  [[nodiscard]] MeasureChange change_of(const Measure& measure) const {
    MeasureChange change{.measure = &measure};
    const Side a = side_of(a_, measure);
    const Side b = side_of(b_, measure);
    if (!a.runs.empty()) {
      change.a = mean_interval(a.values(), options_.confidence);
    }
    if (!b.runs.empty()) {
      change.b = mean_interval(b.values(), options_.confidence);
    }
    const SetSetting& tokens = setting(kTokens);
    if (!change.a || !change.b) {
      change.refusal = change.a ? b.refusal : a.refusal;
    } else if (measure.of_whole_run && tokens.differs()) {
      change.refusal = fmt::format("not the same work: {} and {}", tokens.a, tokens.b);
    } else if (change.a->mean <= 0.0) {
      change.refusal = "the value of A is not above zero";
    } else {
      find_change(change, a, b);
    }
    return change;
  }

  void find_change(MeasureChange& change, const Side& a, const Side& b) const {
    const auto rounds = rounds_of(a, b);
    const bool is_paired = rounds.size() >= kLeastRounds;
    const ChangeInterval found =
        is_paired ? paired_change(rounds, options_.confidence)
                  : independent_change(a.values(), b.values(), options_.confidence);
    change.change = found.change;
    change.repeats = is_paired ? rounds.size() : std::min(a.runs.size(), b.runs.size());
    change.basis = is_paired ? Basis::rounds : found.half ? Basis::repeats : Basis::single;

    const double ratio = change.b->mean / change.a->mean;
    const double factor = coverage_factor(options_.confidence, kInfinite);
    // A spread that is smaller than what the runs leave unknown is so by chance.
    std::optional<double> half = found.half;
    const auto own_a = own_square(a, *change.measure);
    const auto own_b = own_square(b, *change.measure);
    if (own_a && own_b) {
      const double own = factor * std::sqrt(ratio * ratio * *own_a + *own_b) / change.a->mean;
      half = std::max(half.value_or(0.0), own);
    }
    if (!half) {
      change.basis = Basis::none;
      change.no_half = "one run says nothing about the spread between runs";
      return;
    }
    double square = *half * *half;
    if (change.measure->key == kAboveIdleMeasure) {
      square += factor * factor * baseline_square(a, b, change.a->mean, change.b->mean);
    }
    if (change.measure->of_power && !does_scale_cancel()) {
      const auto scale_a = scale_uncertainty(a);
      const auto scale_b = scale_uncertainty(b);
      if (!scale_a || !scale_b) {
        change.basis = Basis::none;
        change.no_half = "the accuracy of a sensor is not known, and does not cancel here";
        return;
      }
      square += factor * factor * ratio * ratio * (*scale_a * *scale_a + *scale_b * *scale_b);
    }
    change.half = std::sqrt(square);
  }

  const RunSet& a_;
  const RunSet& b_;
  const CompareOptions& options_;
  Comparison result_;
};

std::string change_text(const MeasureChange& change) {
  return fmt::format("{:+.1f} % ± {:.1f} %", 100.0 * *change.change, 100.0 * *change.half);
}

}  // namespace

std::string_view to_string(Basis basis) noexcept {
  constexpr std::array<std::string_view, 4> kNames{"none", "single", "repeats", "rounds"};
  const auto index = static_cast<std::size_t>(basis);
  return index < kNames.size() ? kNames[index] : "unknown";
}

std::string_view to_string(Judgement judgement) noexcept {
  constexpr std::array<std::string_view, 3> kNames{"passed", "worse", "undecided"};
  const auto index = static_cast<std::size_t>(judgement);
  return index < kNames.size() ? kNames[index] : "unknown";
}

const MeasureChange& Comparison::of(const Measure& measure) const {
  return *std::ranges::find(changes, &measure, &MeasureChange::measure);
}

Comparison compare_sets(const RunSet& a, const RunSet& b, const CompareOptions& options) {
  return Comparer(a, b, options).compare();
}

Ruling rule_on(const Comparison& comparison, const Measure& measure, double threshold) {
  const auto undecided = [](std::string reason) {
    return Ruling{.judgement = Judgement::undecided, .reason = std::move(reason)};
  };
  const MeasureChange& change = comparison.of(measure);
  if (!change.refusal.empty()) {
    return undecided(fmt::format("{} cannot be compared: {}", measure.name, change.refusal));
  }
  if (!comparison.obstacle.empty()) {
    return undecided(comparison.obstacle);
  }
  if (measure.of_power && !comparison.energy_obstacle.empty()) {
    return undecided(comparison.energy_obstacle);
  }
  if (!change.half) {
    return undecided(change.no_half);
  }
  if (change.basis == Basis::single) {
    return undecided(
        "one run on a side says nothing about the spread between runs: repeat both, at least five "
        "times");
  }
  const double worse = measure.better == Better::more ? -*change.change : *change.change;
  const std::string text = fmt::format("{} {}", measure.name, change_text(change));
  if (worse - *change.half > threshold) {
    return {.judgement = Judgement::worse,
            .reason = fmt::format("{}: worse by more than {:g} %", text, 100.0 * threshold)};
  }
  if (worse + *change.half > threshold && *change.half > threshold) {
    // The interval narrows with the root of the number of repeats.
    const double needed = threshold > 0.0
                              ? std::ceil(static_cast<double>(change.repeats) *
                                          (*change.half / threshold) * (*change.half / threshold))
                              : kInfinite;
    return undecided(
        needed < 1e6 ? fmt::format("{}: too few repeats for {:g} %; about {:.0f} of each would do",
                                   text, 100.0 * threshold, needed)
                     : fmt::format("{}: too few repeats for {:g} %", text, 100.0 * threshold));
  }
  return {.judgement = Judgement::passed,
          .reason = fmt::format("{}: not shown to be worse by more than {:g} %", text,
                                100.0 * threshold)};
}

}  // namespace enprof
