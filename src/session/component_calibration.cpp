#include "session/component_calibration.hpp"

#include "attribution/replay_powers.hpp"
#include "attribution/replay_schedule.hpp"
#include "base/cpu_identity.hpp"
#include "base/cpu_times.hpp"
#include "base/log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <span>
#include <utility>
#include <vector>

namespace enprof {
namespace {

constexpr Logger kLog{"session"};

std::unexpected<Error> calibration_cancelled() {
  return fail(ErrorCode::cancelled, "The calibration was cancelled");
}

/// Indices of the domains that add up to the total.
std::vector<std::size_t> measured_roots(const std::vector<Domain>& domains) {
  std::vector<std::size_t> roots;
  for (std::size_t index = 0; index < domains.size(); ++index) {
    if (domains[index].is_root() && domains[index].method != Method::estimated) {
      roots.push_back(index);
    }
  }
  return roots;
}

/// A replay may take so many times as long as planned: operations that run longer than their turn.
constexpr double kOverrun = 1.1;
/// Windows in which idle power is measured, at least.
constexpr int kIdleWindows = 3;

/// The usual length of a window of the slowest of these domains, as their sensors state it.
Nanoseconds longest_period(const std::vector<Domain>& domains,
                           const std::vector<std::size_t>& roots) {
  Nanoseconds longest{0};
  for (const std::size_t root : roots) {
    longest = std::max(longest, domains[root].period);
  }
  return longest;
}

/// The length of the windows of the slowest of these domains.
Nanoseconds longest_window(const WindowsByDomain& windows, const std::vector<std::size_t>& roots) {
  Nanoseconds longest{0};
  for (const std::size_t root : roots) {
    std::vector<Nanoseconds> lengths;
    for (const EnergyWindow& window : windows[root]) {
      lengths.push_back(window.duration());
    }
    if (!lengths.empty()) {
      const auto middle = lengths.begin() + static_cast<std::ptrdiff_t>(lengths.size() / 2);
      std::ranges::nth_element(lengths, middle);
      longest = std::max(longest, *middle);
    }
  }
  return longest;
}

/// How much each class matters: its share of its phase's time.
std::vector<double> weights_of(std::span<const ReplayClass> classes) {
  std::map<Phase, double> whole;
  for (const ReplayClass& one : classes) {
    whole[one.phase] += seconds(one.pass_time);
  }
  std::vector<double> weights;
  weights.reserve(classes.size());
  for (const ReplayClass& one : classes) {
    weights.push_back(whole[one.phase] > 0.0 ? seconds(one.pass_time) / whole[one.phase] : 0.0);
  }
  return weights;
}

/// The calibration of one model under way.
class Calibrating {
 public:
  Calibrating(LoadedModel& model, PowerMonitor& power, const CalibrationOptions& options,
              const std::stop_token& stop)
      : model_(model), power_(power), options_(options), stop_(stop) {}

  Result<Calibration> perform() {
    const Instant begin = now();
    roots_ = measured_roots(power_.trusted_domains().domains);
    if (roots_.empty()) {
      return fail(ErrorCode::unsupported,
                  "A calibration needs a sensor: power is only estimated here, or not measured",
                  "See enprof doctor for sensors that this machine may have.");
    }
    const Result<Nanoseconds> window = measure_idle();
    if (!window) {
      return std::unexpected(window.error());
    }
    auto prepared = model_.prepare_replay({.threads = options_.threads, .stop = stop_});
    if (!prepared) {
      return std::unexpected(std::move(prepared.error()));
    }
    replay_ = *std::move(prepared);
    totals_.resize(replay_->classes().size());
    const Nanoseconds budget = budget_after(now() - begin);
    if (shortest_turn(*window) > budget) {
      return fail(
          ErrorCode::unsupported,
          fmt::format("The sensor is too slow to calibrate within {:.1f} s: a reading takes "
                      "{:.1f} s, and each kind of work needs {:g}",
                      seconds(budget), seconds(*window), kWindowsPerTurn),
          fmt::format("Use another sensor, or allow more time: {:.0f} s for all of them.",
                      std::ceil(seconds(shortest_turn(*window)) *
                                static_cast<double>(replay_->classes().size()))));
    }
    return replay(budget, *window);
  }

