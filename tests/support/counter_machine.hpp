// A fake machine whose counters step by themselves as its clock advances; their true values are
// known.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/base/units.hpp"

#include "base/sleeper.hpp"
#include "power/rapl/perf_events.hpp"
#include "support/fake_procfs.hpp"
#include "support/fake_sysfs.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace enprof::testing {

/// Its clock advances by a microsecond at each reading of it, and in pass(). Counters are files of
/// a powercap tree, perf events, or both. Threads: any.
class CounterMachine {
 public:
  static constexpr Nanoseconds kStep{976'562};
  static constexpr Nanoseconds kReadTime{1'000};

  CounterMachine() : clock_(*this), boot_(*this), sleeper_(*this), perf_(*this) {}
  CounterMachine(const CounterMachine&) = delete;
  CounterMachine& operator=(const CounterMachine&) = delete;

  [[nodiscard]] const std::filesystem::path& sysfs_root() const { return rapl_.root(); }
  [[nodiscard]] const std::filesystem::path& procfs_root() const { return procfs_.root(); }
  [[nodiscard]] const Clock& clock() const { return clock_; }
  [[nodiscard]] const Clock& boot_clock() const { return boot_; }
  [[nodiscard]] const Sleeper& sleeper() const { return sleeper_; }
  [[nodiscard]] const PerfEvents& perf_events() const { return perf_; }

  /// Adds a zone, named as in the tree ("package-0", "dram"). Its domain's steps come later than
  /// the machine's first domain's by the given time.
  void add(const std::string& domain, const std::string& zone, const std::string& name,
           std::uint64_t start_uj, std::uint64_t range_uj, Nanoseconds phase) {
    const std::lock_guard lock(mutex_);
    rapl_.add(zone, name, start_uj, range_uj);
    counters_[domain] = {.zone = zone,
                         .name = name,
                         .range_uj = range_uj,
                         .register_uj = static_cast<double>(start_uj),
                         .phase = phase,
                         .stepped_at = now_};
    counters_[domain].course.push_back({.at = now_, .energy = 0, .watts = 0});
  }

  /// Lays out the PMU's files for what was added: `cpumask` names CPU 0 and 1 for sockets 0 and 1,
  /// or for two dies of one.
  void add_perf_files(int sockets, bool are_dies = false) {
    const std::string pmu = "bus/event_source/devices/power/";
    rapl_.write_file(pmu + "type", "21\n");
    rapl_.write_file(pmu + "cpumask", sockets == 1 ? "0\n" : "0,1\n");
    for (int cpu = 0; cpu < sockets; ++cpu) {
      const std::string topology = "devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/";
      rapl_.write_file(topology + "physical_package_id", std::to_string(are_dies ? 0 : cpu) + "\n");
      rapl_.write_file(topology + "die_id", std::to_string(are_dies ? cpu : 0) + "\n");
    }
    const std::map<std::string, std::pair<std::string, std::string>> names{
        {"core", {"energy-cores", "0x01"}},
        {"package", {"energy-pkg", "0x02"}},
        {"dram", {"energy-ram", "0x03"}},
        {"uncore", {"energy-gpu", "0x04"}},
        {"psys", {"energy-psys", "0x05"}}};
    for (const auto& [domain, counter] : counters_) {
      const auto& [event, code] = names.at(domain.substr(0, domain.find('-')));
      const auto file = std::filesystem::path(pmu) / "events" / event;
      const auto beside = [&](const char* extension) {
        return std::filesystem::path(file).concat(extension);
      };
      rapl_.write_file(file, "event=" + code + "\n");
      rapl_.write_file(beside(".unit"), "Joules\n");
      rapl_.write_file(beside(".scale"), "2.3283064365386962890625e-10\n");
    }
  }
  /// Removes the powercap files, so that only perf events remain.
  void remove_powercap() {
    rapl_.remove_powercap();
    only_perf_ = true;
  }

  void pass(Nanoseconds duration) {
    const std::lock_guard lock(mutex_);
    advance_to(now_ + duration);
  }
  /// The machine sleeps: only the boot clock advances, and no energy is used.
  void sleep(Nanoseconds duration) {
    const std::lock_guard lock(mutex_);
    asleep_ += duration;
  }
  void draw(const std::string& domain, double watts) {
    const std::lock_guard lock(mutex_);
    Counter& counter = counters_.at(domain);
    counter.course.push_back({.at = now_, .energy = counter.used(now_), .watts = watts});
  }
  /// From the next step on the counter continues from this value.
  void set(const std::string& domain, std::uint64_t value_uj) {
    const std::lock_guard lock(mutex_);
    Counter& counter = counters_.at(domain);
    counter.register_uj = static_cast<double>(value_uj);
    counter.perf_joules = static_cast<double>(value_uj) * 1e-6;
  }
  /// The counter grows by this much more than the energy used.
  void push(const std::string& domain, double joules) {
    const std::lock_guard lock(mutex_);
    Counter& counter = counters_.at(domain);
    counter.register_uj += joules * 1e6;
    counter.perf_joules += joules;
  }
  enum class Stall : std::uint8_t { none, hides, stops };
  void stall(const std::string& domain, Stall stall) {
    const std::lock_guard lock(mutex_);
    counters_.at(domain).stall = stall;
  }
  void fail(const std::string& domain, bool on) {
    const std::lock_guard lock(mutex_);
    Counter& counter = counters_.at(domain);
    counter.fails = on;
    write_file(counter);
  }
  void remove(const std::string& domain) {
    const std::lock_guard lock(mutex_);
    Counter& counter = counters_.at(domain);
    counter.is_there = false;
    std::filesystem::remove(rapl_.energy_path(counter.zone));
  }
  void remove_tree() {
    const std::lock_guard lock(mutex_);
    for (auto& [domain, counter] : counters_) {
      counter.is_there = false;
    }
    rapl_.remove_all();
  }
  void bring_back(const std::string& domain, std::uint64_t value_uj) {
    const std::lock_guard lock(mutex_);
    Counter& counter = counters_.at(domain);
    counter.register_uj = static_cast<double>(value_uj);
    counter.is_there = true;
    rapl_.write(counter.zone, "");
    write_file(counter);
  }

  /// The true energy of a domain between two instants.
  [[nodiscard]] Joules used(const std::string& domain, Instant begin, Instant end) {
    const std::lock_guard lock(mutex_);
    const Counter& counter = counters_.at(domain);
    return Joules{counter.used(end) - counter.used(begin)};
  }
  /// The largest energy of one step of a counter, including the rounding of its unit.
  [[nodiscard]] Joules one_step(const std::string& domain) {
    const std::lock_guard lock(mutex_);
    double most = 0;
    for (const Power& power : counters_.at(domain).course) {
      most = std::max(most, power.watts);
    }
    return Watts{most} * (kStep + 4 * kReadTime) + Joules{2e-6};
  }

 private:
  struct Power {
    Instant at;
    double energy;  // used up to that time, joules
    double watts;   // from then on
  };
  struct Counter {
    std::string zone;
    std::string name;
    std::uint64_t range_uj = 0;
    double register_uj = 0;  // at the last step, before wrapping
    double perf_joules = 0;  // the same since the event was opened
    double shown_uj = 0;
    double shown_perf_joules = 0;
    Nanoseconds phase{0};
    Instant stepped_at;
    std::vector<Power> course;
    Stall stall = Stall::none;
    bool fails = false;
    bool is_there = true;

    [[nodiscard]] double used(Instant instant) const {
      auto power = std::ranges::upper_bound(course, instant, {}, &Power::at);
      if (power == course.begin()) {
        return 0;
      }
      --power;
      return power->energy + power->watts * seconds(instant - power->at);
    }
  };

  class Time final : public Clock {
   public:
    explicit Time(CounterMachine& machine) : machine_(&machine) {}
    [[nodiscard]] Instant now() const noexcept override {
      const std::lock_guard lock(machine_->mutex_);
      machine_->advance_to(machine_->now_ + kReadTime);
      return machine_->now_;
    }

   private:
    CounterMachine* machine_;
  };
  class BootTime final : public Clock {
   public:
    explicit BootTime(CounterMachine& machine) : machine_(&machine) {}
    [[nodiscard]] Instant now() const noexcept override {
      const std::lock_guard lock(machine_->mutex_);
      return machine_->now_ + machine_->asleep_;
    }

   private:
    CounterMachine* machine_;
  };
  class Sleep final : public Sleeper {
   public:
    explicit Sleep(CounterMachine& machine) : machine_(&machine) {}
    void sleep_until(Instant instant) const override {
      constexpr Nanoseconds kLate = std::chrono::microseconds{50};
      const std::lock_guard lock(machine_->mutex_);
      if (instant > machine_->now_) {
        machine_->advance_to(instant + kLate);
      }
    }

   private:
    CounterMachine* machine_;
  };
  class Event final : public CounterInput {
   public:
    Event(CounterMachine& machine, std::string domain)
        : machine_(&machine), domain_(std::move(domain)) {}
    [[nodiscard]] Result<std::uint64_t> read() override {
      const std::lock_guard lock(machine_->mutex_);
      const Counter& counter = machine_->counters_.at(domain_);
      if (counter.fails) {
        return enprof::fail(ErrorCode::io, "Cannot read the event");
      }
      return static_cast<std::uint64_t>(std::ldexp(counter.shown_perf_joules, 32));
    }

   private:
    CounterMachine* machine_;
    std::string domain_;
  };
  class Events final : public PerfEvents {
   public:
    explicit Events(CounterMachine& machine) : machine_(&machine) {}
    [[nodiscard]] Result<std::unique_ptr<CounterInput>> open(
        const PerfEvent& event) const override {
      const std::string name = std::to_string(event.cpu);
      constexpr const char* kDomains[]{"core", "package", "dram", "uncore"};
      const std::string domain =
          event.config == 5 ? "psys" : std::string(kDomains[event.config - 1]) + "-" + name;
      if (event.type != 21 || !machine_->counters_.contains(domain)) {
        return enprof::fail(ErrorCode::unavailable, "no such event: " + event.name);
      }
      return std::make_unique<Event>(*machine_, domain);
    }

   private:
    CounterMachine* machine_;
  };

  void advance_to(Instant instant) {
    for (auto& [domain, counter] : counters_) {
      const auto steps = (instant - Instant{} - counter.phase) / kStep;
      const Instant step = Instant{} + counter.phase + steps * kStep;
      if (step <= counter.stepped_at) {
        continue;
      }
      const double joules = counter.used(step) - counter.used(counter.stepped_at);
      counter.stepped_at = step;
      if (counter.stall != Stall::stops) {
        counter.register_uj += joules * 1e6;
        counter.perf_joules += joules;
      }
      if (counter.stall == Stall::none) {
        counter.shown_uj = counter.register_uj;
        counter.shown_perf_joules = counter.perf_joules;
        write_file(counter);
      }
    }
    now_ = std::max(now_, instant);
  }
  void write_file(Counter& counter) {
    if (only_perf_ || !counter.is_there) {
      return;
    }
    if (counter.fails) {
      rapl_.write(counter.zone, "");
      return;
    }
    rapl_.set(counter.zone, static_cast<std::uint64_t>(std::fmod(
                                counter.shown_uj, static_cast<double>(counter.range_uj))));
  }

  std::mutex mutex_;
  FakeRapl rapl_;
  FakeProcfs procfs_{2, FakeProcfs::x86("Intel(R) Xeon(R)", 2, 1, false, "GenuineIntel")};
  Time clock_;
  BootTime boot_;
  Sleep sleeper_;
  Events perf_;
  Instant now_{std::chrono::hours{1}};
  Nanoseconds asleep_{0};
  bool only_perf_ = false;
  std::map<std::string, Counter> counters_;
};

}  // namespace enprof::testing
