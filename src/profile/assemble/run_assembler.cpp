#include "profile/assemble/run_assembler.hpp"

#include "attribution/attribution.hpp"
#include "attribution/figure_builder.hpp"
#include "base/log.hpp"
#include "profile/assemble/calibrated_priors.hpp"
#include "profile/assemble/domain_timelines.hpp"
#include "profile/assemble/layer_tree.hpp"
#include "profile/assemble/operation_tree.hpp"
#include "profile/assemble/power_peak.hpp"
#include "profile/assemble/run_totals.hpp"
#include "profile/assemble/run_warnings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <iterator>
#include <memory>
#include <string>
#include <utility>

namespace enprof {
namespace {

constexpr Logger kLog{"profile"};

/// The sections of one name in one phase, and the sum of their shares.
struct SectionSum {
  Phase phase;
  std::string name;
  Nanoseconds begin;
  FigureBuilder builder;
};

class Assembler {
 public:
  Assembler(const RecordingView& recording, const PowerEvidence& power, ProfiledRun& run,
            ExtraGroups* extra)
      : recording_(recording),
        power_(power),
        run_(run),
        extra_(extra),
        begin_(recording.spans.front().begin),
        end_(recording.spans.front().end),
        timelines_(power) {}

  /// Returns the number of layer timings in the prefill.
  std::size_t assemble() {
    if (!assemble_spans(run_.depth)) {
      std::vector<SpanGroups> groupings;
      add_extra(recording_.spans, {}, groupings);
      const Attribution attribution =
          attribute(recording_.spans, timelines_.roots(),
                    {.groupings = groupings, .idle_power = timelines_.idle_powers()});
      add_span_figures(recording_.spans, attribution);
      mended_spans_ = attribution.mended_spans();
      if (extra_ != nullptr) {
        extra_->take(attribution, 0, timelines_);
      }
    }
    add_domain_figures();
    run_.power.peak = find_peak(timelines_, begin_, end_, run_);
    compute_process_dynamic();
    compute_totals(run_, power_.standstills, begin_);
    add_figure_warnings(recording_, power_,
                        {.idle_power = idle_power_of_covered_roots(),
                         .has_roots = !timelines_.root_domains().empty(),
                         .rejected_windows = timelines_.rejected_windows(),
                         .mended_spans = mended_spans_},
                        run_);
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
        std::vector<SpanGroups> groupings = tree->groupings();
        const std::size_t own_groupings = groupings.size();
        add_extra(tree->spans(), tree->classes(), groupings);
        const std::vector<ClassPriors> priors = calibrated_priors(*tree);
        const std::vector<std::uint32_t> finer = extra_ != nullptr && priors.empty()
                                                     ? extra_->finer_classes(tree->classes())
                                                     : std::vector<std::uint32_t>{};
        const std::span<const std::uint32_t> classes =
            finer.empty() ? std::span<const std::uint32_t>(tree->classes()) : finer;
        const Attribution attribution = attribute(tree->spans(), timelines_.roots(),
                                                  {.classes = classes,
                                                   .groupings = groupings,
                                                   .idle_power = timelines_.idle_powers(),
                                                   .priors = priors});
        describe_calibration(*tree, priors, attribution);
        tree->fill(attribution, timelines_.root_domains(), run_);
        add_span_figures(tree->spans(), attribution);
        mended_spans_ = attribution.mended_spans();
        prefill_layer_timings_ = tree->prefill_layer_timings();
        if (extra_ != nullptr) {
          extra_->take(attribution, own_groupings, timelines_);
        }
        return true;
      } catch (const std::exception& error) {
        kLog.error("Profiling at depth {} failed: {}", to_string(depth), error.what());
        run_.warnings.push_back(
            {.component = "profile",
             .code = "depth_failed",
             .message = fmt::format("The figures of depth {} could not be computed: {}",
                                    to_string(depth), error.what()),
             .hint = "Profile fewer tokens with -n, or pass a smaller --depth."});
        clear_span_figures();
      }
    }
    return false;
  }

  void add_extra(std::span<const Span> spans, std::span<const std::uint32_t> classes,
                 std::vector<SpanGroups>& groupings) {
    if (extra_ != nullptr) {
      std::ranges::copy(extra_->groupings(spans, classes), std::back_inserter(groupings));
    }
  }