 private:
  [[nodiscard]] Instant now() const { return options_.clock->now(); }

  /// For all classes together, if preparing took so long.
  [[nodiscard]] Nanoseconds budget_after(Nanoseconds prepared) const {
    using Options = CalibrationOptions;
    if (options_.budget) {
      return *options_.budget;
    }
    const Nanoseconds left = Options::kWholeTime - prepared - options_.warm_up;
    return std::clamp(from_ms(to_ms(left) / kOverrun), Options::kLeastBudget,
                      Options::kUsualBudget);
  }

  /// Refuses a busy machine; else returns the length of a window.
  [[nodiscard]] Result<Nanoseconds> measure_idle() {
    const Instant begin = now();
    const Nanoseconds length =
        std::max(options_.idle, kIdleWindows * longest_period(power_.domains(), roots_));
    if (const auto idle = power_.measure_idle_baseline(length, stop_, options_.busy); !idle) {
      if (idle.error().code == ErrorCode::busy) {
        return fail(ErrorCode::busy,
                    "The machine is busy: a calibration would measure what else runs on it",
                    "Use top to see what runs, stop it and try again; or pass --baseline-force.");
      }
      return std::unexpected(idle.error());
    }
    return longest_window(power_.windows(begin, now()), roots_);
  }

  Result<Calibration> replay(Nanoseconds budget, Nanoseconds window) {
    const ReplaySchedule schedule = schedule_replay(weights_of(replay_->classes()), budget, window);
    for (const ReplayTurn& turn : schedule.turns) {
      all_ += turn.length;
    }
    all_ += options_.warm_up;
    if (const auto warm = warm_up(schedule); !warm) {
      return std::unexpected(warm.error());
    }

    const CpuTimes cpu;
    const auto cpu_begin = cpu.read();
    const Instant begin = now();
    const std::size_t round = schedule.turns.size() / std::max<std::size_t>(schedule.rounds, 1);
    std::vector<ReplaySlice> slices;
    Nanoseconds done = options_.warm_up;
    for (const ReplayTurn& turn : schedule.turns) {
      if (slices.size() % round == 0 &&
          !has_time_for_a_round(budget, now() - begin, slices.size(), round)) {
        break;
      }
      power_.sync();
      ReplaySlice slice{.work = turn.work, .begin = now()};
      const auto ran = replay_->run(turn.work, turn.length, stop_);
      if (!ran) {
        return std::unexpected(ran.error());
      }
      slice.end = now();
      slice.operations = ran->operations;
      totals_[turn.work].operations += ran->operations;
      totals_[turn.work].time += ran->time;
      slices.push_back(slice);
      done += turn.length;
      tell_progress(done);
    }
    power_.sync();
    const Instant end = now();
    const auto cpu_end = cpu.read();
    if (stop_.stop_requested()) {
      return calibration_cancelled();
    }
    if (options_.busy == BusyMachine::refuse && cpu_begin && cpu_end) {
      const auto foreign = foreign_cpu_share(*cpu_begin, *cpu_end);
      if (foreign && *foreign > PowerMonitor::kIdleShare) {
        return fail(ErrorCode::busy,
                    fmt::format("The machine was busy meanwhile: other processes used {:.0f} % of "
                                "the busy CPU time",
                                100.0 * *foreign),
                    "Use top to see what runs, stop it and try again; or pass --baseline-force.");
      }
    }
    return result(slices, begin, end);
  }

  /// Runs the classes in turn until the machine is as warm as it will be.
  [[nodiscard]] Result<void> warm_up(const ReplaySchedule& schedule) {
    const Instant begin = now();
    for (const ReplayTurn& turn : schedule.turns) {
      const Nanoseconds left = options_.warm_up - (now() - begin);
      if (left <= Nanoseconds{0}) {
        break;
      }
      if (const auto ran = replay_->run(turn.work, std::min(turn.length, left), stop_); !ran) {
        return std::unexpected(ran.error());
      }
      tell_progress(std::min(now() - begin, options_.warm_up));
    }
    return {};
  }

