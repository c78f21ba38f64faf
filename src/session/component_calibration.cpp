#include "session/component_calibration.hpp"

#include "attribution/replay_powers.hpp"
#include "attribution/replay_schedule.hpp"
#include "base/cpu_identity.hpp"
#include "base/cpu_times.hpp"
#include "base/log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
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

/// The calibration of one model under way.
class Calibrating {
 public:
  Calibrating(LoadedModel& model, PowerMonitor& power, const CalibrationOptions& options,
              const std::stop_token& stop)
      : model_(model), power_(power), options_(options), stop_(stop) {}

  Result<Calibration> perform() {
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
    return replay(*window);
  }

 private:
  [[nodiscard]] Instant now() const { return options_.clock->now(); }

  /// Refuses a busy machine; else returns the length of a window.
  [[nodiscard]] Result<Nanoseconds> measure_idle() {
    const Instant begin = now();
    if (const auto idle = power_.measure_idle_baseline(options_.idle, stop_, options_.busy);
        !idle) {
      if (idle.error().code == ErrorCode::busy) {
        return fail(ErrorCode::busy,
                    "The machine is busy: a calibration would measure what else runs on it",
                    "Use top to see what runs, stop it and try again; or pass --baseline-force.");
      }
      return std::unexpected(idle.error());
    }
    return longest_window(power_.windows(begin, now()), roots_);
  }

  Result<Calibration> replay(Nanoseconds window) {
    const auto turns = schedule_replay(replay_->classes().size(), options_.budget, window);
    for (const ReplayTurn& turn : turns) {
      all_ += turn.length;
    }
    all_ += options_.warm_up;
    const Instant warm = now();
    for (const ReplayTurn& turn : turns) {
      if (now() - warm >= options_.warm_up) {
        break;
      }
      if (const auto ran = replay_->run(turn.work, turn.length, stop_); !ran) {
        return std::unexpected(ran.error());
      }
      tell_progress(std::min(now() - warm, options_.warm_up));
    }

    const CpuTimes cpu;
    const auto cpu_begin = cpu.read();
    const Instant begin = now();
    std::vector<ReplaySlice> slices;
    Nanoseconds done = options_.warm_up;
    for (const ReplayTurn& turn : turns) {
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
