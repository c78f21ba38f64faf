// Serves the files of the dashboard.
#pragma once

#include "server/http_message.hpp"

namespace enprof {

/// The file at the request's path. In a program that was built without the dashboard, "/" gives a
/// page that says so.
[[nodiscard]] HttpResponse dashboard_page(const HttpRequest& request);

}  // namespace enprof
