#include "server/dashboard_page.hpp"

#include "server/dashboard_assets.hpp"

#include <algorithm>
#include <string>
#include <string_view>

namespace enprof {

HttpResponse dashboard_page(const HttpRequest& request) {
  const std::string_view path =
      request.path == "/" ? "/index.html" : std::string_view(request.path);
  const auto assets = dashboard_assets();
  const auto asset = std::ranges::find(assets, path, &DashboardAsset::path);
  if (asset == assets.end()) {
    return {.content_type = "text/html; charset=utf-8",
            .body =
                "<!doctype html><title>enprof</title><h1>enprof</h1><p>This program was built "
                "without its dashboard, which needs Node.js 20 or later: install it and build "
                "again. The API works: <a href=\"/api/openapi.json\">/api/openapi.json</a>\n"};
  }
  HttpResponse response{.content_type = std::string(asset->content_type)};
  if (request.header("accept-encoding").find("gzip") != std::string_view::npos) {
    response.body = asset->gzip;
    response.headers.emplace_back("Content-Encoding", "gzip");
  } else {
    response.body = asset->bytes;
  }
  response.headers.emplace_back("Vary", "Accept-Encoding");
  // The names of assets change with their content.
  if (path.starts_with("/assets/")) {
    response.headers.emplace_back("Cache-Control", "public, max-age=31536000, immutable");
  }
  return response;
}

}  // namespace enprof
