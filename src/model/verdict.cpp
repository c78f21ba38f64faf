#include "enprof/model/verdict.hpp"

#include "enprof/model/profiled_run.hpp"

#include "model/command_engine.hpp"
#include "model/verdict_limits.hpp"
#include "model/whole_energy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <span>
#include <utility>

namespace enprof {
namespace {

constexpr std::array<std::string_view, 3> kLevels{"quotable", "with_caution", "not_comparable"};
constexpr std::array<std::string_view, 3> kWords{"quotable", "with caution", "not comparable"};

std::string_view name_of(std::span<const std::string_view> names, VerdictLevel level) {
  const auto index = static_cast<std::size_t>(level);
  return index < names.size() ? names[index] : std::string_view{"unknown"};
}

// More limits: see verdict_limits.hpp.
constexpr double kSomeForeignLoad = 0.03;
constexpr double kSomeError = 0.02;
constexpr double kMuchError = 0.10;

/// What a warning says about the energies of its run.
struct WarningRule {
  std::string_view code;
  VerdictLevel level;
  std::string_view message;
};

constexpr auto kCaution = VerdictLevel::with_caution;
constexpr auto kNot = VerdictLevel::not_comparable;
constexpr auto kWarningRules = std::to_array<WarningRule>({
    {"stood_still", kNot, "the program stood still for a part of the run"},
    {"machine_slept", kNot, "the machine was suspended for a part of the run"},
    {"cpu_throttled", kNot, "the CPUs were throttled because they were hot"},
    {"process_swapped", kNot, "parts of the program were swapped out"},
    {"cpu_quota", kNot, "a CPU quota stopped the program at times"},
    {"cpu_stolen", kCaution, "another virtual machine took CPU time"},
    {"cpu_contention", kCaution, "the program's threads waited for a CPU"},
    {"cpu_frequency_low", kCaution, "the CPUs ran below their base frequency"},
    {"cpu_frequency_changed", kCaution, "the CPUs' speed changed"},
    {"memory_pressure", kCaution, "memory was short"},
    {"io_pressure", kCaution, "programs waited for a disk"},
    {"model_not_in_memory", kCaution, "the model was read from disk during the run"},
    {"sensor_gone", kCaution, "a sensor was lost"},
    {"sensor_restarted", kCaution, "a sensor was lost for a while"},
    {"sensor_stalled", kCaution, "a sensor did not answer for a while"},
    {"sensor_not_started", kCaution, "a sensor did not start"},
    {"sensor_refused", kCaution, "a sensor may not be read by this user"},
    {"sensor_left_out", kCaution, "a sensor was left out"},
    {"socket_missing", kCaution, "a CPU socket is not measured"},
    {"counter_unreadable", kCaution, "an energy counter could not be read"},
    {"counter_reset", kCaution, "an energy counter was reset"},
    {"counter_jumped", kCaution, "an energy counter jumped"},
    {"counter_lapsed", kCaution, "an energy counter was not read in time"},
    {"counter_stopped", kCaution, "an energy counter stopped for a while"},
    {"counter_stalled", kCaution, "an energy counter stood still"},
    {"domain_left_out", kCaution, "a power domain that stood still was left out"},
    {"domain_stands_still", kCaution, "a power domain stood still"},
    {"whole_below_parts", kCaution, "the sensors contradict each other"},
    {"rails_not_added", kCaution, "supply rails of an unknown board were not added up"},
    {"gpus_changed", kCaution, "the set of GPUs changed"},
    {"gauge_mismatch", kCaution, "the battery's values contradict each other"},
    {"bad_windows", kCaution, "some sensor readings were not valid"},
    {"invalid_windows", kCaution, "some sensor readings were not valid"},
    {"processes_left", kCaution, "processes that the command started were left behind"},
    {"baseline_forced", kCaution, "idle power was measured on a busy machine"},
    {"figures_failed", kNot, "the figures could not be computed"},
});

class Judge {
 public:
  explicit Judge(const ProfiledRun& run) : run_(run), figure_(run.totals.figure) {}

  std::vector<VerdictReason> reasons() {
    judge_status();
    if (!figure_.total) {
      add(kNot, "no_energy", "no energy was measured");
    } else {
      judge_method();
      judge_coverage();
      judge_error();
      judge_baseline();
    }
    judge_foreign_load();
    judge_warnings();
    std::ranges::stable_sort(reasons_, std::ranges::greater{}, &VerdictReason::level);
    return std::move(reasons_);
  }

 private:
  void add(VerdictLevel level, std::string code, std::string message) {
    reasons_.push_back({level, std::move(code), std::move(message)});
  }

