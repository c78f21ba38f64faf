#if !defined(__linux__)

#include "engines/llama/machine_limits.hpp"

#if defined(__APPLE__)
#include <sys/sysctl.h>
#endif

#include <algorithm>
#include <thread>

namespace enprof {

#if defined(__APPLE__)
namespace {

template <class Number>
std::optional<Number> system_value(const char* name) {
  Number value{};
  std::size_t size = sizeof(value);
  if (sysctlbyname(name, &value, &size, nullptr, 0) != 0 || size != sizeof(value)) {
    return std::nullopt;
  }
  return value;
}

}  // namespace

std::optional<std::uint64_t> usable_memory(const MachineRoots& /*roots*/) {
  return system_value<std::uint64_t>("hw.memsize");
}

int default_threads(const MachineRoots& /*roots*/) {
  // Only the performance cores, if there are two kinds: slow cores would delay the fast ones.
  const auto cores = system_value<std::int32_t>("hw.perflevel0.physicalcpu");
  return std::max(cores ? *cores : system_value<std::int32_t>("hw.physicalcpu").value_or(1), 1);
}

#else

std::optional<std::uint64_t> usable_memory(const MachineRoots& /*roots*/) { return std::nullopt; }

int default_threads(const MachineRoots& /*roots*/) {
  return std::max(static_cast<int>(std::thread::hardware_concurrency()), 1);
}

#endif

}  // namespace enprof

#endif
