// Which CPU this machine has.
#pragma once

#include <filesystem>
#include <string>

namespace enprof {

struct CpuIdentity {
  std::string name;         ///< "Intel Core i9-9900K CPU", without marks; empty if unknown
  unsigned sockets = 1;     ///< as many as the machine sees
  bool is_amd = false;      ///< made by AMD, or by Hygon to AMD's design
  bool is_virtual = false;  ///< a virtual machine, which may have only a part of the CPU
};

/// From <procfs_root>/cpuinfo; from sysctl on macOS. A field that cannot be read keeps its default.
/// ARM's CPUs do not give their name: we use the name of the core's design, "Arm Neoverse-N1".
[[nodiscard]] CpuIdentity read_cpu_identity(const std::filesystem::path& procfs_root);

}  // namespace enprof
