// Lists of windows, by domain and together.
#pragma once

#include "enprof/model/energy_window.hpp"

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace enprof::testing {

/// The windows of all domains together, by begin.
inline std::vector<EnergyWindow> joined(const WindowsByDomain& windows) {
  std::vector<EnergyWindow> result;
  for (const std::vector<EnergyWindow>& of_domain : windows) {
    result.insert(result.end(), of_domain.begin(), of_domain.end());
  }
  std::ranges::stable_sort(result, {}, &EnergyWindow::begin);
  return result;
}

/// A list for each domain.
inline WindowsByDomain by_domain(std::span<const EnergyWindow> windows, std::size_t domains) {
  WindowsByDomain result(domains);
  for (const EnergyWindow& window : windows) {
    result.at(window.domain).push_back(window);
  }
  return result;
}

/// Leaves out the windows of which `predicate` is true.
template <class Predicate>
void erase_windows(WindowsByDomain& windows, Predicate predicate) {
  for (std::vector<EnergyWindow>& of_domain : windows) {
    std::erase_if(of_domain, predicate);
  }
}

}  // namespace enprof::testing
