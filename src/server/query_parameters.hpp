// What clients ask for in the query of a URL.
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

// Each is invalid_argument where the query says something else than it may, with what it may say.

/// A whole number within bounds; `otherwise` where it is absent.
[[nodiscard]] Result<std::int64_t> whole_number(const HttpRequest& request, const char* name,
                                                std::int64_t otherwise, std::int64_t least,
                                                std::int64_t most);

/// The place of one of the names that a parameter may be; the first of them where it is absent.
[[nodiscard]] Result<std::size_t> choice(const HttpRequest& request, const char* name,
                                         std::span<const std::string_view> known);

/// The runs that are asked for by ?model=, ?tag=, ?date_from= and the like: see
/// /api/openapi.json. 50 of them where the query says nothing.
[[nodiscard]] Result<RunFilter> run_filter_of(const HttpRequest& request);

/// The passes that ?phase=, ?from= and ?to= name; all of them where they are absent.
[[nodiscard]] Result<PassRange> passes_of(const HttpRequest& request);

/// That of the first of several results that is none.
template <class... Results>
[[nodiscard]] std::optional<Error> first_error(const Results&... results) {
  std::optional<Error> first;
  const auto look = [&](const auto& result) {
    if (!first && !result) {
      first = result.error();
    }
  };
  (look(results), ...);
  return first;
}

}  // namespace enprof
