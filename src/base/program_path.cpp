#include "base/program_path.hpp"

#include <array>
#include <climits>
#include <cstdint>
#include <dlfcn.h>
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

std::filesystem::path library_path() {
  Dl_info found{};
  if (::dladdr(reinterpret_cast<const void*>(&program_path), &found) == 0 ||
      found.dli_fname == nullptr) {
    return {};
  }
  std::error_code failed;
  return std::filesystem::canonical(found.dli_fname, failed);
}

std::optional<std::filesystem::path> probe_library(const std::filesystem::path& program) {
  const auto prefix = program.parent_path().parent_path();
  std::error_code failed;
  for (const char* libraries : {ENPROF_LIBRARY_DIRECTORY, "lib", "lib64"}) {
    auto library = prefix / libraries / "enprof" / "libenprof-probe.so";
    if (prefix.is_absolute() && std::filesystem::is_regular_file(library, failed)) {
      return library;
    }
  }
  return std::nullopt;
}

std::optional<std::string> setup_power_access(const std::filesystem::path& program,
                                              const std::filesystem::path& library) {
  // PREFIX/bin/enprof; PREFIX/lib/libenprof.so, or PREFIX/lib/x86_64-linux-gnu/libenprof.so
  std::error_code failed;
  for (const auto& prefix :
       {program.parent_path().parent_path(), library.parent_path().parent_path(),
        library.parent_path().parent_path().parent_path()}) {
    const auto script = prefix / "libexec" / "enprof" / "setup-power-access";
    if (prefix.is_absolute() && std::filesystem::is_regular_file(script, failed)) {
      return script.string();
    }
  }
  return std::nullopt;
}

}  // namespace enprof