  void judge_status() {
    if (is_command(run_.model.engine) && run_.status == RunStatus::failed) {
      add(kNot, "not_completed", fmt::format("the command ended with {}", run_.finish_reason));
    } else if (run_.status != RunStatus::completed) {
      add(kNot, "not_completed", fmt::format("the run was {}", to_string(run_.status)));
    }
  }

  void judge_method() {
    if (figure_.quality.method == Method::estimated) {
      add(kNot, "estimate", "an estimate, not a measurement");
      return;
    }
    if (figure_.quality.standard_uncertainty) {
      return;
    }
    std::set<std::string> unknown;
    for (const DomainFigure& domain : run_.power.domains) {
      if (domain.domain.is_root() && !domain.domain.relative_uncertainty) {
        unknown.insert(domain.domain.source);
      }
    }
    if (!unknown.empty()) {
      add(kCaution, "accuracy_unknown",
          fmt::format("the accuracy of {} is not known", fmt::join(unknown, " and ")));
    }
  }

  void judge_coverage() {
    const double coverage = figure_.quality.coverage;
    if (coverage < kFullCoverage) {
      add(coverage < kEnoughCoverage ? kNot : kCaution, "low_coverage",
          fmt::format("only {:.1f} % of the time was measured", 100.0 * coverage));
    }
  }

  void judge_error() {
    const Quality& quality = figure_.quality;
    if (quality.method == Method::estimated) {
      return;
    }
    if (quality.resolution && *quality.resolution < 1.0) {
      add(kNot, "too_short", "the run is shorter than a reading of the sensor");
      return;
    }
    if (!quality.standard_error || figure_.total->value() <= 0.0) {
      return;
    }
    const double error = *quality.standard_error / *figure_.total;
    if (error > kSomeError) {
      add(error > kMuchError ? kNot : kCaution, "too_short",
          fmt::format("the run is short against the sensor: its readings leave ± {:.1f} %",
                      100.0 * error));
    }
  }

  void judge_baseline() {
    if (!figure_.dynamic) {
      add(kCaution, "no_baseline", "no idle baseline");
    } else if (figure_.dynamic->value() < 0.0) {
      add(kNot, "baseline_above_run", "idle power was above that of the run");
    }
  }

  void judge_foreign_load() {
    if (!figure_.quality.foreign_cpu_share) {
      add(kCaution, "foreign_load_unknown", "the load by other processes is not known");
      return;
    }
    const double share = *figure_.quality.foreign_cpu_share;
    const double in_energy = share * cpu_share_of_energy();
    if (in_energy > kSomeForeignLoad) {
      add(in_energy > kMuchForeignLoad ? kNot : kCaution, "foreign_load",
          fmt::format("other processes used {:.1f} % of the busy CPU time", 100.0 * share));
    }
  }

  /// The part of the energy that CPUs can have used: all but that of GPUs. 1 if it is not known.
  [[nodiscard]] double cpu_share_of_energy() const {
    Joules all;
    Joules gpus;
    for (const DomainFigure& domain : run_.power.domains) {
      if (!domain.domain.is_root() || !domain.figure.total) {
        continue;
      }
      all += *domain.figure.total;
      if (domain.domain.kind == DomainKind::gpu || domain.domain.kind == DomainKind::mig) {
        gpus += *domain.figure.total;
      }
    }
    return all.value() > 0.0 ? 1.0 - gpus / all : 1.0;
  }

  void judge_warnings() {
    std::set<std::string_view> said;
    for (const Warning& warning : run_.warnings) {
      const auto* const rule =
          std::ranges::find(kWarningRules, std::string_view{warning.code}, &WarningRule::code);
      if (rule != kWarningRules.end() && said.insert(rule->message).second) {
        add(rule->level, warning.code, std::string{rule->message});
      }
    }
  }

  const ProfiledRun& run_;
  const Figure& figure_;
  std::vector<VerdictReason> reasons_;
};

}  // namespace

std::string_view to_string(VerdictLevel level) noexcept { return name_of(kLevels, level); }
std::string_view words_of(VerdictLevel level) noexcept { return name_of(kWords, level); }

void judge_run(ProfiledRun& run) {
  run.verdict_reasons = Judge(run).reasons();
  run.verdict =
      run.verdict_reasons.empty() ? VerdictLevel::quotable : run.verdict_reasons.front().level;
}

std::string verdict_line(VerdictLevel level, const std::vector<VerdictReason>& reasons) {
  std::string line{words_of(level)};
  for (const VerdictReason& reason : reasons) {
    line += (&reason == reasons.data() ? ": " : "; ") + reason.message;
  }
  return line;
}

}  // namespace enprof
