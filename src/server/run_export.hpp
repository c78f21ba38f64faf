// A stored run as a file to be downloaded.
#pragma once

#include "enprof/store/profile_database.hpp"

#include "server/http_message.hpp"

#include <string>

namespace enprof {

/// GET /api/profiling/export/{id}?format=json|csv&table=NAME. Of csv, one table, or all of them in
/// a ZIP file. CSV is written into a file without a name first, piece by piece, and sent from
/// there: its length is then known, what goes wrong is a clean error, and a slow client holds up
/// neither a worker nor the database.
[[nodiscard]] HttpResponse export_run(ProfileDatabase& store, const std::string& id,
                                      const HttpRequest& request);

}  // namespace enprof
