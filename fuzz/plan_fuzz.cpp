// Plans of experiments. An accepted plan has points, and its design comes back from a run's tag.
#include "experiment/plan_file.hpp"
#include "fuzz/check.hpp"

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>

namespace enprof::fuzz {
namespace {

void run(std::string_view text) {
  const auto plan = parse_plan(text, "fuzz", {});
  if (!plan) {
    check(!plan.error().message.empty(), "a refusal says why");
    return;
  }
  const auto points = plan->design.points();
  check(!points.empty() && points.size() <= kMostPoints, "a plan has points");
  std::set<std::string> labels;
  for (const ExperimentPoint& point : points) {
    check(labels.insert(point.label).second, "points have names of their own");
    for (const Axis& axis : axes()) {
      const int value = point.*axis.value;
      check((value >= axis.least && value <= axis.most) || value == axis.usual,
            "a setting is in range");
    }
  }
  const auto back = design_from_json(design_to_json(plan->design));
  check(back.has_value(), "a design comes back from its tag");
  check(back->points() == points, "with the same points");
}

}  // namespace
}  // namespace enprof::fuzz

// libFuzzer calls the function with this name.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  enprof::fuzz::run({reinterpret_cast<const char*>(data), size});
  return 0;
}
