// Finds the energy counters of the powercap tree.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/model/domain.hpp"

#include <cstdint>
#include <filesystem>
#include <vector>

namespace enprof {

/// One zone of the tree that has a counter.
struct RaplZone {
  Domain domain;                      ///< name, kind and socket
  std::filesystem::path energy_path;  ///< its energy_uj
  std::uint64_t range_uj = 0;         ///< its max_energy_range_uj, at which the counter wraps
};

/// The zones below <sysfs_root>/class/powercap, told apart by what their `name` file says and not
/// by their number: package-N, core, uncore, dram, psys. Linux, Documentation/power/powercap.
///
/// - AMD's driver registers its zones as `intel-rapl` too. Its `core` zone is left out: it is read
/// from
///   one core (MSR_AMD_CORE_ENERGY_STATUS on the package's first CPU), not from all of them.
/// - `intel-rapl-mmio` counts the same packages by another way in: taken only where they have no
///   other counter.
/// - A package of several dies has a zone for each, package-N-die-M. Each is taken for a package,
/// and
///   they are numbered through: no name of a domain means a part of a socket.
///
/// Needs no rights beyond listing the tree. Errors: not_found, where there is no tree or nothing in
/// it.
[[nodiscard]] Result<std::vector<RaplZone>> find_rapl_zones(
    const std::filesystem::path& sysfs_root, const std::filesystem::path& procfs_root);

}  // namespace enprof
