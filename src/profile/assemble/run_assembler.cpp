#include "profile/assemble/run_assembler.hpp"

#include "attribution/attribution.hpp"
#include "attribution/figure_builder.hpp"
#include "base/log.hpp"
#include "profile/assemble/layer_tree.hpp"
#include "profile/assemble/operation_tree.hpp"
#include "profile/assemble/run_totals.hpp"
#include "profile/assemble/standstills.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <memory>
#include <string>
#include <utility>

namespace enprof {
namespace {

constexpr Logger kLog{"profile"};

constexpr double kFullCoverage = 0.99;  // below it a run is worth a warning
constexpr double kForeignLoadWarning = 0.10;
constexpr int kLongInIntervals = 10;  // a run without a window that is no shorter was not too short
/// Power is looked at for its peak over at least this long: shorter windows of a stepping counter
/// say more about its steps than about power.
constexpr Nanoseconds kPeakWindow = std::chrono::milliseconds{10};

/// Sections of one name in one phase, and the sum of their shares.
struct SectionSum {
  Phase phase;
  std::string name;
  Nanoseconds begin;
  FigureBuilder builder;
};

class Assembler {
 public:
  Assembler(const Recording& recording, const PowerEvidence& power, ProfiledRun& run)
      : recording_(recording),
        power_(power),
        run_(run),
        begin_(recording.spans.front().begin),
        end_(recording.spans.front().end) {}

  /// Returns how many timings of layers the prefill gave.
  std::size_t assemble() {
    build_timelines();
    if (!assemble_spans(run_.depth)) {
      const Attribution attribution =
          attribute(recording_.spans, root_timelines_, {.idle_power = idle_powers_});
      figures_of_spans(recording_.spans, attribution);
      mended_spans_ = attribution.mended_spans();
    }
    figures_of_domains();
    find_peak();
    find_own_part();
    work_out_totals(run_, power_.standstills, begin_);
    warnings();
    warnings_of_passes();
    return prefill_layer_timings_;
  }

 private:
  /// What there are passes for. A depth that fails makes room for the next coarser one; false where
  /// only spans that the recorder wrote are left.
  bool assemble_spans(Depth depth) {
    for (; depth != Depth::minimal && !recording_.passes.passes.empty();
         depth = depth == Depth::deep ? Depth::module : Depth::minimal) {
      try {
        const std::unique_ptr<LayerTree> profiler =
            depth == Depth::deep ? std::make_unique<OperationTree>(recording_)
                                 : std::make_unique<LayerTree>(recording_);
        const std::vector<SpanGroups> groupings = profiler->groupings();
        const Attribution attribution = attribute(
            profiler->spans(), root_timelines_,
            {.classes = profiler->classes(), .groupings = groupings, .idle_power = idle_powers_});
        profiler->fill(attribution, roots_, run_);
        figures_of_spans(profiler->spans(), attribution);
        mended_spans_ = attribution.mended_spans();
        prefill_layer_timings_ = profiler->prefill_layer_timings();
        return true;
      } catch (const std::exception& error) {
        kLog.error("Profiling at depth {} failed: {}", to_string(depth), error.what());
        warn("profile", "depth_failed",
             fmt::format("What depth {} knows of the run could not be worked out: {}",
                         to_string(depth), error.what()),
             "Profile fewer tokens with -n, or pass a smaller --depth.");
        forget_spans();
      }
    }
    return false;
  }

  void forget_spans() {
    run_.layers.clear();
    run_.components.clear();
    run_.operations.clear();
    run_.operation_table = {};
    run_.phases.clear();
    run_.sections.clear();
    run_.tokens.clear();
    section_sums_.clear();
    run_shares_.clear();
  }

  void build_timelines() {
    std::vector<std::vector<EnergyWindow>> by_domain(power_.domains.size());
    for (const EnergyWindow& window : power_.windows) {
      by_domain[window.domain].push_back(window);
    }
    timelines_.reserve(by_domain.size());
    for (std::size_t index = 0; index < by_domain.size(); ++index) {
      const Domain& domain = power_.domains[index];
      timelines_.emplace_back(by_domain[index], domain.stamp_error);
      rejected_windows_ += timelines_.back().rejected_windows();
      if (domain.is_root()) {
        roots_.push_back({.domain = &domain,
                          .idle_power = idle_power(index),
                          .idle_error = error_of_idle(index)});
        idle_powers_.push_back(idle_power(index));
        root_timelines_.push_back(timelines_.back());
      }
    }
  }

