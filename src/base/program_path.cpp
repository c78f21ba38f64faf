#include "base/program_path.hpp"

#include <array>
#include <climits>
#include <cstdint>
#include <system_error>

#if defined(__APPLE__)
#include <mach-o/dyld.h>
#endif

namespace enprof {

std::filesystem::path program_path() {
#if defined(__APPLE__)
  std::array<char, PATH_MAX> buffer{};
  auto size = static_cast<std::uint32_t>(buffer.size());
  if (_NSGetExecutablePath(buffer.data(), &size) != 0) {
    return {};
  }
  std::error_code failed;
  return std::filesystem::canonical(buffer.data(), failed);
#else
  std::error_code failed;
  return std::filesystem::read_symlink("/proc/self/exe", failed);
#endif
}

std::string setup_power_access(const std::filesystem::path& program) {
  const auto installed =
      program.parent_path().parent_path() / "libexec" / "enprof" / "setup-power-access";
  std::error_code failed;
  return !program.empty() && std::filesystem::is_regular_file(installed, failed)
             ? installed.string()
             : "tools/setup-power-access";
}

}  // namespace enprof
