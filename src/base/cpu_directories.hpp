// The directories of a machine's CPUs in sysfs.
#pragma once

#include <filesystem>
#include <vector>

namespace enprof {

/// devices/system/cpu/cpu0, cpu1, … in the order of their numbers.
[[nodiscard]] std::vector<std::filesystem::path> cpu_directories(
    const std::filesystem::path& sysfs_root);

}  // namespace enprof
