// Measures the error of energies by sensor, level and method, on programs whose energy is known,
// through models of real sensors (bench/sim), and through others of an independent hand
// (bench/papers).
//
// Error: mean absolute error over the items of a level, as a share of their mean true energy.
// Within: share of items whose true energy lies within two standard errors.
// Calibrated: with the classes' powers from a simulated replay, through the same sensor.
#include "accuracy_bench.hpp"

#include "attribution/attribution.hpp"
#include "attribution/replay_powers.hpp"
#include "bench/papers/nvml.hpp"
#include "bench/papers/powermetrics.hpp"
#include "bench/papers/rapl.hpp"
#include "bench/sim/naive.hpp"
#include "bench/sim/program.hpp"
#include "bench/sim/replay.hpp"
#include "bench/sim/sensor.hpp"
#include "figure.hpp"

#include <cmath>
#include <functional>
#include <map>
#include <string>
#include <tuple>
#include <vector>

namespace enprof::bench {
namespace {

using sim::Program;
using sim::SensorView;

/// class_long: the classes whose operations take longer than a window on average.
constexpr std::array kLevels{"phase", "token", "layer", "component", "class", "class_long"};

struct Sensor {
  std::string name;
  std::function<SensorView(const sim::PowerTrace&, std::uint64_t seed)> read;
};

std::vector<Sensor> simulated_sensors() {
  const auto counter = [](const sim::CounterModel& model, const auto& reads) {
    return [=](const sim::PowerTrace& trace, std::uint64_t seed) {
      return sim::read_counter(trace, model, reads, seed);
    };
  };
  const sim::CounterModel fine{.quantum_j = 0x1p-16, .range_j = 65536.0};
  return {
      {"rapl_locked", counter(sim::CounterModel{}, sim::LockedReads{})},
      {"rapl_locked_15uj", counter(fine, sim::LockedReads{})},
      {"rapl_locked_10ms", counter(sim::CounterModel{}, sim::LockedReads{.every = 10})},
      {"rapl_free", counter(sim::CounterModel{}, sim::FreeReads{})},
      {"means_100ms",
       [](const auto& trace, std::uint64_t seed) { return sim::read_means(trace, {}, seed); }},
      {"nvml_25of100ms",
       [](const auto& trace, std::uint64_t seed) { return sim::read_part_time(trace, {}, seed); }},
      {"instant_10hz",
       [](const auto& trace, std::uint64_t seed) { return sim::read_instants(trace, {}, seed); }},
  };
}

papers::PowerCourse course_of(const sim::PowerTrace& trace) {
  papers::PowerCourse course(seconds(trace.begin() - Instant{}));
  trace.for_each_piece(
      [&](Nanoseconds length, Watts power) { course.add(seconds(length), power.value()); });
  return course;
}

/// The same readings as powers, each at the end of its window.
SensorView view_of(papers::Readings readings) {
  SensorView view{.stamp_error = readings.stamp_error};
  for (const EnergyWindow& window : readings.windows) {
    view.points.push_back({window.end, window.energy / window.duration()});
  }
  view.windows = std::move(readings.windows);
  return view;
}

std::vector<Sensor> papers_sensors() {
  const auto sensor = [](const auto& read) {
    return [=](const sim::PowerTrace& trace, std::uint64_t seed) {
      papers::Dice dice(seed);
      return view_of(read(course_of(trace), dice));
    };
  };
  const auto rapl = [&](const auto& reader) {
    return sensor([=](const papers::PowerCourse& course, papers::Dice& dice) {
      return papers::read_rapl(papers::RaplRegister(course, {}, dice), reader, dice);
    });
  };
  const auto counter = [&](const papers::NvmlSensor& gpu) {
    return sensor([=](const papers::PowerCourse& course, papers::Dice& dice) {
      return papers::read_nvml_counter(course, gpu, {}, dice);
    });
  };
  return {{"rapl_aligned", rapl(papers::AlignedReader{})},
          {"rapl_aligned_10ms", rapl(papers::AlignedReader{.updates = 10})},
          {"rapl_paced", rapl(papers::PacedReader{})},
          {"powermetrics_100ms", sensor([](const papers::PowerCourse& course, papers::Dice& dice) {
             return papers::read_powermetrics(course, {}, dice);
           })},
          {"nvml_counter_10of20ms", counter(papers::kV100)},
          {"nvml_counter_25of100ms", counter(papers::kA100)},
          {"power_lagging_830ms", sensor([](const papers::PowerCourse& course, papers::Dice& dice) {
             return papers::read_lagging_power(course, {}, dice);
           })}};
}

/// Errors of one method over the items of a level.
struct Errors {
  double absolute = 0.0;
  double truth = 0.0;
  std::size_t items = 0;
  std::size_t within = 0;
  std::size_t unknown = 0;  // items without an energy by this method

