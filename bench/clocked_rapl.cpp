#include "clocked_rapl.hpp"

#include "power/counter/counter_file_point.hpp"

#include <cmath>
#include <numbers>
#include <optional>
#include <utility>

namespace enprof::bench {
namespace {

constexpr double kUnit = 0x1p-32;  // of a perf event, in joules
constexpr double kMeanWatts = 45.0;

struct Sine {
  double watts;
  double hertz;
};
constexpr Sine kSlow{.watts = 15.0, .hertz = 3.1};
constexpr Sine kFast{.watts = 8.0, .hertz = 17.3};

double joules_of(const Sine& sine, double seconds) {
  const double omega = 2 * std::numbers::pi * sine.hertz;
  return sine.watts / omega * (1 - std::cos(omega * seconds));
}

/// Since an instant at which both sines were zero.
double joules_until(Instant instant) {
  const double time = seconds(instant.time_since_epoch());
  return kMeanWatts * time + joules_of(kSlow, time) + joules_of(kFast, time);
}

}  // namespace

/// What the counter shows now.
class ClockedRapl::Register {
 public:
  explicit Register(const std::filesystem::path& file) { point_.open(file); }

  [[nodiscard]] std::uint64_t value() const noexcept {
    static_cast<void>(point_.read());
    const Nanoseconds now = monotonic_clock().now().time_since_epoch();
    const Instant step{now / kStep * kStep};
    return static_cast<std::uint64_t>((joules_until(step) - begin_) / kUnit);
  }

 private:
  double begin_ = joules_until(monotonic_clock().now());
  CounterFilePoint point_;
};

class ClockedRapl::Point final : public CounterPoint {
 public:
  Point(std::shared_ptr<const Register> value, std::shared_ptr<Counts> counts)
      : register_(std::move(value)), counts_(std::move(counts)) {}
  [[nodiscard]] std::optional<std::uint64_t> read() const noexcept override {
    counts_->at_borders.fetch_add(1, std::memory_order_relaxed);
    return register_->value();
  }

 private:
  std::shared_ptr<const Register> register_;
  std::shared_ptr<Counts> counts_;
};

class ClockedRapl::Input final : public CounterInput {
 public:
  Input(std::shared_ptr<const Register> value, std::shared_ptr<Counts> counts)
      : register_(std::move(value)), counts_(std::move(counts)) {}
  [[nodiscard]] Result<std::uint64_t> read() override {
    counts_->by_source.fetch_add(1, std::memory_order_relaxed);
    return register_->value();
  }
  [[nodiscard]] std::shared_ptr<const CounterPoint> point() override {
    return std::make_shared<Point>(register_, counts_);
  }

 private:
  std::shared_ptr<const Register> register_;
  std::shared_ptr<Counts> counts_;
};

class ClockedRapl::Events final : public PerfEvents {
 public:
  Events(std::shared_ptr<const Register> value, std::shared_ptr<Counts> counts)
      : register_(std::move(value)), counts_(std::move(counts)) {}
  [[nodiscard]] Result<std::unique_ptr<CounterInput>> open(
      const PerfEvent& /*event*/) const override {
    return std::make_unique<Input>(register_, counts_);
  }

 private:
  std::shared_ptr<const Register> register_;
  std::shared_ptr<Counts> counts_;
};

ClockedRapl::ClockedRapl() {
  const std::string pmu = "bus/event_source/devices/power/";
  dir_.write(pmu + "type", "21\n");
  dir_.write(pmu + "cpumask", "0\n");
  dir_.write(pmu + "events/energy-pkg", "event=0x02\n");
  dir_.write(pmu + "events/energy-pkg.unit", "Joules\n");
  dir_.write(pmu + "events/energy-pkg.scale", "2.3283064365386962890625e-10\n");
  register_ = std::make_shared<const Register>(dir_.write("energy", "00000000000100000000\n"));
  events_ = std::make_unique<Events>(register_, counts_);
}

PowerEnvironment ClockedRapl::environment() const {
  return {.sysfs_root = dir_.path(), .perf_events = events_.get()};
}

Joules ClockedRapl::energy_between(Instant begin, Instant end) {
  return Joules{joules_until(end) - joules_until(begin)};
}

Nanoseconds ClockedRapl::time_of_read() const {
  constexpr int kReads = 20'000;
  const Instant begin = monotonic_clock().now();
  for (int read = 0; read < kReads; ++read) {
    static_cast<void>(register_->value());
  }
  return (monotonic_clock().now() - begin) / kReads;
}

}  // namespace enprof::bench