  [[nodiscard]] std::optional<Watts> idle_power(std::size_t domain) const {
    if (!power_.baseline || !power_.baseline->domains[domain]) {
      return std::nullopt;
    }
    return power_.baseline->domains[domain]->power;
  }

  /// Of the roots whose energy the totals hold; each has one where the baseline is known.
  [[nodiscard]] Watts idle_power_of_covered_roots() const {
    Watts sum;
    for (std::size_t root = 0; root < roots_.size(); ++root) {
      if (run_shares_[root].covered > Nanoseconds{0}) {
        sum += roots_[root].idle_power.value_or(Watts{0});
      }
    }
    return sum;
  }

  [[nodiscard]] std::optional<Watts> error_of_idle(std::size_t domain) const {
    if (!power_.baseline || !power_.baseline->domains[domain]) {
      return std::nullopt;
    }
    const IdleBaseline::DomainIdle& idle = *power_.baseline->domains[domain];
    return idle_error(idle.spread, idle.windows);
  }

  [[nodiscard]] Figure figure(const Span& span, std::span<const EnergyShare> share) const {
    FigureBuilder builder(roots_);
    builder.add(span.duration(), share);
    Figure result = builder.build();
    result.quality.foreign_cpu_share = foreign_cpu_share(power_.cpu, span.begin, span.end);
    return result;
  }

  void figures_of_spans(std::span<const Span> spans, const Attribution& attribution) {
    spans_ = spans;
    // What the phase being walked through has outside its sections.
    std::vector<EnergyShare> rest;
    Nanoseconds rest_duration{0};
    const auto close_phase = [&] {
      if (rest_duration > Nanoseconds{0}) {
        add_section(run_.phases.back().phase, kSelfSection, run_.phases.back().begin, rest_duration,
                    rest);
      }
    };

    for (std::size_t index = 0; index < spans_.size(); ++index) {
      const Span& span = spans_[index];
      const std::span<const EnergyShare> share = attribution.shares(index);
      const Nanoseconds since = span.begin - begin_;
      switch (span.level) {
        case Level::run:
          run_.totals.figure = figure(span, share);
          if (auto& foreign = run_.totals.figure.quality.foreign_cpu_share; !foreign) {
            foreign = power_.foreign_cpu_share;
          }
          run_shares_.assign(share.begin(), share.end());
          break;
        case Level::phase:
          if (!run_.phases.empty()) {
            close_phase();
          }
          run_.phases.push_back(
              {.phase = span.phase, .begin = since, .figure = figure(span, share)});
          rest.assign(share.begin(), share.end());
          rest_duration = span.duration();
          break;
        case Level::section:
          add_section(span.phase, section_name(span), since, span.duration(), share);
          if (!outer_section(span)) {
            rest_duration -= span.duration();
            for (std::size_t line = 0; line < share.size(); ++line) {
              rest[line].energy -= share[line].energy;
              rest[line].covered -= share[line].covered;
              rest[line].windows -= share[line].windows;
              rest[line].variance += share[line].variance;
            }
          }
          break;
        case Level::token:
          if (span.token != Span::kNone) {
            const auto token = static_cast<std::size_t>(span.token);
            run_.tokens.push_back({.index = token,
                                   .text = recording_.token_texts[token],
                                   .phase = span.phase,
                                   .begin = since,
                                   .figure = figure(span, share)});
          }
          break;
        case Level::pass:  // from here on down: the profiler's
        case Level::layer:
        case Level::component:
        case Level::operation:
          break;
      }
    }
    if (!run_.phases.empty()) {
      close_phase();
    }
    for (const SectionSum& sum : section_sums_) {
      run_.sections.push_back({.phase = sum.phase,
                               .name = sum.name,
                               .count = sum.builder.spans(),
                               .begin = sum.begin,
                               .figure = sum.builder.build()});
    }
    std::ranges::stable_sort(run_.sections, {}, &SectionFigure::phase);
  }

  /// The section around a section, past the token that may lie between them.
  [[nodiscard]] const Span* outer_section(const Span& span) const {
    for (std::int32_t parent = span.parent; parent > 0;) {
      const Span& outer = spans_[static_cast<std::size_t>(parent)];
      if (outer.level == Level::section) {
        return &outer;
      }
      parent = outer.parent;
    }
    return nullptr;
  }

