// Errors in the form that clients get: application/problem+json (RFC 9457).
#pragma once

#include "enprof/base/error.hpp"

#include "server/http_message.hpp"

namespace enprof {

/// {"type":"about:blank","title":…,"status":…,"detail":MESSAGE,"code":CODE,"message":…,"hint":…}
[[nodiscard]] HttpResponse problem(int status, const Error& error);
/// With the status for the code: not_found → 404, busy → 503, …
[[nodiscard]] HttpResponse problem(const Error& error);
[[nodiscard]] int http_status(ErrorCode code);

}  // namespace enprof
