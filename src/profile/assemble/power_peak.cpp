#include "profile/assemble/power_peak.hpp"

#include <algorithm>
#include <cstddef>

namespace enprof {
namespace {

/// The peak is a mean over at least this time: in shorter windows of a counter that steps, power
/// depends on the steps.
constexpr Nanoseconds kPeakWindow = std::chrono::milliseconds{10};

class PeakFinder {
 public:
  PeakFinder(const DomainTimelines& timelines, Instant begin, Instant end, const ProfiledRun& run)
      : timelines_(timelines), begin_(begin), end_(end), run_(run) {}

  std::optional<PeakPower> find() {
    length_ = kPeakWindow;
    for (const RootDomain& root : timelines_.root_domains()) {
      length_ = std::max(length_, root.domain->period);
    }
    length_ = std::min(length_, end_ - begin_);
    if (timelines_.root_domains().empty() || length_ <= Nanoseconds{0}) {
      return std::nullopt;
    }
    // A sliding mean of piecewise constant power has its maximum where the begin or end of the
    // interval lies on a window's edge.
    consider(begin_);
    consider(end_ - length_);
    for (const EnergyTimeline& timeline : timelines_.roots()) {
      for (std::size_t knot = 0; knot < timeline.knot_count(); ++knot) {
        consider(timeline.knot(knot));
        consider(timeline.knot(knot) - length_);
      }
    }
    if (!peak_) {
      return std::nullopt;
    }
    const Instant from = begin_ + peak_->at - length_ / 2;
    for (std::size_t index = 0; index < run_.power.domains.size(); ++index) {
      peak_->by_domain.push_back(mean_power(timelines_.of(index), from, from + length_));
    }
    // The mean of the run or of a phase can be above that of each interval: a phase may be shorter,
    // intervals that do not tile it can each be below its mean, and of a window at the run's edge
    // the figures leave out what was drawn outside. Such a mean is a peak too, so that it is never
    // above what is printed as the peak. It is at most the power of a window that it touches.
    consider_mean(run_.totals.figure, Nanoseconds{0});
    for (const PhaseFigure& phase : run_.phases) {
      consider_mean(phase.figure, phase.begin);
    }
    return peak_;
  }

 private:
  /// The mean power of the interval that begins here, if it lies within the run and is covered.
  void consider(Instant from) {
    if (from < begin_ || from + length_ > end_) {
      return;
    }
    Watts total;
    for (const EnergyTimeline& timeline : timelines_.roots()) {
      const auto power = mean_power(timeline, from, from + length_);
      if (!power) {
        return;
      }
      total += *power;
    }
    if (!peak_ || total > peak_->power) {
      peak_ = PeakPower{.power = total, .at = from - begin_ + length_ / 2, .window = length_};
    }
  }

  /// Makes the mean power of the run or of a phase the peak if it is higher.
  void consider_mean(const Figure& span, Nanoseconds begin) {
    if (!span.mean_power || *span.mean_power <= peak_->power) {
      return;
    }
    const bool is_run = span.duration == end_ - begin_;
    peak_ = PeakPower{
        .power = *span.mean_power, .at = begin + span.duration / 2, .window = span.duration};
    for (std::size_t index = 0; index < run_.power.domains.size(); ++index) {
      peak_->by_domain.push_back(is_run ? run_.power.domains[index].figure.mean_power
                                        : mean_power(timelines_.of(index), begin_ + begin,
                                                     begin_ + begin + span.duration));
    }
  }

  const DomainTimelines& timelines_;
  Instant begin_;
  Instant end_;
  const ProfiledRun& run_;
  Nanoseconds length_{0};  // of the intervals
  std::optional<PeakPower> peak_;
};

}  // namespace

std::optional<PeakPower> find_peak(const DomainTimelines& timelines, Instant begin, Instant end,
                                   const ProfiledRun& run) {
  return PeakFinder(timelines, begin, end, run).find();
}

}  // namespace enprof
