#include "server/nearest_name.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace enprof {
namespace {

std::size_t distance(std::string_view from, std::string_view to) {
  std::vector<std::size_t> row(to.size() + 1);  // of the beginnings of `to`, from one of `from`
  for (std::size_t index = 0; index < row.size(); ++index) {
    row[index] = index;
  }
  for (std::size_t i = 0; i < from.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < to.size(); ++j) {
      const std::size_t replaced = diagonal + (from[i] == to[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, replaced});
    }
  }
  return row.back();
}

}  // namespace

std::optional<std::string_view> nearest_name(std::string_view name,
                                             std::span<const std::string_view> known) {
  std::optional<std::string_view> nearest;
  std::size_t least = name.size() / 2 + 1;
  for (const std::string_view candidate : known) {
    if (const std::size_t far = distance(name, candidate); far < least) {
      least = far;
      nearest = candidate;
    }
  }
  return nearest;
}

}  // namespace enprof
