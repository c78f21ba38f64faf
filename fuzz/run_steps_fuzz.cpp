// Journals: one step per line. It must be possible to compute figures from accepted steps.
#include "fuzz/check.hpp"
#include "profile/save/step_reader.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

namespace enprof::fuzz {
namespace {

void run(std::string_view text) {
  StepReader reader;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const auto added = reader.add(text.substr(0, end));
    check(added || !added.error().message.empty(), "a refusal says why");
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  auto recorded = reader.run();
  if (!recorded) {
    check(!recorded.error().message.empty(), "a refusal says why");
    return;
  }
  const bool complete = recorded->complete;
  const ProfiledRun run = assemble_recorded(*std::move(recorded));
  check(complete || run.status == RunStatus::interrupted, "a run without its end is interrupted");
}

}  // namespace
}  // namespace enprof::fuzz

// libFuzzer calls the function with this name.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  enprof::fuzz::run({reinterpret_cast<const char*>(data), size});
  return 0;
}
