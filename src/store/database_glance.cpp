#include "store/database_glance.hpp"

#include "enprof/store/profile_database.hpp"

#include "store/connection.hpp"
#include "store/database_file.hpp"
#include "store/log_owner.hpp"
#include "store/schema.hpp"
#include "store/schema_scripts.hpp"
#include "store/sqlite_error.hpp"

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Transaction.h>
#include <fmt/format.h>

#include <chrono>
#include <string>
#include <system_error>

namespace enprof {
namespace {

namespace fs = std::filesystem;

}  // namespace

Result<DatabaseGlance> glance_at(const fs::path& path) {
  std::error_code failed;
  if (!fs::exists(path, failed)) {
    return fail(ErrorCode::not_found, fmt::format("There is no database at {}", path.string()),
                "Name another file with --db PATH.");
  }
  const auto place = DatabasePlace::prepare(path);
  if (!place) {
    return std::unexpected(place.error());
  }
  const Nanoseconds patience = DatabaseOptions{}.busy_timeout;
  const StoreAction looking{.path = path, .what = "look at the database", .busy_timeout = patience};
  return guarded(looking, [&]() -> Result<DatabaseGlance> {
    bool skipped_log = false;
    SQLite::Database database = open_to_read(follow_links(place->absolute()), skipped_log);
    database.setBusyTimeout(
        static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(patience).count()));
    if (auto ours = check_owner(database, path); !ours) {
      return std::unexpected(ours.error());
    }
    const SQLite::Transaction snapshot(database);
    DatabaseGlance glance{.schema_version = schema_version(database)};
    const int newest = static_cast<int>(schema_migrations().size());
    if (glance.schema_version >= newest) {
      if (auto usable = check_newest(database, path, newest); !usable) {
        return std::unexpected(usable.error());
      }
    }
    if (glance.schema_version > 0) {
      glance.runs =
          static_cast<std::size_t>(database.execAndGet("SELECT count(*) FROM runs").getInt64());
    }
    return glance;
  });
}

}  // namespace enprof