  /// A nested section is named after the one around it, so that names at the top add up.
  [[nodiscard]] std::string section_name(const Span& span) const {
    std::string name = recording_.names[span.name];
    for (const Span* outer = outer_section(span); outer != nullptr; outer = outer_section(*outer)) {
      name.insert(0, recording_.names[outer->name] + "/");
    }
    return name;
  }

  void add_section(Phase phase, const std::string& name, Nanoseconds begin, Nanoseconds duration,
                   std::span<const EnergyShare> share) {
    auto sum = std::ranges::find_if(section_sums_, [&](const SectionSum& candidate) {
      return candidate.phase == phase && candidate.name == name;
    });
    if (sum == section_sums_.end()) {
      section_sums_.push_back(
          {.phase = phase, .name = name, .begin = begin, .builder = FigureBuilder(roots_)});
      sum = section_sums_.end() - 1;
    }
    sum->builder.add(duration, share);
  }

  void figures_of_domains() {
    PowerFigures& power = run_.power;
    power.sources = power_.sources;
    std::size_t root = 0;
    for (std::size_t index = 0; index < power_.domains.size(); ++index) {
      const RootDomain alone{.domain = &power_.domains[index],
                             .idle_power = idle_power(index),
                             .idle_error = error_of_idle(index)};
      FigureBuilder builder(std::span(&alone, 1));
      // What roots used is what their parts add up to.
      const EnergyShare share = alone.domain->is_root() && root < run_shares_.size()
                                    ? run_shares_[root++]
                                    : timelines_[index].share(begin_, end_);
      builder.add(end_ - begin_, std::span(&share, 1));
      DomainFigure domain{.domain = power_.domains[index], .figure = builder.build()};
      domain.domain.stamp_error = timelines_[index].stamp_error();
      if (power_.baseline && power_.baseline->domains[index]) {
        domain.idle_power = power_.baseline->domains[index]->power;
        domain.idle_spread = power_.baseline->domains[index]->spread;
      }
      power.domains.push_back(std::move(domain));
    }
    if (power_.baseline) {
      power.baseline = power_.baseline->total;
    }
    power.interval = power_.interval;
    for (const EnergyWindow& window : power_.windows) {
      power.samples.push_back({.domain = window.domain,
                               .begin = window.begin - begin_,
                               .end = window.end - begin_,
                               .energy = window.energy});
    }
    for (const SensorReading& reading : power_.readings) {
      power.readings.push_back({.domain = reading.domain,
                                .quantity = reading.quantity,
                                .at = reading.at - begin_,
                                .value = reading.value});
    }
  }

  /// Mean power of a domain over an interval that its windows cover whole.
  [[nodiscard]] static std::optional<Watts> mean_power(const EnergyTimeline& timeline, Instant from,
                                                       Instant to) {
    const EnergyShare share = timeline.share(from, to);
    if (share.covered + Nanoseconds{1} < to - from) {  // 1 ns: coverage is rounded
      return std::nullopt;
    }
    return share.energy / (to - from);
  }

  /// What goes to this process of what the CPUs' roots used beyond idling: by its share of busy CPU
  /// time in each interval between two samples.
  void find_own_part() {
    const std::span<const CpuSample> samples = power_.cpu;
    const auto whole = foreign_cpu_share(samples, begin_, end_);
    if (!whole) {
      return;
    }
    Joules own;
    bool any = false;
    for (std::size_t root = 0; root < roots_.size(); ++root) {
      if (!holds_cpus(roots_[root].domain->kind)) {
        continue;
      }
      if (!roots_[root].idle_power) {
        return;
      }
      for (std::size_t index = 1; index < samples.size(); ++index) {
        const Instant from = std::max(samples[index - 1].at, begin_);
        const Instant to = std::min(samples[index].at, end_);
        const EnergyShare share = root_timelines_[root].share(from, to);
        const double others =
            foreign_cpu_share(samples[index - 1].times, samples[index].times).value_or(*whole);
        own += (share.energy - *roots_[root].idle_power * share.covered) * (1.0 - others);
        any = any || share.covered > Nanoseconds{0};
      }
    }
    if (any) {
      run_.totals.process_dynamic = own;
    }
  }

