// Finds the energy counters among the kernel's performance events.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/base/units.hpp"
#include "enprof/model/domain.hpp"

#include "power/rapl/perf_events.hpp"

#include <filesystem>
#include <optional>
#include <vector>

namespace enprof {

/// One counter of the `power` PMU on one socket.
struct RaplEvent {
  Domain domain;  ///< name, kind and socket; the same as its zone of the powercap tree has
  PerfEvent event;
  Joules unit;                  ///< what one count is worth
  std::optional<int> die_of{};  ///< the socket, where the CPU's socket has several dies
};

/// The events below <sysfs_root>/bus/event_source/devices/power: energy-pkg, energy-cores,
/// energy-gpu, energy-ram, energy-psys (Linux, arch/x86/events/rapl.c), one of each for every CPU
/// in `cpumask`: the kernel names one for each package, or die where a package has several, which
/// then are numbered through as the zones are. psys is the whole platform: from the first CPU only.
///
/// AMD has energy-pkg alone; energy-core of its `power_core` PMU (since Linux 6.14, unchecked on
/// one) counts one core, and would have to be read on each of them, waking it: left out.
///
/// Needs no rights. Errors: not_found, where there is no such PMU or nothing in it.
[[nodiscard]] Result<std::vector<RaplEvent>> find_rapl_events(
    const std::filesystem::path& sysfs_root);

}  // namespace enprof
