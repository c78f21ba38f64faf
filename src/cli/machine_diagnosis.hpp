// What of a machine decides how well energy can be measured on it.
#pragma once

#include "enprof/base/clock.hpp"

#include "cli/diagnosis.hpp"

#include <filesystem>

namespace enprof {

/// A virtual machine or a container, which as a rule is given no power sensors. From
/// <procfs>/cpuinfo, <sysfs>/class/dmi/id, <sysfs>/hypervisor/type, and the marks that container
/// engines leave in the root of the file system.
[[nodiscard]] Diagnosis diagnose_virtualization(const std::filesystem::path& sysfs,
                                                const std::filesystem::path& procfs,
                                                const std::filesystem::path& root = "/");

/// What a reading of the clock costs, and where the kernel has its time from:
/// <sysfs>/devices/system/clocksource.
[[nodiscard]] Diagnosis diagnose_clock(const std::filesystem::path& sysfs, const Clock& clock);

/// Whether CPU clocks follow the load: <sysfs>/devices/system/cpu/cpuN/cpufreq/scaling_governor.
[[nodiscard]] Diagnosis diagnose_governor(const std::filesystem::path& sysfs);

/// Whether this user may read machine-wide performance events:
/// <procfs>/sys/kernel/perf_event_paranoid, and whether there is a PMU for power at all.
[[nodiscard]] Diagnosis diagnose_perf_events(const std::filesystem::path& sysfs,
                                             const std::filesystem::path& procfs, bool is_root);

/// Room on the disk that holds this file, or would.
[[nodiscard]] Diagnosis diagnose_disk(const std::filesystem::path& file);

/// The file itself, or the nearest directory above it that exists.
[[nodiscard]] std::filesystem::path nearest_existing(const std::filesystem::path& file);

}  // namespace enprof
