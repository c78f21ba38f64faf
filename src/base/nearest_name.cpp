#include "base/nearest_name.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace enprof {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::size_t distance(std::string_view from, std::string_view to) {
  // Three rows of the table of distances between the prefixes of both.
  std::vector<std::size_t> before(to.size() + 1);
  std::vector<std::size_t> last(to.size() + 1);
  std::vector<std::size_t> row(to.size() + 1);
  for (std::size_t index = 0; index < row.size(); ++index) {
    row[index] = index;
  }
  for (std::size_t i = 0; i < from.size(); ++i) {
    before.swap(last);
    last.swap(row);
    row[0] = i + 1;
    for (std::size_t j = 0; j < to.size(); ++j) {
      const bool same = lower(from[i]) == lower(to[j]);
      row[j + 1] = std::min({row[j] + 1, last[j + 1] + 1, last[j] + (same ? 0 : 1)});
      const bool swapped = i > 0 && j > 0 && lower(from[i]) == lower(to[j - 1]) &&
                           lower(from[i - 1]) == lower(to[j]);
      if (swapped) {
        row[j + 1] = std::min(row[j + 1], before[j - 1] + 1);
      }
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
