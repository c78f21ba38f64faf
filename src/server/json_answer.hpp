// Answers whose body is JSON.
#pragma once

#include "report/json_figures.hpp"
#include "server/http_message.hpp"

namespace enprof {

[[nodiscard]] inline HttpResponse json_answer(const Json& body, int status = 200) {
  return {.status = status,
          .content_type = "application/json",
          .body = on_one_line(body) + "\n",
          .headers = {}};
}

}  // namespace enprof
