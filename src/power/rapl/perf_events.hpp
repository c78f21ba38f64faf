// Counters of the kernel's performance events.
#pragma once

#include "enprof/base/error.hpp"

#include "power/counter/counter_input.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace enprof {

/// An event that one CPU counts for all that runs on it.
struct PerfEvent {
  std::uint32_t type = 0;    ///< of the PMU, from its `type` file
  std::uint64_t config = 0;  ///< of the event, from its file in `events`
  int cpu = 0;
  std::string name;  ///< as perf writes it: power/energy-pkg/
};

/// Opens such events; apart from the system call, so that tests can count instead. Threads: any.
class PerfEvents {
 public:
  PerfEvents() = default;
  PerfEvents(const PerfEvents&) = delete;
  PerfEvents& operator=(const PerfEvents&) = delete;
  virtual ~PerfEvents() = default;

  /// A counter from zero. Errors: permission_denied, with the lines that grant it; unavailable,
  /// where the CPU or the kernel has no such event; unsupported, where the system has no events.
  [[nodiscard]] virtual Result<std::unique_ptr<CounterInput>> open(
      const PerfEvent& event) const = 0;
};

/// perf_event_open(2). `procfs_root` is where the message reads what is allowed now.
class SystemPerfEvents final : public PerfEvents {
 public:
  explicit SystemPerfEvents(std::filesystem::path procfs_root = "/proc")
      : procfs_root_(std::move(procfs_root)) {}
  [[nodiscard]] Result<std::unique_ptr<CounterInput>> open(const PerfEvent& event) const override;

 private:
  std::filesystem::path procfs_root_;
};

}  // namespace enprof
