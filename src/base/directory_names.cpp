#include "base/directory_names.hpp"

#include <dirent.h>
#include <memory>
#include <string_view>

namespace enprof {
namespace {

struct Close {
  void operator()(DIR* directory) const noexcept { closedir(directory); }
};

}  // namespace

std::vector<std::string> names_in(const std::filesystem::path& directory) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, Close> stream(opendir(directory.c_str()));
  if (!stream) {
    return names;
  }
  // Other threads have streams of their own.
  while (const dirent* const entry = readdir(stream.get())) {  // NOLINT(concurrency-mt-unsafe)
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") {
      names.emplace_back(name);
    }
  }
  return names;
}

}  // namespace enprof