  void add(double true_j, double found_j, double error_j) {
    absolute += std::abs(found_j - true_j);
    truth += true_j;
    ++items;
    within += std::abs(found_j - true_j) <= 2.0 * error_j ? 1 : 0;
  }
  [[nodiscard]] double percent() const { return 100.0 * absolute / truth; }
  [[nodiscard]] double within_percent() const {
    return 100.0 * static_cast<double>(within) / static_cast<double>(items);
  }
};

/// By sensor, level, method.
using Table = std::map<std::tuple<std::string, std::string, std::string>, Errors>;

/// The groups of a program's operations at one level.
struct Level {
  std::string name;
  std::vector<std::uint32_t> of_span;
  std::uint32_t count = 0;
  std::vector<Joules> truth;          // by group
  std::vector<Nanoseconds> duration;  // by group
  std::vector<std::size_t> members;   // by group
};

template <class Key>
Level level_of(const Program& program, std::string name, const Key& key_of) {
  Level level{.name = std::move(name),
              .of_span = std::vector<std::uint32_t>(program.spans.size(), SpanGroups::kNone)};
  std::map<decltype(key_of(std::size_t{0})), std::uint32_t> numbers;
  for (std::size_t index = 0; index < program.spans.size(); ++index) {
    if (program.class_of[index] != Program::kNone) {
      level.of_span[index] = numbers.try_emplace(key_of(index), level.count).first->second;
      level.count = static_cast<std::uint32_t>(numbers.size());
      level.truth.resize(level.count);
      level.duration.resize(level.count);
      level.members.resize(level.count);
      const std::uint32_t group = level.of_span[index];
      level.truth[group] += program.truth(program.spans[index]);
      level.duration[group] += program.spans[index].duration();
      ++level.members[group];
    }
  }
  return level;
}

std::vector<Level> levels_of(const Program& program) {
  const auto component = [&](std::size_t index) {
    return program.classes[program.class_of[index]].component;
  };
  return {level_of(program, "layer",
                   [&](std::size_t index) {
                     return std::tuple{program.spans[index].phase, program.layer_of[index]};
                   }),
          level_of(program, "component",
                   [&](std::size_t index) {
                     return std::tuple{program.spans[index].phase, program.layer_of[index],
                                       component(index)};
                   }),
          level_of(program, "class", [&](std::size_t index) { return program.class_of[index]; })};
}

/// Adds a share as a user would read it: mean power × duration, if windows leave gaps.
void add_share(Errors& errors, Joules truth, Nanoseconds duration, const EnergyShare& share) {
  if (share.covered <= Nanoseconds{0}) {
    ++errors.unknown;
    return;
  }
  const double scale = seconds(duration) / seconds(share.covered);
  errors.add(truth.value(), share.energy.value() * scale, std::sqrt(share.variance) * scale);
}

/// The rows of the table to which a group belongs.
std::vector<std::string> names_of(const Level& level, std::uint32_t group, const SensorView& view) {
  std::vector<std::string> names{level.name};
  const Nanoseconds window =
      (view.windows.back().end - view.windows.front().begin) / view.windows.size();
  const auto members = static_cast<Nanoseconds::rep>(level.members[group]);
  if (level.name == "class" && level.duration[group] / members > window) {
    names.emplace_back("class_long");
  }
  return names;
}

using Priors = std::vector<std::optional<PriorPower>>;  // by class

/// What a calibration through a sensor says of each class. The deviation that it states holds what
/// a replay cannot show (kReplayDeviation).
Priors priors_of(const SensorView& view, const sim::Replay& replay, std::size_t classes) {
  const EnergyTimeline timeline(view.windows, view.stamp_error);
  Priors priors(classes);
  const auto powers = powers_of_replay(timeline, replay.slices, classes);
  for (std::size_t work = 0; work < classes; ++work) {
    if (powers[work]) {
      priors[work] = {.watts = powers[work]->watts,
                      .deviation = std::hypot(powers[work]->deviation, kReplayDeviation)};
    }
  }
  return priors;
}

void measure(const Program& program, const std::string& sensor, const SensorView& view,
             const Priors& priors, Table& table) {
  const std::vector<EnergyTimeline> timelines{EnergyTimeline(view.windows, view.stamp_error)};
  const std::vector<Level> levels = levels_of(program);
  std::vector<SpanGroups> groupings;
  groupings.reserve(levels.size());
  for (const Level& level : levels) {
    groupings.push_back({.of_span = level.of_span, .count = level.count});
  }
  const std::vector<std::optional<Watts>> idle{Watts{sim::Machine{}.idle_w}};
  const auto attributed = [&](bool by_time_alone, std::span<const Priors> calibration = {}) {
    return attribute(program.spans, timelines,
                     {.classes = program.class_of,
                      .groupings = groupings,
                      .idle_power = by_time_alone ? std::span<const std::optional<Watts>>{} : idle,
                      .priors = calibration,
                      .by_time_alone = by_time_alone});
  };
  for (const auto& [method, attribution] :
       {std::pair{"ours", attributed(false)},
        std::pair{"calibrated", attributed(false, {&priors, 1})},
        std::pair{"by_time", attributed(true)}}) {
    for (std::size_t index = 0; index < program.spans.size(); ++index) {
      const Span& span = program.spans[index];
      if (span.level == enprof::Level::phase || span.level == enprof::Level::token) {
        add_share(table[{sensor, span.level == enprof::Level::phase ? "phase" : "token", method}],
                  program.truth(span), span.duration(), attribution.share(index, 0));
      }
    }
    for (std::size_t index = 0; index < levels.size(); ++index) {
      const Level& level = levels[index];
      for (std::uint32_t group = 0; group < level.count; ++group) {
        for (const std::string& name : names_of(level, group, view)) {
          add_share(table[{sensor, name, method}], level.truth[group], level.duration[group],
                    attribution.group(index, group)[0]);
        }
      }
    }
  }

  using Naive = Joules (*)(std::span<const sim::PowerPoint>, Instant, Instant);
  for (const auto& [method, naive] : {std::pair{"latest", Naive{sim::latest_power}},
                                      std::pair{"trapezoid", Naive{sim::trapezoid}}}) {
    std::vector<std::vector<Joules>> sums;
    sums.reserve(levels.size());
    for (const Level& level : levels) {
      sums.emplace_back(level.count);
    }
    for (std::size_t index = 0; index < program.spans.size(); ++index) {
      const Span& span = program.spans[index];
      const bool is_operation = program.class_of[index] != Program::kNone;
      if (!is_operation && span.level != enprof::Level::phase &&
          span.level != enprof::Level::token) {
        continue;
      }
      const Joules found = naive(view.points, span.begin, span.end);
      const Joules truth = program.truth(span);
      if (!is_operation) {
        table[{sensor, span.level == enprof::Level::phase ? "phase" : "token", method}].add(
            truth.value(), found.value(), 0.0);
      }
      for (std::size_t level = 0; is_operation && level < levels.size(); ++level) {
        sums[level][levels[level].of_span[index]] += found;
      }
    }
    for (std::size_t index = 0; index < levels.size(); ++index) {
      for (std::uint32_t group = 0; group < levels[index].count; ++group) {
        for (const std::string& name : names_of(levels[index], group, view)) {
          table[{sensor, name, method}].add(levels[index].truth[group].value(),
                                            sums[index][group].value(), 0.0);
        }
      }
    }
  }
}

/// Measures with each of the sensors, on the sample programs of each seed.
Table measure_all(const std::vector<Sensor>& all, const SeedRange& seeds,
                  const sim::ReplayDifference& difference) {
  Table table;
  for (std::uint64_t seed = seeds.first; seed < seeds.first + seeds.count; ++seed) {
    for (const sim::ProgramOptions& options : sim::sample_programs(seed)) {
      const Program program = sim::simulate(options);
      const sim::Replay replay =
          sim::replay(program, options, {.difference = difference, .seed = options.seed + 11});
      for (const Sensor& sensor : all) {
        const Priors priors =
            priors_of(sensor.read(replay.trace, options.seed + 13), replay, program.classes.size());
        measure(program, sensor.name, sensor.read(program.trace, options.seed + 7), priors, table);
      }
    }
  }
  return table;
}

}  // namespace

void bench_accuracy(std::string_view prefix, const SeedRange& seeds, Simulator simulator) {
  const std::vector<Sensor> all =
      simulator == Simulator::sim ? simulated_sensors() : papers_sensors();
  Table table = measure_all(all, seeds, {});
  for (const Sensor& sensor : all) {
    for (const char* level : kLevels) {
      for (const char* method : {"ours", "calibrated", "by_time", "latest", "trapezoid"}) {
        const Errors& errors = table[{sensor.name, level, method}];
        if (errors.items == 0) {
          continue;
        }
        const std::string name = fmt::format("{}.{}.{}.{}", prefix, sensor.name, level, method);
        figure(name, errors.percent(), "%");
        if (method == std::string{"ours"} || method == std::string{"calibrated"}) {
          figure(name + "_within_2se", errors.within_percent(), "%");
        }
      }
    }
  }
}

void bench_replay_differences(const SeedRange& seeds) {
  std::vector<Sensor> slow = simulated_sensors();
  std::erase_if(slow, [](const Sensor& sensor) {
    return sensor.name != "rapl_locked_10ms" && sensor.name != "means_100ms" &&
           sensor.name != "nvml_25of100ms";
  });
  const sim::ReplayDifference usual;
  for (const double scale : {0.0, 1.0, 2.0, 3.0}) {
    Table table =
        measure_all(slow, seeds, {.cached = scale * usual.cached, .power = scale * usual.power});
    for (const Sensor& sensor : slow) {
      for (const char* level : {"layer", "component", "class"}) {
        const std::string name =
            fmt::format("replay_{:.0f}pct.{}.{}.", 100.0 * scale * usual.power, sensor.name, level);
        const Errors& errors = table[{sensor.name, level, "calibrated"}];
        figure(name + "calibrated", errors.percent(), "%");
        figure(name + "calibrated_within_2se", errors.within_percent(), "%");
        figure(name + "ours", table[{sensor.name, level, "ours"}].percent(), "%");
      }
    }
  }
}

void bench_accuracy() {
  bench_accuracy("accuracy", kDevelopmentSeeds, Simulator::sim);
  bench_accuracy("heldout", kHeldOutSeeds, Simulator::sim);
  bench_accuracy("papers", kDevelopmentSeeds, Simulator::papers);
  bench_accuracy("papers_heldout", kHeldOutSeeds, Simulator::papers);
}

}  // namespace enprof::bench
