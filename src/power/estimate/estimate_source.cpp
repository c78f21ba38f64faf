#include "power/estimate/estimate_source.hpp"

#include "power/counter/counter_reading.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace enprof {

Result<std::unique_ptr<EstimateSource>> EstimateSource::open(const PowerEnvironment& environment) {
  CpuTimes cpu(environment.procfs_root);
  const auto now = cpu.machine();
  if (!now) {
    return fail(now.error().code,
                fmt::format("CPU power cannot be estimated: {}", now.error().message),
                "Mount procfs, or profile without power: --power none");
  }
  if (now->total == Nanoseconds{0}) {
    return fail(ErrorCode::unavailable,
                fmt::format("CPU power cannot be estimated: {} has no CPU times",
                            (environment.procfs_root / "stat").string()),
                "This sandbox hides them. Profile without power: --power none");
  }
  auto model = make_cpu_power_model(read_cpu_identity(environment.procfs_root), cpu.cpu_count(),
                                    environment.tdp, environment.idle);
  if (!model) {
    return std::unexpected(model.error());
  }
  return std::unique_ptr<EstimateSource>(new EstimateSource(
      environment.procfs_root / "stat", std::move(cpu), std::move(*model), *environment.clock));
}

EstimateSource::EstimateSource(std::filesystem::path stat, CpuTimes cpu, CpuPowerModel model,
                               const Clock& clock)
    : stat_(std::move(stat)),
      cpu_(std::move(cpu)),
      model_(std::move(model)),
      clock_(&clock),
      domain_(domain_from_name("cpu")) {
  domain_.source = "estimate";
  domain_.method = Method::estimated;
  domain_.period = kInterval;
  domain_.stamp_error = uniform_error(CpuTimes::tick());
}

std::string EstimateSource::description() const {
  return fmt::format(
      "{}: {:.4g} W at full load, {:.4g} W idle, by CPU utilization; not a measurement",
      model_.origin, model_.full.value(), model_.idle.value());
}

Result<EstimateSource::Reading> EstimateSource::read() const {
  const auto machine = cpu_.machine();
  if (!machine) {
    return std::unexpected(machine.error());
  }
  return Reading{.busy = machine->busy, .total = machine->total, .at = clock_->now()};
}

Result<void> EstimateSource::start() {
  carried_ = Nanoseconds{0};
  last_.reset();
  const auto first = read();
  if (!first) {
    return std::unexpected(first.error());
  }
  last_ = *first;
  moved_at_ = first->at;
  has_moved_ = false;
  return {};
}

Poll EstimateSource::poll(std::vector<EnergyWindow>& windows) {
  const auto now = read();
  if (!now) {
    return {.outcome = PollOutcome::retry, .error = now.error()};
  }
  if (!last_ || now->busy < last_->busy) {
    const bool backwards = last_.has_value();
    last_ = *now;
    carried_ = Nanoseconds{0};
    if (!backwards) {
      return {};
    }
    return {.outcome = PollOutcome::retry,
            .error = {.code = ErrorCode::unavailable,
                      .message = "The machine's CPU times went backwards. The time since the last "
                                 "reading is left out",
                      .hint = {}}};
  }
  const Nanoseconds duration = now->at - last_->at;
  if (duration <= Nanoseconds{0}) {
    return {};  // ticks, if any, count in the next poll
  }
  if (now->total != last_->total) {
    moved_at_ = now->at;
    has_moved_ = true;
  } else if (now->at - moved_at_ >= kPatience) {
    last_->at = now->at;
    return {.outcome = PollOutcome::retry,
            .error = {.code = ErrorCode::unavailable,
                      .message = fmt::format("The machine's CPU times in {} do not change: its "
                                             "utilization is unknown",
                                             stat_.string()),
                      .hint = "This sandbox does not count them. Profile without power: --power "
                              "none"}};
  } else if (!has_moved_) {
    return {};  // the first window will still begin at the start
  }
  const Nanoseconds room = duration * cpu_.cpu_count();
  const Nanoseconds wanted = carried_ + (now->busy - last_->busy);
  const Nanoseconds busy = std::min(wanted, room);
  // Up to two ticks of all CPUs may be counted early. The rest is an error of the kernel's counts
  // and must not accumulate.
  carried_ = std::min(wanted - busy, 2 * CpuTimes::tick() * cpu_.cpu_count());
  windows.push_back(
      {.domain = 0,
       .begin = last_->at,
       .end = now->at,
       .energy = model_.idle * duration + (model_.full - model_.idle) * busy / cpu_.cpu_count()});
  last_ = *now;
  return {};
}

}  // namespace enprof