  [[nodiscard]] static bool holds_cpus(DomainKind kind) {
    switch (kind) {
      case DomainKind::psys:
      case DomainKind::module:
      case DomainKind::soc:
      case DomainKind::package:
      case DomainKind::core:
      case DomainKind::dram:
      case DomainKind::cpu:
        return true;
      case DomainKind::uncore:
      case DomainKind::gpu:
      case DomainKind::mig:
      case DomainKind::ane:
      case DomainKind::other:
        return false;
    }
    return false;
  }

  void find_peak() {
    Nanoseconds length = kPeakWindow;
    for (const RootDomain& root : roots_) {
      length = std::max(length, root.domain->period);
    }
    length = std::min(length, end_ - begin_);
    if (roots_.empty() || length <= Nanoseconds{0}) {
      return;
    }
    // A sliding mean of piecewise constant power is at its highest with an edge on a window's edge.
    const auto consider = [&](Instant from) {
      if (from < begin_ || from + length > end_) {
        return;
      }
      Watts total;
      for (const EnergyTimeline& timeline : root_timelines_) {
        const auto power = mean_power(timeline, from, from + length);
        if (!power) {
          return;
        }
        total += *power;
      }
      if (!run_.power.peak || total > run_.power.peak->power) {
        run_.power.peak =
            PeakPower{.power = total, .at = from - begin_ + length / 2, .window = length};
      }
    };
    consider(begin_);
    consider(end_ - length);
    for (const EnergyTimeline& timeline : root_timelines_) {
      for (std::size_t knot = 0; knot < timeline.knot_count(); ++knot) {
        consider(timeline.knot(knot));
        consider(timeline.knot(knot) - length);
      }
    }
    // What lies outside of the run in windows at its edges was taken for idle in the run's figures
    // alone, and windows that do not tile the run can each be below its mean: the run as a whole is
    // a window, too.
    const auto mean = run_.totals.figure.mean_power;
    if (run_.power.peak && mean && *mean > run_.power.peak->power) {
      run_.power.peak =
          PeakPower{.power = *mean, .at = (end_ - begin_) / 2, .window = end_ - begin_};
      for (const DomainFigure& domain : run_.power.domains) {
        run_.power.peak->by_domain.push_back(domain.figure.mean_power);
      }
    } else if (run_.power.peak) {
      const Instant from = begin_ + run_.power.peak->at - length / 2;
      for (const EnergyTimeline& timeline : timelines_) {
        run_.power.peak->by_domain.push_back(mean_power(timeline, from, from + length));
      }
    }
  }

  void warn(std::string component, std::string code, std::string message, std::string hint = {}) {
    run_.warnings.push_back(
        {std::move(component), std::move(code), std::move(message), std::move(hint)});
  }

  /// Tokens in which the program stood still. Where a standstill begins is known to within a period
  /// of the watch, in which short tokens may have been made.
  [[nodiscard]] std::vector<std::size_t> still_tokens() const {
    std::vector<std::size_t> result;
    for (const TokenFigure& token : run_.tokens) {
      const Instant from = begin_ + token.begin;
      if (time_stood_still(power_.standstills, from, from + token.figure.duration) >
          StandstillWatch::kPeriod * 3 / 2) {
        result.push_back(token.index);
      }
    }
    return result;
  }

