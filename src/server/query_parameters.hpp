// Parses the query parameters of a URL.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/store/run_query.hpp"

#include "server/http_message.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace enprof {

// Errors of each function: invalid_argument, with the values that are allowed.

/// A whole number within bounds; `otherwise` if absent.
[[nodiscard]] Result<std::int64_t> whole_number(const HttpRequest& request, const char* name,
                                                std::int64_t otherwise, std::int64_t least,
                                                std::int64_t most);

/// The index of the parameter's value among the allowed names; 0 if absent.
[[nodiscard]] Result<std::size_t> choice(const HttpRequest& request, const char* name,
                                         std::span<const std::string_view> known);

/// The runs selected by ?model=, ?tag=, ?date_from= and so on: see /api/openapi.json. 50 by
/// default.
[[nodiscard]] Result<RunFilter> run_filter_of(const HttpRequest& request);

/// The passes selected by ?phase=, ?from= and ?to=; all of them by default.
[[nodiscard]] Result<PassRange> passes_of(const HttpRequest& request);

/// The error of the first result that has one.
template <class... Results>
[[nodiscard]] std::optional<Error> first_error(const Results&... results) {
  std::optional<Error> first;
  const auto check = [&](const auto& result) {
    if (!first && !result) {
      first = result.error();
    }
  };
  (check(results), ...);
  return first;
}

}  // namespace enprof