  /// Turns may take longer than planned. Only whole rounds are of use; the first always is.
  static bool has_time_for_a_round(Nanoseconds budget, Nanoseconds elapsed, std::size_t turns,
                                   std::size_t round) {
    const std::size_t rounds = turns / round;
    return rounds == 0 ||
           to_ms(elapsed) * (1.0 + 1.0 / static_cast<double>(rounds)) <= kOverrun * to_ms(budget);
  }

  void tell_progress(Nanoseconds done) const {
    if (options_.progress) {
      options_.progress(seconds(done) / seconds(all_), all_ - std::min(done, all_));
    }
  }

  [[nodiscard]] Result<Calibration> result(const std::vector<ReplaySlice>& slices, Instant begin,
                                           Instant end) const {
    Calibration calibration{
        .key = calibration_key(model_, options_.threads, power_),
        .made_at = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now()),
        .duration = end - begin};
    const auto classes = replay_->classes();
    for (std::size_t work = 0; work < classes.size(); ++work) {
      const ReplayClass& one = classes[work];
      const ReplayCount& total = totals_[work];
      const double per_pass = total.operations == 0 ? 0.0
                                                    : static_cast<double>(one.operations) /
                                                          static_cast<double>(total.operations);
      calibration.classes.push_back({.phase = one.phase,
                                     .component = one.component,
                                     .op = one.op,
                                     .operations = one.operations,
                                     .pass_time = one.pass_time,
                                     .replayed_time = from_ms(to_ms(total.time) * per_pass)});
    }
    const WindowsByDomain windows = power_.windows(begin, end);
    const std::vector<Domain>& domains = power_.domains();
    bool any = false;
    for (const std::size_t root : roots_) {
      const EnergyTimeline timeline(windows[root], domains[root].stamp_error);
      const auto powers = powers_of_replay(timeline, slices, classes.size());
      for (std::size_t work = 0; work < classes.size(); ++work) {
        std::optional<CalibratedClass::Power> power;
        if (powers[work]) {
          any = true;
          power = {.power = Watts{powers[work]->watts},
                   .deviation = powers[work]->deviation,
                   .windows = powers[work]->windows};
        }
        calibration.classes[work].powers.push_back(power);
      }
    }
    if (!any) {
      const auto problems = power_.warnings();
      return fail(ErrorCode::unavailable,
                  fmt::format("No reading came while the components ran{}",
                              problems.empty() ? "" : ". " + problems.front().message),
                  problems.empty() ? "" : problems.front().hint);
    }
    kLog.info("Calibrated {} classes of {} in {:.1f} s", classes.size(), calibration.key.model,
              seconds(calibration.duration));
    return calibration;
  }

  LoadedModel& model_;
  PowerMonitor& power_;
  const CalibrationOptions& options_;
  const std::stop_token& stop_;
  std::vector<std::size_t> roots_;
  std::unique_ptr<ComponentReplay> replay_;
  std::vector<ReplayCount> totals_;  // by class
  Nanoseconds all_{0};               // that the replay takes
};

}  // namespace

CalibrationKey calibration_key(const LoadedModel& model, int threads, const PowerMonitor& power) {
  const ModelFacts& facts = model.facts();
  CalibrationKey key{.model = facts.name,
                     .architecture = facts.architecture,
                     .quantization = facts.quantization,
                     .parameters = facts.parameters.value_or(0),
                     .weight_bytes = facts.weight_bytes.value_or(0),
                     .cpu = read_cpu_identity("/proc").name,
                     .threads = model.threads(threads)};
  const std::vector<Domain> domains = power.trusted_domains().domains;
  for (const std::size_t root : measured_roots(domains)) {
    key.domains.push_back(domains[root].name);
  }
  return key;
}

Result<Calibration> calibrate_components(LoadedModel& model, PowerMonitor& power,
                                         const CalibrationOptions& options,
                                         const std::stop_token& stop) {
  return Calibrating(model, power, options, stop).perform();
}

}  // namespace enprof
