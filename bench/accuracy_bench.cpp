// How far energies are from the truth, by sensor, level and method: programs whose energy is known,
// seen through models of real sensors (bench/sim).
//
// Error: mean absolute error over the items of a level, as a share of their mean true energy.
// Within: share of items whose true energy lies within two standard errors.
#include "accuracy_bench.hpp"

#include "attribution/attribution.hpp"
#include "bench/sim/naive.hpp"
#include "bench/sim/program.hpp"
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

/// class_long: those of the classes whose operations take longer than a window, on average.
constexpr std::array kLevels{"phase", "token", "layer", "component", "class", "class_long"};

struct Sensor {
  std::string name;
  std::function<SensorView(const sim::PowerTrace&, std::uint64_t seed)> read;
};

std::vector<Sensor> sensors() {
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
      {"rapl_free_centred", counter(sim::CounterModel{}, sim::FreeReads{.centred = true})},
      {"means_100ms",
       [](const auto& trace, std::uint64_t seed) { return sim::read_means(trace, {}, seed); }},
      {"nvml_25of100ms",
       [](const auto& trace, std::uint64_t seed) { return sim::read_part_time(trace, {}, seed); }},
      {"instant_10hz",
       [](const auto& trace, std::uint64_t seed) { return sim::read_instants(trace, {}, seed); }},
  };
}

/// Errors of one method over the items of a level.
struct Errors {
  double absolute = 0.0;
  double truth = 0.0;
  std::size_t items = 0;
  std::size_t within = 0;
  std::size_t unknown = 0;  // for which the method gives no energy

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

/// A share as a reader of the figure takes it: mean power × duration, where windows leave gaps.
void add_share(Errors& errors, Joules truth, Nanoseconds duration, const EnergyShare& share) {
  if (share.covered <= Nanoseconds{0}) {
    ++errors.unknown;
    return;
  }
  const double scale = seconds(duration) / seconds(share.covered);
  errors.add(truth.value(), share.energy.value() * scale, std::sqrt(share.variance) * scale);
}

/// The rows of the table that a group counts in.
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

void measure(const Program& program, const std::string& sensor, const SensorView& view,
             Table& table) {
  const std::vector<EnergyTimeline> timelines{EnergyTimeline(view.windows, view.stamp_error)};
  const std::vector<Level> levels = levels_of(program);
  std::vector<SpanGroups> groupings;
  groupings.reserve(levels.size());
  for (const Level& level : levels) {
    groupings.push_back({.of_span = level.of_span, .count = level.count});
  }
  const std::vector<std::optional<Watts>> idle{Watts{sim::Machine{}.idle_w}};
  const auto attributed = [&](bool by_time_alone) {
    return attribute(program.spans, timelines,
                     {.classes = program.class_of,
                      .groupings = groupings,
                      .idle_power = by_time_alone ? std::span<const std::optional<Watts>>{} : idle,
                      .by_time_alone = by_time_alone});
  };
  for (const auto& [method, attribution] :
       {std::pair{"ours", attributed(false)}, std::pair{"by_time", attributed(true)}}) {
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

}  // namespace

void bench_accuracy(std::string_view prefix, const SeedRange& seeds) {
  Table table;
  const std::vector<Sensor> all = sensors();
  for (std::uint64_t seed = seeds.first; seed < seeds.first + seeds.count; ++seed) {
    for (const sim::ProgramOptions& options : sim::sample_programs(seed)) {
      const Program program = sim::simulate(options);
      for (const Sensor& sensor : all) {
        measure(program, sensor.name, sensor.read(program.trace, options.seed + 7), table);
      }
    }
  }
  for (const Sensor& sensor : all) {
    for (const char* level : kLevels) {
      for (const char* method : {"ours", "by_time", "latest", "trapezoid"}) {
        const Errors& errors = table[{sensor.name, level, method}];
        if (errors.items == 0) {
          continue;
        }
        const std::string name = fmt::format("{}.{}.{}.{}", prefix, sensor.name, level, method);
        figure(name, errors.percent(), "%");
        if (method == std::string{"ours"}) {
          figure(name + "_within_2se", errors.within_percent(), "%");
        }
      }
    }
  }
}

}  // namespace enprof::bench
