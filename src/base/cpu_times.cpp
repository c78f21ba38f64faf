#include "base/cpu_times.hpp"

#include "base/process_stat.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unistd.h>
#include <utility>

#if defined(__APPLE__)
#include <mach/mach.h>
#include <sys/resource.h>
#include <thread>
#else
#include <array>
#include <cctype>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>
#endif

namespace enprof {

Nanoseconds CpuTimes::tick() {
  static const Nanoseconds tick = [] {
    const long per_second = sysconf(_SC_CLK_TCK);
    return Nanoseconds{std::chrono::seconds{1}} / (per_second > 0 ? per_second : 100);
  }();
  return tick;
}

std::optional<CpuSnapshot> CpuTimes::read() const {
  const auto whole = machine();
  const auto mine = own();
  if (!whole || !mine) {
    return std::nullopt;
  }
  return CpuSnapshot{.machine = *whole, .own = *mine + (programs_ ? programs_() : Nanoseconds{0})};
}

std::optional<double> busy_share(const MachineCpuTime& begin, const MachineCpuTime& end) {
  const Nanoseconds total = end.total - begin.total;
  if (total < 10 * CpuTimes::tick()) {
    return std::nullopt;
  }
  return std::clamp(seconds(end.busy - begin.busy) / seconds(total), 0.0, 1.0);
}

std::optional<double> foreign_cpu_share(const CpuSnapshot& begin, const CpuSnapshot& end) {
  const Nanoseconds busy = end.machine.busy - begin.machine.busy;
  if (busy < 2 * CpuTimes::tick()) {
    // All that was busy is too little to be divided, and on a long interval too little to matter:
    // a run whose work is on a GPU leaves the CPUs idle.
    const Nanoseconds total = end.machine.total - begin.machine.total;
    return total >= 50 * CpuTimes::tick() ? std::optional(0.0) : std::nullopt;
  }
  // The two are counted in different steps: our own time may seem to exceed the total.
  return std::clamp(1.0 - seconds(end.own - begin.own) / seconds(busy), 0.0, 1.0);
}

namespace {

/// The times at an instant that lies within the samples, interpolated.
CpuSnapshot times_at(std::span<const CpuSample> samples, Instant at) {
  const auto after = std::ranges::lower_bound(samples, at, {}, &CpuSample::at);
  if (after == samples.begin() || after->at == at) {
    return after->times;
  }
  const CpuSample& before = *(after - 1);
  const double part = seconds(at - before.at) / seconds(after->at - before.at);
  const auto between = [part](Nanoseconds from, Nanoseconds to) {
    return from + std::chrono::round<Nanoseconds>(
                      std::chrono::duration<double, std::nano>(to - from) * part);
  };
  return {.machine = {.busy = between(before.times.machine.busy, after->times.machine.busy),
                      .total = between(before.times.machine.total, after->times.machine.total)},
          .own = between(before.times.own, after->times.own)};
}

}  // namespace

std::optional<double> foreign_cpu_share(std::span<const CpuSample> samples, Instant begin,
                                        Instant end) {
  if (samples.size() < 2 || begin < samples.front().at || end > samples.back().at ||
      end - begin < (samples.back().at - samples.front().at) / (samples.size() - 1)) {
    return std::nullopt;
  }
  return foreign_cpu_share(times_at(samples, begin), times_at(samples, end));
}

#if defined(__APPLE__)

CpuTimes::CpuTimes(const std::filesystem::path& /*procfs_root*/,
                   std::function<Nanoseconds()> programs)
    : cpu_count_(std::max(1U, std::thread::hardware_concurrency())),
      programs_(std::move(programs)) {}

Result<MachineCpuTime> CpuTimes::machine() const {
  host_cpu_load_info_data_t load{};
  mach_msg_type_number_t count = HOST_CPU_LOAD_INFO_COUNT;
  const mach_port_t host = mach_host_self();
  const kern_return_t status =
      host_statistics(host, HOST_CPU_LOAD_INFO, reinterpret_cast<host_info_t>(&load), &count);
  mach_port_deallocate(mach_task_self(), host);
  if (status != KERN_SUCCESS) {
    return fail(ErrorCode::unavailable,
                fmt::format("host_statistics(HOST_CPU_LOAD_INFO) failed: {} ({})",
                            mach_error_string(status), status));
  }
  const auto ticks = [&](int state) {
    return static_cast<Nanoseconds::rep>(load.cpu_ticks[state]) * tick();
  };
  const Nanoseconds busy = ticks(CPU_STATE_USER) + ticks(CPU_STATE_SYSTEM) + ticks(CPU_STATE_NICE);
  return MachineCpuTime{.busy = busy, .total = busy + ticks(CPU_STATE_IDLE)};
}

Result<Nanoseconds> CpuTimes::own() const {
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) != 0) {
    return fail(ErrorCode::unavailable, "getrusage(RUSAGE_SELF) failed");
  }
  const auto duration = [](const timeval& time) -> Nanoseconds {
    return std::chrono::seconds{time.tv_sec} + std::chrono::microseconds{time.tv_usec};
  };
  return duration(usage.ru_utime) + duration(usage.ru_stime);
}

