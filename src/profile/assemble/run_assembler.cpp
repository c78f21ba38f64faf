#include "profile/assemble/run_assembler.hpp"

#include "attribution/attribution.hpp"
#include "attribution/figure_builder.hpp"
#include "base/counted.hpp"
#include "base/log.hpp"
#include "model/verdict_limits.hpp"
#include "profile/assemble/calibrated_priors.hpp"
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

constexpr int kLongInIntervals = 10;  // a run of this many intervals was not too short for a window
/// The peak is a mean over at least this time: in shorter windows of a counter that steps, power
/// depends on the steps.
constexpr Nanoseconds kPeakWindow = std::chrono::milliseconds{10};

/// The sections of one name in one phase, and the sum of their shares.
struct SectionSum {
  Phase phase;
  std::string name;
  Nanoseconds begin;
  FigureBuilder builder;
};

class Assembler {
 public:
  Assembler(const RecordingView& recording, const PowerEvidence& power, ProfiledRun& run)
      : recording_(recording),
        power_(power),
        run_(run),
        begin_(recording.spans.front().begin),
        end_(recording.spans.front().end) {}

  /// Returns the number of layer timings in the prefill.
  std::size_t assemble() {
    build_timelines();
    if (!assemble_spans(run_.depth)) {
      const Attribution attribution =
          attribute(recording_.spans, root_timelines_, {.idle_power = idle_powers_});
      add_span_figures(recording_.spans, attribution);
      mended_spans_ = attribution.mended_spans();
    }
    add_domain_figures();
    find_peak();
    compute_process_dynamic();
    compute_totals(run_, power_.standstills, begin_);
    add_warnings();
    add_pass_warnings();
    return prefill_layer_timings_;
  }

 private:
  /// Makes the figures of spans and passes at this depth or, if that fails, at the next coarser
  /// one. False if there are no passes, or if no depth is left at which passes have figures.
  bool assemble_spans(Depth depth) {
    for (; depth != Depth::minimal && !recording_.passes.passes.empty();
         depth = depth == Depth::deep ? Depth::module : Depth::minimal) {
      try {
        const std::unique_ptr<LayerTree> tree = depth == Depth::deep
                                                    ? std::make_unique<OperationTree>(recording_)
                                                    : std::make_unique<LayerTree>(recording_);
        const std::vector<SpanGroups> groupings = tree->groupings();
        const std::vector<ClassPriors> priors = calibrated_priors(*tree);
        const Attribution attribution = attribute(tree->spans(), root_timelines_,
                                                  {.classes = tree->classes(),
                                                   .groupings = groupings,
                                                   .idle_power = idle_powers_,
                                                   .priors = priors});
        describe_calibration(*tree, priors, attribution);
        tree->fill(attribution, roots_, run_);
        add_span_figures(tree->spans(), attribution);
        mended_spans_ = attribution.mended_spans();
        prefill_layer_timings_ = tree->prefill_layer_timings();
        return true;
      } catch (const std::exception& error) {
        kLog.error("Profiling at depth {} failed: {}", to_string(depth), error.what());
        warn("profile", "depth_failed",
             fmt::format("The figures of depth {} could not be computed: {}", to_string(depth),
                         error.what()),
             "Profile fewer tokens with -n, or pass a smaller --depth.");
        clear_span_figures();
      }
    }
    return false;
  }

  /// By root: what the calibration says of the tree's classes. Empty without a calibration.
  [[nodiscard]] std::vector<ClassPriors> calibrated_priors(const LayerTree& tree) const {
    std::vector<ClassPriors> priors;
    if (power_.calibration) {
      for (const RootDomain& root : roots_) {
        priors.push_back(priors_of(*power_.calibration, root.domain->name, tree.class_names()));
      }
    }
    return priors;
  }

  void describe_calibration(const LayerTree& tree, std::span<const ClassPriors> priors,
                            const Attribution& attribution) {
    run_.calibration.reset();
    const std::size_t largest = largest_root();
    if (largest >= priors.size()) {
      return;
    }
    const ClassPriors& known = priors[largest];
    const std::span<const std::uint32_t> classes = tree.classes();
    Nanoseconds all{0};
    Nanoseconds calibrated{0};
    for (std::size_t index = 0; index < classes.size(); ++index) {
      if (classes[index] != kNoClass) {
        const Nanoseconds length = tree.spans()[index].duration();
        all += length;
        calibrated += known[classes[index]] ? length : Nanoseconds{0};
      }
    }
    if (calibrated > Nanoseconds{0}) {
      run_.calibration = {.made_at = power_.calibration->made_at,
                          .classes = static_cast<std::size_t>(std::ranges::count_if(
                              known, [](const auto& prior) { return prior.has_value(); })),
                          .time_share = seconds(calibrated) / seconds(all),
                          .power_ratio = attribution.class_powers(largest).prior_factor};
    }
  }

