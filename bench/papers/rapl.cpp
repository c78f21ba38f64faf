#include "bench/papers/rapl.hpp"

#include <algorithm>
#include <cmath>

namespace enprof::papers {
namespace {

/// The first update after a time; updates().end() if there is none.
auto update_after(const RaplRegister& source, double time_s) {
  return std::ranges::upper_bound(source.updates(), time_s, {}, &RaplRegister::Update::at_s);
}

}  // namespace

RaplRegister::RaplRegister(const PowerCourse& course, const Facts& facts, Dice& dice)
    : facts_(facts) {
  double at_s = course.begin_s() + facts.interval_s * dice.unit();
  while (at_s < course.end_s()) {
    const double units = std::floor(course.joules_until(at_s) / facts.unit_j);
    const auto counted = static_cast<std::uint64_t>(units);
    updates_.push_back({at_s, static_cast<std::uint32_t>(facts.start + counted)});
    at_s += std::max(0.2 * facts.interval_s, facts.interval_s + facts.jitter_s * dice.gauss());
    if (dice.unit() < facts.delayed) {
      at_s += dice.wait(facts.delay_s);
    }
  }
}

Readings read_rapl(const RaplRegister& source, const AlignedReader& reader, Dice& dice) {
  Readings readings;
  const double round_s = reader.updates * source.facts().interval_s - reader.early_s;
  std::uint32_t last = 0;
  bool has_last = false;
  auto update = source.updates().begin();
  while (update != source.updates().end()) {
    // The loop's reads before and after the change: the step lies anywhere between them.
    double between_s = reader.look_s;
    if (dice.unit() < reader.interrupted) {
      between_s += dice.wait(reader.interrupt_s);
    }
    const double before_s = update->at_s - between_s * dice.unit();
    const double after_s = before_s + between_s;
    readings.until((before_s + after_s) / 2.0, has_last ? source.joules(last, update->value) : 0.0);
    last = update->value;
    has_last = true;
    update = update_after(source, after_s + round_s + dice.wait(reader.late_s));
  }
  readings.set_stamp_error(anywhere_in(reader.look_s));
  return readings;
}

Readings read_rapl(const RaplRegister& source, const PacedReader& reader, Dice& dice) {
  Readings readings;
  const double interval_s = source.facts().interval_s;
  double now_s = source.updates().front().at_s + interval_s * dice.unit();
  std::uint32_t last = 0;
  bool has_last = false;
  while (now_s < source.updates().back().at_s) {
    const std::uint32_t value = std::prev(update_after(source, now_s))->value;
    if (!has_last || value != last) {
      readings.until(now_s - interval_s / 2.0, has_last ? source.joules(last, value) : 0.0);
      last = value;
      has_last = true;
    }
    now_s += reader.sleep_s + dice.wait(reader.late_s);
  }
  readings.set_stamp_error(anywhere_in(interval_s));
  return readings;
}

}  // namespace enprof::papers
