#include "bench/sim/sensor.hpp"

#include "bench/sim/random.hpp"

#include <cmath>

namespace enprof::sim {
namespace {

Nanoseconds scaled(Nanoseconds time, double factor) {
  return Nanoseconds{std::llround(static_cast<double>(time.count()) * factor)};
}

/// The counter's register after each of its steps.
class Counter {
 public:
  struct Step {
    Instant at;
    std::uint64_t quanta;  // modulo the range
  };

  Counter(const PowerTrace& trace, const CounterModel& model, Random& random)
      : model_(model),
        range_(static_cast<std::uint64_t>(std::llround(model.range_j / model.quantum_j))) {
    // It has been running for long: the phase of its grid and its value are random.
    const double before_j = random.uniform(0.0, model.range_j);
    Instant grid = trace.begin() - scaled(model.step, random.uniform());
    while (grid <= trace.end()) {
      const Instant at = grid + scaled(model.step_jitter, random.normal());
      const double energy = before_j + trace.until(at).value();
      if (at >= trace.begin() && at <= trace.end()) {
        steps_.push_back({at, static_cast<std::uint64_t>(energy / model.quantum_j) % range_});
      }
      grid += model.step;
    }
  }

  [[nodiscard]] const std::vector<Step>& steps() const { return steps_; }
  [[nodiscard]] Joules difference(std::uint64_t from, std::uint64_t to) const {
    const std::uint64_t quanta = to >= from ? to - from : to + range_ - from;
    return Joules{static_cast<double>(quanta) * model_.quantum_j};
  }

 private:
  CounterModel model_;
  std::uint64_t range_;
  std::vector<Step> steps_;
};

/// Collects readings of a counter into windows from one change of its value to the next.
class CounterReader {
 public:
  explicit CounterReader(const Counter& counter) : counter_(counter) {}

  void read(Instant at, std::uint64_t quanta) {
    if (seen_ && quanta != last_) {
      const Joules energy = counter_.difference(last_, quanta);
      view_.windows.push_back({.begin = last_at_, .end = at, .energy = energy});
      view_.points.push_back({at, energy / (at - last_at_)});
    }
    if (!seen_ || quanta != last_) {
      last_ = quanta;
      last_at_ = at;
    }
    seen_ = true;
  }
  [[nodiscard]] SensorView view(Nanoseconds stamp_error) {
    view_.stamp_error = stamp_error;
    return std::move(view_);
  }

 private:
  const Counter& counter_;
  SensorView view_;
  bool seen_ = false;
  std::uint64_t last_ = 0;
  Instant last_at_;
};

Watts whole_milliwatts(Watts power) { return from_mw(std::round(to_mw(power))); }

}  // namespace

SensorView read_counter(const PowerTrace& trace, const CounterModel& counter,
                        const FreeReads& reads, std::uint64_t seed) {
  Random random(seed);
  const Counter stepping(trace, counter, random);
  CounterReader reader(stepping);
  std::size_t step = 0;
  const Instant first = trace.begin() + scaled(reads.interval, random.uniform());
  for (Instant due = first; due < trace.end(); due += reads.interval) {
    const Instant at = due + scaled(reads.lateness, random.exponential(1.0));
    while (step + 1 < stepping.steps().size() && stepping.steps()[step + 1].at <= at) {
      ++step;
    }
    if (stepping.steps()[step].at <= at) {
      reader.read(at - counter.step / 2, stepping.steps()[step].quanta);
    }
  }
  // Uniform over a step.
  return reader.view(scaled(counter.step, 1.0 / std::sqrt(12.0)));
}

SensorView read_counter(const PowerTrace& trace, const CounterModel& counter,
                        const LockedReads& reads, std::uint64_t seed) {
  Random random(seed);
  const Counter stepping(trace, counter, random);
  CounterReader reader(stepping);
  for (std::size_t step = 0; step < stepping.steps().size();
       step += static_cast<std::size_t>(reads.every)) {
    while (step < stepping.steps().size() && random.chance(reads.missed)) {
      ++step;
    }
    if (step < stepping.steps().size()) {
      const Counter::Step& seen = stepping.steps()[step];
      reader.read(seen.at + scaled(reads.poll, random.uniform() - 0.5), seen.quanta);
    }
  }
  return reader.view(scaled(reads.poll, 1.0 / std::sqrt(12.0)));
}

SensorView read_means(const PowerTrace& trace, const MeanModel& model, std::uint64_t seed) {
  Random random(seed);
  SensorView view;
  Instant begin = trace.begin();
  Instant told_begin = begin;
  while (true) {
    const Instant end = begin + model.window + scaled(model.window_jitter, random.normal());
    if (end > trace.end()) {
      break;
    }
    const Watts power = whole_milliwatts(trace.energy(begin, end) / (end - begin));
    const Instant told_end = end + scaled(model.lateness, random.exponential(1.0));
    view.windows.push_back({.begin = told_begin, .end = told_end, .energy = power * (end - begin)});
    view.points.push_back({told_end, power});
    begin = end;
    told_begin = told_end;
  }
  view.stamp_error = model.lateness;
  return view;
}

SensorView read_part_time(const PowerTrace& trace, const PartTimeModel& model, std::uint64_t seed) {
  Random random(seed);
  SensorView view;
  const auto unseen = static_cast<std::uint16_t>(1000 - 1000 * model.window / model.period);
  Instant end = trace.begin() + model.window + scaled(model.period, random.uniform());
  for (; end <= trace.end(); end += model.period) {
    const Watts power = whole_milliwatts(trace.energy(end - model.window, end) / model.window);
    if (!view.points.empty()) {
      view.windows.push_back({.unseen_permille = unseen,
                              .begin = end - model.period,
                              .end = end,
                              .energy = power * model.period});
    }
    view.points.push_back({end, power});
  }
  return view;
}

SensorView read_instants(const PowerTrace& trace, const InstantModel& model, std::uint64_t seed) {
  Random random(seed);
  SensorView view;
  const Instant first = trace.begin() + scaled(model.interval, random.uniform());
  for (Instant due = first; due < trace.end(); due += model.interval) {
    const Instant at = due + scaled(model.lateness, random.exponential(1.0));
    const PowerPoint point{at, whole_milliwatts(trace.power(at))};
    if (!view.points.empty()) {
      const PowerPoint& last = view.points.back();
      view.windows.push_back({.unseen_permille = 1000,
                              .begin = last.at,
                              .end = at,
                              .energy = (last.power + point.power) / 2.0 * (at - last.at)});
    }
    view.points.push_back(point);
  }
  return view;
}

}  // namespace enprof::sim
