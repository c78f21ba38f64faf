// Sums of what may be unknown.
#pragma once

#include <optional>

namespace enprof {

/// The sum is unknown once a part of it is.
template <class T>
void add_known(std::optional<T>& sum, const std::optional<T>& more) {
  sum = sum && more ? std::optional{*sum + *more} : std::nullopt;
}

}  // namespace enprof
