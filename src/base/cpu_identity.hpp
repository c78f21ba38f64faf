// Which CPU this machine has.
#pragma once

#include <filesystem>
#include <string>

namespace enprof {

struct CpuIdentity {
  std::string name;      ///< "Intel Core i9-9900K CPU", without marks; empty where nothing says it
  unsigned sockets = 1;  ///< as many as the machine sees
  bool is_amd = false;   ///< AMD's, or Hygon's, which is of AMD's design
  bool is_virtual = false;  ///< a virtual machine, which may have been given a part of the CPU only
};

/// From <procfs_root>/cpuinfo; from sysctl on macOS. What cannot be read is left at its default.
/// ARM's CPUs do not say their name: it is that of the core's design, "Arm Neoverse-N1".
[[nodiscard]] CpuIdentity read_cpu_identity(const std::filesystem::path& procfs_root);

}  // namespace enprof