  /// By root: what the calibration says of the tree's classes. Empty without a calibration.
  [[nodiscard]] std::vector<ClassPriors> calibrated_priors(const LayerTree& tree) const {
    std::vector<ClassPriors> priors;
    if (power_.calibration) {
      for (const RootDomain& root : timelines_.root_domains()) {
        priors.push_back(priors_of(*power_.calibration, root.domain->name, tree.class_names()));
      }
    }
    return priors;
  }

  void describe_calibration(const LayerTree& tree, std::span<const ClassPriors> priors,
                            const Attribution& attribution) {
    run_.calibration.reset();
    const std::size_t largest = timelines_.largest_root(begin_, end_);
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

  /// The sum over the roots whose energy is in the totals.
  [[nodiscard]] Watts idle_power_of_covered_roots() const {
    const std::span<const RootDomain> roots = timelines_.root_domains();
    Watts sum;
    for (std::size_t root = 0; root < roots.size(); ++root) {
      if (run_shares_[root].covered > Nanoseconds{0}) {
        sum += roots[root].idle_power.value_or(Watts{0});
      }
    }
    return sum;
  }

  [[nodiscard]] Figure figure(const Span& span, std::span<const EnergyShare> share) const {
    FigureBuilder builder(timelines_.root_domains());
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
            for (std::size_t line = 0; line < rest.size(); ++line) {  // empty outside of phases
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
      section_sums_.push_back({.phase = phase,
                               .name = name,
                               .begin = begin,
                               .builder = FigureBuilder(timelines_.root_domains())});
      sum = section_sums_.end() - 1;
    }
    sum->builder.add(duration, share);
  }

  void add_domain_figures() {
    PowerFigures& power = run_.power;
    power.sources = power_.sources;
    std::size_t root = 0;
    for (std::size_t index = 0; index < power_.domains.size(); ++index) {
      const RootDomain alone = timelines_.alone(index);
      FigureBuilder builder(std::span(&alone, 1));
      // A root's energy is what attribution gave the run, so that the parts add up to it.
      const EnergyShare share = alone.domain->is_root() && root < run_shares_.size()
                                    ? run_shares_[root++]
                                    : timelines_.of(index).share(begin_, end_);
      builder.add(end_ - begin_, std::span(&share, 1));
      DomainFigure domain{.domain = power_.domains[index], .figure = builder.build()};
      domain.domain.stamp_error = timelines_.of(index).stamp_error();
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
      count += timelines_.windows_of(index).size();
    }
    samples.reserve(count);
    for (std::size_t index = 0; index < power_.domains.size(); ++index) {
      for (const EnergyWindow& window : timelines_.windows_of(index)) {
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
    const std::span<const RootDomain> roots = timelines_.root_domains();
    for (std::size_t root = 0; root < roots.size(); ++root) {
      if (!holds_cpus(roots[root].domain->kind)) {
        continue;
      }
      if (!roots[root].idle_power) {
        return;
      }
      for (std::size_t index = 1; index < samples.size(); ++index) {
        const Instant from = std::max(samples[index - 1].at, begin_);
        const Instant to = std::min(samples[index].at, end_);
        const EnergyShare share = timelines_.roots()[root].share(from, to);
        const double others =
            foreign_cpu_share(samples[index - 1].times, samples[index].times).value_or(*whole);
        own += (share.energy - *roots[root].idle_power * share.covered) * (1.0 - others);
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

  const RecordingView& recording_;
  const PowerEvidence& power_;
  ProfiledRun& run_;
  ExtraGroups* extra_;
  Instant begin_;
  Instant end_;
  const DomainTimelines timelines_;
  std::vector<EnergyShare> run_shares_;  // of the run, by root
  std::vector<SectionSum> section_sums_;
  std::span<const Span> spans_;  // while figures are made of them
  std::size_t prefill_layer_timings_ = 0;
  std::size_t mended_spans_ = 0;
};

}  // namespace

std::size_t assemble_run(const RecordingView& recording, const PowerEvidence& power,
                         ProfiledRun& run, ExtraGroups* extra) {
  return recording.spans.empty() ? 0 : Assembler(recording, power, run, extra).assemble();
}

}  // namespace enprof