  void warnings() {
    const Figure& figure = run_.totals.figure;
    const Nanoseconds stood_still = time_stood_still(power_.standstills, begin_, end_);
    if (auto warning = standstill_warning(power_.standstills, begin_, end_, still_tokens())) {
      run_.warnings.push_back(*std::move(warning));
    }
    if (!roots_.empty() && !figure.total) {
      // A sensor that has stood still since before the run has told so then, not during it.
      const bool is_short = figure.duration < kLongInIntervals * power_.interval;
      warn("power", "no_coverage", "No sensor window falls into the run: its energy is unknown",
           is_short ? "Use a shorter --power-interval-ms, or profile more tokens with -n."
                    : "The sensor has told nothing all the time. Look at it with enprof doctor; "
                      "--power estimate does without.");
    } else if (figure.total && coverage_while_running(figure, stood_still) < kFullCoverage) {
      warn("power", "low_coverage",
           fmt::format("Sensors covered {:.1f} % of the run; the energy of the rest is unknown and "
                       "not in the totals",
                       100.0 * coverage_while_running(figure, stood_still)),
           fmt::format("Ratios (energy per token, tokens per joule, EDP) take it at the mean power "
                       "of what was measured, and are left out below {:g} % of coverage.",
                       100.0 * kEnoughCoverage));
    }
    const auto is_above = [](Watts idle, Watts mean) {
      constexpr double kEqual = 0.01;  // apart by less, they show as the same
      return idle.value() > (1.0 + kEqual) * mean.value();
    };
    if (figure.dynamic && figure.mean_power &&
        is_above(idle_power_of_covered_roots(), *figure.mean_power)) {
      warn("power", "baseline_above_run",
           fmt::format("The idle baseline ({:.2f} W) is above the run's mean power ({:.2f} W)",
                       idle_power_of_covered_roots().value(), figure.mean_power->value()),
           "The machine was busier before the run than in it: let it come to rest, or give "
           "--baseline-s more time.");
    }
    if (const auto& foreign = figure.quality.foreign_cpu_share;
        foreign && *foreign > kForeignLoadWarning) {
      warn("power", "foreign_load",
           fmt::format(
               "Other processes used {:.0f} % of the machine's busy CPU time during the run: {}",
               100.0 * *foreign,
               figure.total ? "their energy is in these figures" : "they slowed it down"),
           "Stop them, and run again.");
    }
    if (rejected_windows_ > 0) {
      warn("power", "bad_windows",
           fmt::format("{} sensor windows had no length or no finite energy and were left out",
                       rejected_windows_));
    }
    if (recording_.dropped_spans > 0) {
      warn("profile", "dropped_spans",
           fmt::format("{} spans did not fit into the run's memory and were dropped; their time "
                       "stays with what contains them",
                       recording_.dropped_spans),
           "Raise max_output_tokens or spans_per_token.");
    }
    if (recording_.dropped_text_bytes > 0) {
      warn("profile", "dropped_text",
           fmt::format("{} bytes of token text did not fit into the run's memory",
                       recording_.dropped_text_bytes));
    }
    if (recording_.cut_spans > 0) {
      warn("profile", "spans_cut",
           fmt::format("{} sections or tokens were still open when another phase began, and end "
                       "there",
                       recording_.cut_spans),
           "Close what belongs to a phase before the next one begins.");
    }
    if (mended_spans_ > 0) {
      warn("profile", "mended_spans",
           fmt::format("{} spans lay outside their parent or across a sibling and were cut",
                       mended_spans_));
    }
  }

  void warnings_of_passes() {
    const PassRecording& passes = recording_.passes;
    const auto count = [&](PassState state) {
      return static_cast<std::size_t>(std::ranges::count(passes.passes, state, &PassRecord::state));
    };
    if (const std::size_t mismatched = count(PassState::mismatched); mismatched > 0) {
      warn("profile", "mismatched_passes",
           fmt::format("{} of {} passes did not follow their plan: their operations are not told "
                       "apart",
                       mismatched, passes.passes.size()));
    }
    if (const std::size_t dropped = count(PassState::dropped); dropped > 0) {
      warn("profile", "dropped_passes",
           fmt::format("{} of {} passes did not fit into the run's memory: their operations are "
                       "not told apart",
                       dropped, passes.passes.size()),
           "Profile fewer tokens with -n, or raise max_operations.");
    }
    if (passes.lost_passes > 0) {
      warn("profile", "lost_passes",
           fmt::format("{} passes came after as many as a run may have: their time stays with "
                       "their sections",
                       passes.lost_passes),
           "Raise max_output_tokens.");
    }
  }

  const Recording& recording_;
  const PowerEvidence& power_;
  ProfiledRun& run_;
  Instant begin_;
  Instant end_;
  std::vector<EnergyTimeline> timelines_;       // by domain
  std::vector<EnergyTimeline> root_timelines_;  // by root
  std::vector<RootDomain> roots_;
  std::vector<EnergyShare> run_shares_;            // of the run, by root
  std::vector<std::optional<Watts>> idle_powers_;  // by root
  std::vector<SectionSum> section_sums_;
  std::span<const Span> spans_;  // while figures are made of them
  std::size_t prefill_layer_timings_ = 0;
  std::size_t mended_spans_ = 0;
  std::size_t rejected_windows_ = 0;
};

}  // namespace

std::size_t assemble_run(const Recording& recording, const PowerEvidence& power, ProfiledRun& run) {
  return recording.spans.empty() ? 0 : Assembler(recording, power, run).assemble();
}

}  // namespace enprof
