// Exports a stored run as a file to download.
#pragma once

#include "enprof/store/profile_database.hpp"

#include "server/http_message.hpp"

#include <string>

namespace enprof {

/// GET /api/profiling/export/{id}?format=json|csv&table=NAME. csv gives one table, or a ZIP file of
/// all tables. The answer is made while it is sent.
[[nodiscard]] HttpResponse export_run(ProfileDatabase& store, const std::string& id,
                                      const HttpRequest& request);

}  // namespace enprof
