// A powercap tree: finding its zones, and reading the numbers in their files.
//
// The input is a list of files, one per line: a path below class/powercap, a blank, and the
// content, as in "intel-rapl:0/name package-0". In the content, "|" means the end of a line.
#include "base/polled_file.hpp"
#include "fuzz/check.hpp"
#include "power/rapl/rapl_zones.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <unistd.h>

namespace enprof::fuzz {
namespace {

namespace fs = std::filesystem;

/// A directory, in memory if possible; one for each process, emptied before each input.
const fs::path& root() {
  static const fs::path path = [] {
    const fs::path base =
        fs::is_directory("/dev/shm") ? fs::path("/dev/shm") : fs::temp_directory_path();
    return base / ("enprof-fuzz-" + std::to_string(getpid()));
  }();
  return path;
}

/// Whether a path stays below the tree: an input must not write elsewhere.
bool is_safe(std::string_view path) {
  return !path.empty() && path.size() < 100 && !path.starts_with('/') && !path.contains("..") &&
         !path.contains('\0') && std::ranges::count(path, '/') <= 3;
}

void build(std::string_view text) {
  constexpr int kMostFiles = 24;
  const fs::path top = root() / "sys/class/powercap";
  std::error_code failed;
  fs::create_directories(top, failed);
  for (int files = 0; !text.empty() && files < kMostFiles; ++files) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const auto blank = line.find(' ');
    const std::string_view path = line.substr(0, blank);
    if (!is_safe(path)) {
      continue;
    }
    std::string content(blank == std::string_view::npos ? "" : line.substr(blank + 1));
    std::ranges::replace(content, '|', '\n');
    fs::create_directories((top / path).parent_path(), failed);
    std::ofstream(top / path, std::ios::binary) << content;
  }
}

void check_powercap() {
  const auto zones = find_rapl_zones(root() / "sys", root() / "proc");
  if (!zones) {
    check(!zones.error().message.empty() && !zones.error().hint.empty(), "a refusal says why");
    return;
  }
  std::set<std::string> names;
  for (const RaplZone& zone : *zones) {
    check(names.insert(zone.domain.name).second, "a domain's name is its own");
    if (const auto file = PolledFile::open(zone.files.energy)) {
      if (const auto value = file->read_number(); !value) {
        check(value.error().code != ErrorCode::internal, "a refusal has a reason");
      }
    }
  }
}

}  // namespace
}  // namespace enprof::fuzz

// libFuzzer calls the function with this name.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  enprof::fuzz::build({reinterpret_cast<const char*>(data), size});
  enprof::fuzz::check_powercap();
  std::error_code failed;
  std::filesystem::remove_all(enprof::fuzz::root(), failed);
  return 0;
}
