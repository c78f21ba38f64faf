// Sums of values that may be unknown.
#pragma once

#include <cstddef>
#include <optional>

namespace enprof {

/// A sum is unknown once a part of it is unknown.
template <class T>
void add_known(std::optional<T>& sum, const std::optional<T>& more) {
  sum = sum && more ? std::optional{*sum + *more} : std::nullopt;
}

/// `count` times the value; unknown if the value is.
inline std::optional<double> times(const std::optional<double>& each, std::size_t count) {
  return each ? std::optional{*each * static_cast<double>(count)} : std::nullopt;
}

}  // namespace enprof