#else

namespace {

/// Removes and returns the next word of a text whose words are separated by spaces.
std::string_view next_word(std::string_view& text) {
  const auto begin = std::min(text.find_first_not_of(' '), text.size());
  const auto end = std::min(text.find_first_of(" \n", begin), text.size());
  const std::string_view word = text.substr(begin, end - begin);
  text.remove_prefix(end);
  return word;
}

/// A time in ticks. Empty for more than a century on ten thousand CPUs: some sandboxes show -1 as
/// an unsigned number.
std::optional<std::int64_t> next_ticks(std::string_view& text) {
  const std::string_view word = next_word(text);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  const std::int64_t most = Nanoseconds::max() / CpuTimes::tick() / 16;  // so that sums fit
  if (word.empty() || error != std::errc{} || end != word.data() + word.size() || value < 0 ||
      value > most) {
    return std::nullopt;
  }
  return value;
}

unsigned count_cpus(const std::filesystem::path& path) {
  std::ifstream in(path);
  unsigned count = 0;
  for (std::string line; std::getline(in, line) && line.starts_with("cpu");) {
    if (line.size() > 3 && std::isdigit(static_cast<unsigned char>(line[3])) != 0) {
      ++count;
    }
  }
  return std::max(1U, count);
}

}  // namespace

CpuTimes::CpuTimes(const std::filesystem::path& procfs_root, std::function<Nanoseconds()> programs)
    : cpu_count_(count_cpus(procfs_root / "stat")),
      programs_(std::move(programs)),
      machine_(PolledFile::open(procfs_root / "stat")),
      process_(PolledFile::open(procfs_root / "self" / "stat")) {}

Result<MachineCpuTime> CpuTimes::machine() const {
  if (!machine_) {
    return std::unexpected(machine_.error());
  }
  std::array<char, 512> buffer{};  // only the first line matters
  const auto text = machine_->read(buffer);
  if (!text) {
    return std::unexpected(text.error());
  }
  // cpu  user nice system idle iowait irq softirq steal guest guest_nice: proc_stat(5). The guest
  // times are in user and nice already. Old kernels have fewer of them.
  std::string_view line = text->substr(0, text->find('\n'));
  std::array<std::int64_t, 8> ticks{};
  std::size_t count = 0;
  if (next_word(line) == "cpu") {
    while (count < ticks.size()) {
      const auto number = next_ticks(line);
      if (!number) {
        break;
      }
      ticks[count++] = *number;
    }
  }
  if (count < 4) {
    return fail(ErrorCode::malformed, fmt::format("{} does not begin with the machine's CPU times",
                                                  machine_->path().string()));
  }
  const auto [user, nice, system, idle, iowait, irq, softirq, steal] = ticks;
  const std::int64_t busy = user + nice + system + irq + softirq;
  return MachineCpuTime{.busy = busy * tick(), .total = (busy + idle + iowait + steal) * tick()};
}

Result<Nanoseconds> CpuTimes::own() const {
  if (!process_) {
    return std::unexpected(process_.error());
  }
  std::array<char, 1024> buffer{};
  const auto text = process_->read(buffer);
  if (!text) {
    return std::unexpected(text.error());
  }
  if (const auto stat = parse_process_stat(*text)) {
    return stat->cpu;
  }
  return fail(ErrorCode::malformed,
              fmt::format("{} does not hold this process's CPU times", process_->path().string()));
}

#endif

}  // namespace enprof
