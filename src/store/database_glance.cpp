#include "store/database_glance.hpp"

#include "enprof/store/profile_database.hpp"

#include "store/database_file.hpp"
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

/// To be opened without a trace. Where nobody has the file open, SQLite is told that it does not
/// change (https://www.sqlite.org/uri.html): it would leave a log and shared memory beside it.
/// These are there already where others write, whose latest changes are in them.
std::string uri_of(const fs::path& absolute) {
  std::string uri = "file:";
  for (const char c : absolute.string()) {
    uri += c == '?' || c == '#' || c == '%' ? fmt::format("%{:02X}", c) : std::string(1, c);
  }
  std::error_code failed;
  const bool in_use = fs::exists(absolute.string() + "-wal", failed) ||
                      fs::exists(absolute.string() + "-journal", failed);
  return in_use ? uri : uri + "?immutable=1";
}

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
    SQLite::Database database(
        uri_of(place->absolute()), SQLite::OPEN_READONLY | SQLite::OPEN_URI,
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
