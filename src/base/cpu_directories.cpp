#include "base/cpu_directories.hpp"

#include "base/directory_names.hpp"
#include "base/kernel_text.hpp"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace enprof {

std::vector<std::filesystem::path> cpu_directories(const std::filesystem::path& sysfs_root) {
  std::vector<std::pair<std::uint64_t, std::filesystem::path>> found;
  const std::filesystem::path directory = sysfs_root / "devices" / "system" / "cpu";
  for (const std::string& name : names_in(directory)) {
    if (name.starts_with("cpu")) {  // beside them there are cpufreq and cpuidle
      if (const auto number = whole_number_in(std::string_view(name).substr(3))) {
        found.emplace_back(*number, directory / name);
      }
    }
  }
  std::ranges::sort(found);
  std::vector<std::filesystem::path> result;
  result.reserve(found.size());
  for (auto& [number, path] : found) {
    result.push_back(std::move(path));
  }
  return result;
}

}  // namespace enprof
