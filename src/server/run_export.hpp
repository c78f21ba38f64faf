// A stored run as a file to be downloaded.
#pragma once

#include "enprof/store/profile_database.hpp"

#include "server/http_message.hpp"

#include <string>

namespace enprof {

/// GET /api/profiling/export/{id}?format=json|csv&table=NAME. Of csv, one table, or all of them in
/// a ZIP file. Made while it is sent.
[[nodiscard]] HttpResponse export_run(ProfileDatabase& store, const std::string& id,
                                      const HttpRequest& request);

}  // namespace enprof
