// Replay files. An accepted file must be in order, and be the same after writing and reading it.
#include "fuzz/check.hpp"
#include "power/recording/replay_file.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <sstream>
#include <string>
#include <string_view>

namespace enprof::fuzz {
namespace {

void run(std::string_view text) {
  std::istringstream in{std::string(text)};
  const auto file = parse_replay(in, "fuzz");
  if (!file) {
    check(!file.error().message.empty(), "a refusal says why");
    return;
  }
  check(!file->windows.empty() && !file->domains.empty(), "a file has windows and domains");
  std::string again;
  for (const ReplayWindow& window : file->windows) {
    check(window.domain < file->domains.size(), "a window's domain is in the list");
    check(window.begin < window.end, "a window has a length");
    check(std::isfinite(window.energy.value()) && window.energy >= Joules{0},
          "an energy is possible");
    again += replay_line(file->domains[window.domain], window);
  }
  std::istringstream in_again{again};
  const auto file_again = parse_replay(in_again, "again");
  check(file_again.has_value(), "what was written can be read");
  check(file_again->windows.size() == file->windows.size(), "and is as long");
  check(file_again->domains.size() == file->domains.size(), "of as many domains");
}

}  // namespace
}  // namespace enprof::fuzz

// libFuzzer calls the function with this name.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  enprof::fuzz::run({reinterpret_cast<const char*>(data), size});
  return 0;
}
