// The description of the API.
#pragma once

#include <string_view>

namespace enprof {

/// OpenAPI 3.1, as JSON.
[[nodiscard]] std::string_view openapi_document();

}  // namespace enprof
