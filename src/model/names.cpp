#include "enprof/model/names.hpp"

#include <span>

namespace enprof {
namespace {

// Each table is in the order of its enum, so that a value is its index.
constexpr std::string_view kPhases[] = {"pre_inference", "prefill", "decode", "post_inference"};
constexpr std::string_view kLevels[] = {"run",  "phase", "section",   "token",
                                        "pass", "layer", "component", "operation"};
constexpr std::string_view kDepths[] = {"minimal", "module", "deep"};
constexpr std::string_view kMethods[] = {"measured", "attributed", "estimated"};
constexpr std::string_view kStatuses[] = {"running", "completed", "failed", "cancelled",
                                          "interrupted"};

template <class Enum>
std::string_view name_of(std::span<const std::string_view> names, Enum value) {
  const auto index = static_cast<std::size_t>(value);
  return index < names.size() ? names[index] : std::string_view{"unknown"};
}

template <class Enum>
std::optional<Enum> value_of(std::span<const std::string_view> names, std::string_view name) {
  for (std::size_t index = 0; index < names.size(); ++index) {
    if (names[index] == name) {
      return static_cast<Enum>(index);
    }
  }
  return std::nullopt;
}

}  // namespace

std::string_view to_string(Phase value) noexcept { return name_of(kPhases, value); }
std::string_view to_string(Level value) noexcept { return name_of(kLevels, value); }
std::string_view to_string(Depth value) noexcept { return name_of(kDepths, value); }
std::string_view to_string(Method value) noexcept { return name_of(kMethods, value); }
std::string_view to_string(RunStatus value) noexcept { return name_of(kStatuses, value); }

std::optional<Phase> phase_from_string(std::string_view name) noexcept {
  return value_of<Phase>(kPhases, name);
}
std::optional<Depth> depth_from_string(std::string_view name) noexcept {
  return value_of<Depth>(kDepths, name);
}
std::optional<Method> method_from_string(std::string_view name) noexcept {
  return value_of<Method>(kMethods, name);
}
std::optional<RunStatus> run_status_from_string(std::string_view name) noexcept {
  return value_of<RunStatus>(kStatuses, name);
}

}  // namespace enprof
