#include "server/problem.hpp"

#include "base/json_text.hpp"

#include <nlohmann/json.hpp>

namespace enprof {

HttpResponse problem(int status, const Error& error) {
  using Json = nlohmann::json;
  const Json json{{"type", "about:blank"},
                  {"title", to_string(error.code)},
                  {"status", status},
                  {"detail", error.message},
                  {"code", to_string(error.code)},
                  {"message", error.message},
                  {"hint", error.hint.empty() ? Json(nullptr) : Json(error.hint)}};
  return {.status = status,
          .content_type = "application/problem+json",
          .body = on_one_line(json) + "\n",
          .headers = {}};
}

HttpResponse problem(const Error& error) { return problem(http_status(error.code), error); }

int http_status(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_argument:
    case ErrorCode::malformed:
      return 400;
    case ErrorCode::permission_denied:
      return 403;
    case ErrorCode::not_found:
      return 404;
    case ErrorCode::already_running:
    case ErrorCode::not_running:
    case ErrorCode::cancelled:
      return 409;
    case ErrorCode::too_large:
      return 413;
    case ErrorCode::unsupported:
      return 422;
    case ErrorCode::busy:
    case ErrorCode::unavailable:
      return 503;
    case ErrorCode::corrupt:
    case ErrorCode::process_exited:
    case ErrorCode::io:
    case ErrorCode::internal:
      return 500;
  }
  return 500;
}

}  // namespace enprof
