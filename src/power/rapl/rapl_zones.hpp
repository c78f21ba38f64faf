// Finds the energy counters of the powercap tree.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/model/domain.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

namespace enprof {

/// The files of one counter.
struct RaplFiles {
  std::filesystem::path energy;  ///< energy_uj
  /// max_energy_range_uj, at which the counter wraps; empty if that file cannot be read.
  std::optional<std::uint64_t> range_uj;
};

/// One zone of the tree that has a counter.
struct RaplZone {
  Domain domain;  ///< name, kind and socket
  RaplFiles files;
  /// Other zones that claim to count the same: the memory-mapped registers of a package, the
  /// platform as other sockets see it.
  std::vector<RaplFiles> others{};
  std::optional<int> die_of{};  ///< the socket, if the zone is of one of its dies
};

/// The zones below <sysfs_root>/class/powercap, identified by their `name` file and not
/// by their number: package-N, core, uncore, dram, psys. Linux, Documentation/power/powercap.
///
/// - AMD's driver registers its zones as `intel-rapl` too. Its `core` zone is left out: it is read
/// from
///   one core (MSR_AMD_CORE_ENERGY_STATUS on the package's first CPU), not from all of them.
/// - `intel-rapl-mmio` counts the same packages by another way in. Where each package has a zone
///   called psys, only that of one of them counts, and the others show 0 (Linux, commit "powercap/
///   intel_rapl: enumerate Psys RAPL domain together with package RAPL domain"). Zones of one name
///   are one zone, with the first zone's files and those of the others.
/// - A package of several dies has a zone for each, package-N-die-M. Each is taken for a package,
///   and they are numbered through: no name of a domain means a part of a socket.
///
/// Needs no rights beyond listing the tree. Errors: not_found, where there is no tree or nothing in
/// it.
[[nodiscard]] Result<std::vector<RaplZone>> find_rapl_zones(
    const std::filesystem::path& sysfs_root, const std::filesystem::path& procfs_root);

}  // namespace enprof
