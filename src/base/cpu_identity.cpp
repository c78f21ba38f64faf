#include "base/cpu_identity.hpp"

#include "base/first_line.hpp"

#if defined(__APPLE__)
#include <array>
#include <cstddef>
#include <sys/sysctl.h>
#include <sys/types.h>
#else
#include <algorithm>
#include <array>
#include <fstream>
#include <functional>
#include <set>
#endif

#include <string_view>

namespace enprof {
namespace {

/// "Intel(R) Core(TM)  i9-9900K CPU @ 3.60GHz" → "Intel Core i9-9900K CPU".
std::string tidied(std::string_view name) {
  std::string result(name.substr(0, name.find(" @ ")));
  for (const std::string_view mark : {"(R)", "(TM)", "(r)", "(tm)"}) {
    for (auto at = result.find(mark); at != std::string::npos; at = result.find(mark)) {
      result.replace(at, mark.size(), " ");
    }
  }
  for (auto at = result.find("  "); at != std::string::npos; at = result.find("  ")) {
    result.erase(at, 1);
  }
  while (result.ends_with(' ')) {
    result.pop_back();
  }
  return result;
}

}  // namespace

#if defined(__APPLE__)

CpuIdentity read_cpu_identity(const std::filesystem::path& /*procfs_root*/) {
  CpuIdentity identity;
  std::array<char, 256> name{};
  std::size_t size = name.size() - 1;
  if (sysctlbyname("machdep.cpu.brand_string", name.data(), &size, nullptr, 0) == 0) {
    identity.name = tidied(name.data());
  }
  int value = 0;
  size = sizeof value;
  if (sysctlbyname("hw.packages", &value, &size, nullptr, 0) == 0 && value > 0) {
    identity.sockets = static_cast<unsigned>(value);
  }
  size = sizeof value;
  identity.is_virtual =
      sysctlbyname("kern.hv_vmm_present", &value, &size, nullptr, 0) == 0 && value != 0;
  return identity;
}

#else

namespace {

/// "CPU implementer" and "CPU part" of /proc/cpuinfo, as in Linux,
/// arch/arm64/include/asm/cputype.h.
struct ArmPart {
  std::string_view implementer;
  std::string_view part;
  std::string_view name;
};
constexpr std::array<ArmPart, 14> kArmParts{{
    {"0x41", "0xd08", "Arm Cortex-A72"},
    {"0x41", "0xd0b", "Arm Cortex-A76"},
    {"0x41", "0xd0c", "Arm Neoverse-N1"},
    {"0x41", "0xd40", "Arm Neoverse-V1"},
    {"0x41", "0xd41", "Arm Cortex-A78"},
    {"0x41", "0xd49", "Arm Neoverse-N2"},
    {"0x41", "0xd4f", "Arm Neoverse-V2"},
    {"0x41", "0xd84", "Arm Neoverse-V3"},
    {"0x41", "0xd8e", "Arm Neoverse-N3"},
    {"0x61", "0x022", "Apple M1"},
    {"0x61", "0x023", "Apple M1"},
    {"0x61", "0x032", "Apple M2"},
    {"0x61", "0x033", "Apple M2"},
    {"0xc0", "0xac3", "AmpereOne"},
}};

std::string arm_name(std::string_view implementer, std::string_view part) {
  const auto* const known = std::ranges::find_if(kArmParts, [&](const ArmPart& candidate) {
    return candidate.implementer == implementer && candidate.part == part;
  });
  if (known != kArmParts.end()) {
    return std::string(known->name);
  }
  return "ARM implementer " + std::string(implementer) + " part " + std::string(part);
}

}  // namespace

CpuIdentity read_cpu_identity(const std::filesystem::path& procfs_root) {
  CpuIdentity identity;
  std::string implementer;
  std::string part;
  std::set<std::string, std::less<>> sockets;
  std::ifstream in(procfs_root / "cpuinfo");
  for (std::string line; std::getline(in, line);) {
    const auto colon = line.find(':');
    if (colon == std::string::npos) {
      continue;
    }
    const std::string_view key = trimmed(std::string_view(line).substr(0, colon));
    const std::string_view value = trimmed(std::string_view(line).substr(colon + 1));
    if (key == "model name" && identity.name.empty()) {
      identity.name = tidied(value);
    } else if (key == "vendor_id") {
      identity.is_amd = value == "AuthenticAMD" || value == "HygonGenuine";
    } else if (key == "physical id") {
      sockets.emplace(value);
    } else if (key == "flags") {
      identity.is_virtual = (" " + std::string(value) + " ").contains(" hypervisor ");
    } else if (key == "CPU implementer" && implementer.empty()) {
      implementer = value;
    } else if (key == "CPU part" && part.empty()) {
      part = value;
    }
  }
  if (identity.name.empty() && !part.empty()) {
    identity.name = arm_name(implementer, part);
  }
  identity.sockets = std::max(1U, static_cast<unsigned>(sockets.size()));
  return identity;
}

#endif

}  // namespace enprof
