// The dashboard's files, built into the program.
#pragma once

#include <span>
#include <string_view>

namespace enprof {

struct DashboardAsset {
  std::string_view path;  ///< URL path: /index.html, /assets/…
  std::string_view content_type;
  std::string_view bytes;
  std::string_view gzip;  ///< the same bytes, compressed
};

/// Empty if the program was built without the dashboard (Node.js 20 was not available).
[[nodiscard]] std::span<const DashboardAsset> dashboard_assets();

}  // namespace enprof
