#include "base/choices.hpp"

#include "base/nearest_name.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace enprof {

std::string say_choices(std::string_view given, std::span<const std::string_view> known) {
  const auto meant = nearest_name(given, known);
  return fmt::format("{}Choose one of: {}", meant ? fmt::format("Did you mean '{}'? ", *meant) : "",
                     fmt::join(known, ", "));
}

}  // namespace enprof