  /// The root with the most energy in the run.
  [[nodiscard]] std::size_t largest_root() const {
    std::size_t largest = 0;
    Joules most{0.0};
    for (std::size_t root = 0; root < root_timelines_.size(); ++root) {
      if (const Joules energy = root_timelines_[root].share(begin_, end_).energy; energy > most) {
        largest = root;
        most = energy;
      }
    }
    return largest;
  }

  void clear_span_figures() {
    run_.calibration.reset();
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

  /// The timelines of the roots come first, so that they are one span for attribution.
  void build_timelines() {
    const std::vector<Domain>& domains = power_.domains;
    timelines_.reserve(domains.size());
    timeline_of_.resize(domains.size());
    for (const bool root : {true, false}) {
      for (std::size_t index = 0; index < domains.size(); ++index) {
        if (domains[index].is_root() != root) {
          continue;
        }
        timeline_of_[index] = timelines_.size();
        timelines_.emplace_back(windows_of(index), domains[index].stamp_error);
        rejected_windows_ += timelines_.back().rejected_windows();
        if (root) {
          roots_.push_back({.domain = &domains[index],
                            .idle_power = idle_power(index),
                            .idle_error = error_of_idle(index)});
          idle_powers_.push_back(idle_power(index));
        }
      }
    }
    root_timelines_ = std::span(timelines_).first(roots_.size());
  }

  [[nodiscard]] std::span<const EnergyWindow> windows_of(std::size_t domain) const {
    return domain < power_.windows.size() ? std::span<const EnergyWindow>(power_.windows[domain])
                                          : std::span<const EnergyWindow>{};
  }
  [[nodiscard]] const EnergyTimeline& timeline(std::size_t domain) const {
    return timelines_[timeline_of_[domain]];
  }

  [[nodiscard]] std::optional<Watts> idle_power(std::size_t domain) const {
    if (!power_.baseline || !power_.baseline->domains[domain]) {
      return std::nullopt;
    }
    return power_.baseline->domains[domain]->power;
  }

  /// The sum over the roots whose energy is in the totals.
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

  void add_span_figures(std::span<const Span> spans, const Attribution& attribution) {
    spans_ = spans;
    // The current phase's share and time outside its sections.
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
                                   .text = std::string(recording_.token_texts[token]),
                                   .phase = span.phase,
                                   .begin = since,
                                   .figure = figure(span, share)});
          }
          break;
        case Level::pass:  // LayerTree::fill() makes the figures of this level and those below
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

  /// The innermost section around a section; a token may lie between them. Null if there is none.
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

  /// The name of a nested section begins with that of the section around it ("outer/inner"), so
  /// that sections whose names have no slash add up to the phase.
  [[nodiscard]] std::string section_name(const Span& span) const {
    std::string name(recording_.names[span.name]);
    for (const Span* outer = outer_section(span); outer != nullptr; outer = outer_section(*outer)) {
      name.insert(0, fmt::format("{}/", recording_.names[outer->name]));
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

  void add_domain_figures() {
    PowerFigures& power = run_.power;
    power.sources = power_.sources;
    std::size_t root = 0;
    for (std::size_t index = 0; index < power_.domains.size(); ++index) {
      const RootDomain alone{.domain = &power_.domains[index],
                             .idle_power = idle_power(index),
                             .idle_error = error_of_idle(index)};
      FigureBuilder builder(std::span(&alone, 1));
      // A root's energy is what attribution gave the run, so that the parts add up to it.
      const EnergyShare share = alone.domain->is_root() && root < run_shares_.size()
                                    ? run_shares_[root++]
                                    : timeline(index).share(begin_, end_);
      builder.add(end_ - begin_, std::span(&share, 1));
      DomainFigure domain{.domain = power_.domains[index], .figure = builder.build()};
      domain.domain.stamp_error = timeline(index).stamp_error();
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
    add_samples();
    for (const SensorReading& reading : power_.readings) {
      power.readings.push_back({.domain = reading.domain,
                                .quantity = reading.quantity,
                                .at = reading.at - begin_,
                                .value = reading.value});
    }
  }

  /// Adds the windows of all domains that overlap the run, sorted by begin, with times relative to
  /// the run's begin.
  void add_samples() {
    std::vector<PowerSample>& samples = run_.power.samples;
    std::size_t count = 0;
    for (std::size_t index = 0; index < power_.domains.size(); ++index) {
      count += windows_of(index).size();
    }
    samples.reserve(count);
    for (std::size_t index = 0; index < power_.domains.size(); ++index) {
      for (const EnergyWindow& window : windows_of(index)) {
        if (window.end <= begin_ || window.begin >= end_) {
          continue;
        }
        samples.push_back({.domain = index,
                           .begin = window.begin - begin_,
                           .end = window.end - begin_,
                           .energy = window.energy});
      }
    }
    std::ranges::stable_sort(samples, {}, &PowerSample::begin);
  }

  /// Mean power of a domain over an interval; empty if its windows do not cover the whole interval.
  [[nodiscard]] static std::optional<Watts> mean_power(const EnergyTimeline& timeline, Instant from,
                                                       Instant to) {
    const EnergyShare share = timeline.share(from, to);
    if (share.covered + Nanoseconds{1} < to - from) {  // 1 ns: coverage is rounded
      return std::nullopt;
    }
    return share.energy / (to - from);
  }

  /// This process's part of the energy above idle of the roots that hold CPUs. In each interval
  /// between two CPU samples it is the process's share of the busy CPU time.
  void compute_process_dynamic() {
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
    // A sliding mean of piecewise constant power has its maximum where the begin or end of the
    // interval lies on a window's edge.
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
    if (!run_.power.peak) {
      return;
    }
    const Instant from = begin_ + run_.power.peak->at - length / 2;
    for (std::size_t index = 0; index < power_.domains.size(); ++index) {
      run_.power.peak->by_domain.push_back(mean_power(timeline(index), from, from + length));
    }
    // The mean of the run or of a phase can be above that of each interval: a phase may be shorter,
    // intervals that do not tile it can each be below its mean, and of a window at the run's edge
    // the figures leave out what was drawn outside. Such a mean is a peak too, so that it is never
    // above what is printed as the peak. It is at most the power of a window that it touches.
    consider_mean(run_.totals.figure, Nanoseconds{0});
    for (const PhaseFigure& phase : run_.phases) {
      consider_mean(phase.figure, phase.begin);
    }
  }

  /// Makes the mean power of the run or of a phase the peak if it is higher.
  void consider_mean(const Figure& span, Nanoseconds begin) {
    if (!span.mean_power || *span.mean_power <= run_.power.peak->power) {
      return;
    }
    const bool is_run = span.duration == end_ - begin_;
    run_.power.peak = PeakPower{
        .power = *span.mean_power, .at = begin + span.duration / 2, .window = span.duration};
    for (std::size_t index = 0; index < power_.domains.size(); ++index) {
      run_.power.peak->by_domain.push_back(
          is_run ? run_.power.domains[index].figure.mean_power
                 : mean_power(timeline(index), begin_ + begin, begin_ + begin + span.duration));
    }
  }

  void warn(std::string component, std::string code, std::string message, std::string hint = {}) {
    run_.warnings.push_back(
        {std::move(component), std::move(code), std::move(message), std::move(hint)});
  }

  /// The tokens during which the program stood still. The begin of a standstill is known only to
  /// within a period of the watch, and short tokens may have been made in that period: they do not
  /// count.
  [[nodiscard]] std::vector<std::size_t> tokens_with_standstill() const {
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

  void add_warnings() {
    const Figure& figure = run_.totals.figure;
    const Nanoseconds stood_still = time_stood_still(power_.standstills, begin_, end_);
    if (auto warning =
            standstill_warning(power_.standstills, begin_, end_, tokens_with_standstill())) {
      run_.warnings.push_back(*std::move(warning));
    }
    if (!roots_.empty() && !figure.total) {
      // A sensor that stopped before the run warned of it then; this run has no such warning.
      const bool is_short = figure.duration < kLongInIntervals * power_.interval;
      warn("power", "no_coverage", "No sensor reading falls into the run: its energy is unknown",
           is_short
               ? "Use a shorter --power-interval-ms, or profile a longer run (more tokens: -n)."
               : "The sensor gave no reading during the whole run. See the other "
                 "warnings, or check it with enprof doctor.");
    } else if (figure.total && coverage_while_running(figure, stood_still) < kFullCoverage) {
      warn("power", "low_coverage",
           fmt::format("Sensors covered {:.1f} % of the run; the energy of the rest is unknown and "
                       "not in the totals",
                       100.0 * coverage_while_running(figure, stood_still)),
           fmt::format("Ratios (energy per token, tokens per joule, EDP) assume the measured mean "
                       "power for the rest. Below {:g} % coverage there are no ratios.",
                       100.0 * kEnoughCoverage));
    }
    const auto is_above = [](Watts idle, Watts mean) {
      constexpr double kEqual = 0.01;  // a smaller relative difference does not show
      return idle.value() > (1.0 + kEqual) * mean.value();
    };
    if (figure.dynamic && figure.mean_power &&
        is_above(idle_power_of_covered_roots(), *figure.mean_power)) {
      warn("power", "baseline_above_run",
           fmt::format("The idle baseline ({:.2f} W) is above the run's mean power ({:.2f} W)",
                       idle_power_of_covered_roots().value(), figure.mean_power->value()),
           "The machine was busier before the run than during it. Wait until it is idle, or "
           "measure the baseline for longer: --baseline-s.");
    }
    if (const auto& foreign = figure.quality.foreign_cpu_share;
        foreign && *foreign > kMuchForeignLoad) {
      warn("power", "foreign_load",
           fmt::format(
               "Other processes used {:.1f} % of the machine's busy CPU time during the run: {}",
               100.0 * *foreign,
               figure.total ? "their energy is in these figures" : "they slowed it down"),
           "Stop them, and run again.");
    }
    if (rejected_windows_ > 0) {
      warn("power", "bad_windows",
           fmt::format("Left out: {} without a duration or without a finite energy",
                       counted(rejected_windows_, "sensor reading")));
    }
    if (recording_.dropped_spans > 0) {
      warn(
          "profile", "dropped_spans",
          fmt::format("{} did not fit into the run's memory: that time counts for the spans around",
                      counted(recording_.dropped_spans, "span")),
          "Raise max_output_tokens or spans_per_token.");
    }
    if (recording_.dropped_text_bytes > 0) {
      warn("profile", "dropped_text",
           fmt::format("{} of token text did not fit into the run's memory",
                       counted(recording_.dropped_text_bytes, "byte")));
    }
    if (recording_.cut_spans > 0) {
      warn("profile", "spans_cut",
           fmt::format("Cut where the next phase began: {}, open until then",
                       counted(recording_.cut_spans, "span")),
           "Close the sections and tokens of a phase before the next phase begins.");
    }
    if (mended_spans_ > 0) {
      warn("profile", "mended_spans",
           fmt::format("Cut: {} that reached outside a parent or overlapped a sibling",
                       counted(mended_spans_, "span")));
    }
  }

  void add_pass_warnings() {
    const PassRecordingView& passes = recording_.passes;
    const auto count = [&](PassState state) {
      return static_cast<std::size_t>(std::ranges::count(passes.passes, state, &PassRecord::state));
    };
    if (const std::size_t mismatched = count(PassState::mismatched); mismatched > 0) {
      warn("profile", "mismatched_passes",
           fmt::format("{} of {} passes did not follow their plan: the times and energies of their "
                       "operations are unknown",
                       mismatched, passes.passes.size()));
    }
    if (const std::size_t dropped = count(PassState::dropped); dropped > 0) {
      warn("profile", "dropped_passes",
           fmt::format("{} of {} passes did not fit into the run's memory: the times and energies "
                       "of their operations are unknown",
                       dropped, passes.passes.size()),
           "Profile fewer tokens with -n, or raise max_operations.");
    }
    if (passes.lost_passes > 0) {
      warn("profile", "lost_passes",
           fmt::format("Passes that did not fit into the run's memory: {}. Their time counts only "
                       "for their sections",
                       passes.lost_passes),
           "Raise max_output_tokens.");
    }
    if (passes.lost_sequences > 0) {
      warn(
          "profile", "lost_sequences",
          fmt::format("Sequences of batches that did not fit into the run's memory: {}. The energy "
                      "of their passes cannot be divided among them",
                      passes.lost_sequences),
          "Raise max_output_tokens.");
    }
  }

  const RecordingView& recording_;
  const PowerEvidence& power_;
  ProfiledRun& run_;
  Instant begin_;
  Instant end_;
  std::vector<EnergyTimeline> timelines_;           // of the roots, then of the other domains
  std::vector<std::size_t> timeline_of_;            // by domain: an index into timelines_
  std::span<const EnergyTimeline> root_timelines_;  // by root
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

std::size_t assemble_run(const RecordingView& recording, const PowerEvidence& power,
                         ProfiledRun& run) {
  return recording.spans.empty() ? 0 : Assembler(recording, power, run).assemble();
}

}  // namespace enprof
