#include "enprof/model/capture.hpp"

#include <array>
#include <span>

namespace enprof {
namespace {

// Each table is in the order of its enum.
constexpr std::array<std::string_view, 3> kWork{"loading", "warm_up", "cache_move"};
constexpr std::array<std::string_view, 6> kParts{"requests", "idle_while_loaded", "loading",
                                                 "warm_up",  "cache_moves",       "unassigned"};

template <class Enum>
std::string_view name_of(std::span<const std::string_view> names, Enum value) {
  const auto index = static_cast<std::size_t>(value);
  return index < names.size() ? names[index] : std::string_view{"unknown"};
}

}  // namespace

std::string_view to_string(CapturedWorkKind kind) noexcept { return name_of(kWork, kind); }
std::string_view to_string(CapturePartKind kind) noexcept { return name_of(kParts, kind); }

}  // namespace enprof
