// Diagnoses the properties of the machine that affect energy measurement.
#pragma once

#include "enprof/base/clock.hpp"

#include "cli/diagnosis.hpp"

#include <filesystem>

namespace enprof {

/// Whether this is a virtual machine or a container, which usually has no power sensors. Reads
/// <procfs>/cpuinfo, <sysfs>/class/dmi/id, <sysfs>/hypervisor/type, and the files that container
/// engines leave in the root directory.
[[nodiscard]] Diagnosis diagnose_virtualization(const std::filesystem::path& sysfs,
                                                const std::filesystem::path& procfs,
                                                const std::filesystem::path& root = "/");

/// The cost of reading the clock, and the kernel's time source: <sysfs>/devices/system/clocksource.
[[nodiscard]] Diagnosis diagnose_clock(const std::filesystem::path& sysfs, const Clock& clock);

/// Whether CPU clock rates vary with the load:
/// <sysfs>/devices/system/cpu/cpuN/cpufreq/scaling_governor.
[[nodiscard]] Diagnosis diagnose_governor(const std::filesystem::path& sysfs);

/// Whether this user may read machine-wide performance events
/// (<procfs>/sys/kernel/perf_event_paranoid), and whether there is a PMU for power.
[[nodiscard]] Diagnosis diagnose_perf_events(const std::filesystem::path& sysfs,
                                             const std::filesystem::path& procfs, bool is_root);

/// Free space on the disk of this file, which need not exist.
[[nodiscard]] Diagnosis diagnose_disk(const std::filesystem::path& file);

/// The file itself, or its nearest ancestor that exists.
[[nodiscard]] std::filesystem::path nearest_existing(const std::filesystem::path& file);

}  // namespace enprof
