#include "store/database_file.hpp"

#include "base/shell_quote.hpp"
#include "store/log_owner.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <fcntl.h>
#include <optional>
#include <pwd.h>
#include <ranges>
#include <string>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

namespace enprof {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kOther = "name another file with --db PATH";

std::string reason(int error_number) {
  return std::error_code(error_number, std::generic_category()).message();
}

/// The errno for which this user is denied a right on the path; 0 if the user has it.
int refusal(const fs::path& path, int rights) {
  return faccessat(AT_FDCWD, path.c_str(), rights, AT_EACCESS) == 0 ? 0 : errno;
}

/// The name of the file's owner if that is another user; empty if the file is ours, or missing.
std::string other_owner(const fs::path& path) {
  struct stat status{};
  if (stat(path.c_str(), &status) != 0 || status.st_uid == geteuid()) {
    return {};
  }
  constexpr std::size_t kRoom = 16384;
  std::vector<char> room(kRoom);
  passwd entry{};
  passwd* found = nullptr;
  if (getpwuid_r(status.st_uid, &entry, room.data(), room.size(), &found) != 0 ||
      found == nullptr) {
    return fmt::format("the user with id {}", status.st_uid);
  }
  return fmt::format("user {}", found->pw_name);
}

/// A hint how to get a right on a path, unless the whole file system is read-only.
std::string hint_for(int error_number, const fs::path& path, std::string_view rights) {
  if (error_number == EROFS) {
    return fmt::format("Its file system is mounted read-only: {}.", kOther);
  }
  if (const std::string owner = other_owner(path); !owner.empty()) {
    return fmt::format("It belongs to {}: {}, where you keep runs of your own.", owner, kOther);
  }
  return fmt::format("Give yourself the right (chmod {} {}), or {}.", rights,
                     shell_quote(path.string()), kOther);
}

/// The hint for a user who may not read a database.
std::string hint_for_reading(int error_number, const fs::path& database) {
  if (const std::string owner = other_owner(database); !owner.empty()) {
    return fmt::format(
        "It belongs to {}. They can give you runs (enprof export RUN; you run enprof import), or "
        "let you read all of them (chmod o+r {}). Or {}.",
        owner, shell_quote(database.string()), kOther);
  }
  return hint_for(error_number, database, "u+rw");
}

/// The hint for a user who may not write a database, or a file beside it.
std::string hint_for_writing(int error_number, const fs::path& refused, std::string_view rights,
                             const fs::path& database) {
  std::string hint = hint_for(error_number, refused, rights);
  if (refusal(database, R_OK) == 0) {
    hint += fmt::format(
        " You may read it as it is: enprof runs --db {} (also show and "
        "export).",
        shell_quote(database.string()));
  }
  return hint;
}

std::optional<Error> unsuitable(const fs::path& path) {
  std::error_code failed;
  const fs::file_status status = fs::status(path, failed);
  if (fs::is_directory(status)) {
    return Error{
        ErrorCode::invalid_argument,
        fmt::format("{} is a directory, not a database", path.string()),
        fmt::format("Name a file in it: --db {}", shell_quote((path / "profiles.db").string()))};
  }
  if (fs::exists(status) && !fs::is_regular_file(status)) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("{} is not a regular file, so it cannot be a database", path.string()),
                 "Name another file with --db PATH."};
  }
  return std::nullopt;
}

Error cannot_create(const fs::path& directory, int error_number) {
  // The obstacle is the nearest ancestor that exists.
  fs::path nearest = directory;
  std::error_code failed;
  while (!fs::exists(nearest, failed) && nearest != nearest.parent_path()) {
    nearest = nearest.parent_path();
  }
  if (fs::exists(nearest, failed) && !fs::is_directory(nearest, failed)) {
    return {ErrorCode::invalid_argument,
            fmt::format("Cannot create the directory {} for the database: {} is a file",
                        directory.string(), nearest.string()),
            "Name another file with --db PATH."};
  }
  const bool refused = error_number == EACCES || error_number == EPERM || error_number == EROFS;
  return {error_code_from_errno(error_number),
          fmt::format("Cannot create the directory {} for the database: {} ({})",
                      directory.string(), reason(error_number), nearest.string()),
          refused ? hint_for(error_number, nearest, "u+rwx")
                  : fmt::format("Create it yourself (mkdir -p {}), or {}.",
                                shell_quote(directory.string()), kOther)};
}

fs::path beside(fs::path path, const char* suffix) {
  path += suffix;
  return path;
}

/// Whether nothing was ever stored in a database file: it has at most its first page, which our
/// tables do not fit into, and nothing waits in SQLite's logs. Another program may have started at
/// the same time and stored something first.
bool is_blank(const fs::path& path) {
  constexpr std::uintmax_t kPage = 4096;
  const auto size = [](const fs::path& file) {
    std::error_code failed;
    const std::uintmax_t bytes = fs::file_size(file, failed);
    return failed ? 0 : bytes;
  };
  return size(path) <= kPage && size(beside(path, "-wal")) == 0 &&
         size(beside(path, "-journal")) == 0;
}

std::optional<fs::path> variable(const char* name) {
  const char* const value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): only read
  if (value == nullptr || *value == '\0') {
    return std::nullopt;
  }
  return fs::path{value};
}

}  // namespace

Result<fs::path> default_database_path() {
  // The specification: "All paths set in these environment variables must be absolute. If an
  // implementation encounters a relative path […] it should consider the path invalid and ignore
  // it." https://specifications.freedesktop.org/basedir-spec/latest/
  const fs::path file = fs::path{"enprof"} / "profiles.db";
  if (const auto data = variable("XDG_DATA_HOME"); data && data->is_absolute()) {
    return *data / file;
  }
  if (const auto home = variable("HOME")) {
    return *home / ".local" / "share" / file;
  }
  return fail(ErrorCode::not_found,
              "There is no place for the database: neither XDG_DATA_HOME nor HOME is set",
              "Name a file with --db PATH, or set HOME.");
}

fs::path directory_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path{"."};
}

Result<DatabasePlace> DatabasePlace::prepare(const fs::path& path) {
  if (path.empty() || path.native().find('\0') != std::string::npos || !path.has_filename()) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("\"{}\" does not name a file for the database", path.string()),
                "Name a file with --db PATH.");
  }
  if (auto error = unsuitable(path)) {
    return std::unexpected(*std::move(error));
  }
  std::error_code failed;
  DatabasePlace place{fs::absolute(path, failed)};
  if (failed) {
    return fail(ErrorCode::not_found,
                fmt::format("Cannot find {} from the current directory: {}", path.string(),
                            failed.message()),
                "Name it by its full path, which begins with a /.");
  }
  if (auto made = place.make_directories(); !made) {
    return std::unexpected(std::move(made.error()));
  }
  place.made_file_ = !fs::exists(place.absolute_, failed);
  return place;
}

DatabasePlace::DatabasePlace(DatabasePlace&& other) noexcept
    : absolute_(std::move(other.absolute_)),
      made_(std::move(other.made_)),
      made_file_(other.made_file_),
      kept_(std::exchange(other.kept_, true)) {}

DatabasePlace::~DatabasePlace() {
  if (kept_) {
    return;
  }
  std::error_code failed;
  if (made_file_ && is_blank(absolute_)) {
    try {
      for (const char* const suffix : {"-wal", "-shm", "-journal", ""}) {
        fs::remove(beside(absolute_, suffix), failed);
      }
    } catch (const std::exception&) {
      return;  // no memory for the paths: leave the empty file
    }
  }
  for (const fs::path& directory : std::views::reverse(made_)) {
    fs::remove(directory, failed);  // fails unless it is empty
  }
}

Result<void> DatabasePlace::make_directories() {
  const fs::path directory = absolute_.parent_path();
  std::error_code failed;
  if (fs::is_directory(directory, failed)) {
    return {};
  }
  fs::path step = directory.root_path();
  for (const fs::path& name : directory.relative_path()) {
    step /= name;
    // For the user alone, because prompts are private; the XDG_DATA_HOME specification asks for the
    // same.
    if (mkdir(step.c_str(), S_IRWXU) == 0) {
      made_.push_back(step);
    } else if (errno != EEXIST) {
      return std::unexpected(cannot_create(directory, errno));
    }
  }
  if (!fs::is_directory(directory, failed)) {
    return std::unexpected(cannot_create(directory, ENOTDIR));
  }
  return {};
}

bool may_write_database(const fs::path& path) {
  // Follow links: SQLite puts its own files beside the target.
  const fs::path file = follow_links(path);
  return refusal(file, R_OK | W_OK) == 0 && refusal(directory_of(file), W_OK | X_OK) == 0;
}

Error explain_refusal(const fs::path& path, std::string_view detail) {
  if (auto error = unsuitable(path)) {
    return *std::move(error);
  }
  const fs::path directory = directory_of(path);
  if (refusal(path, F_OK) == 0) {
    if (const int number = refusal(path, R_OK)) {
      return {ErrorCode::permission_denied,
              fmt::format("The database {} cannot be read: {}", path.string(), reason(number)),
              hint_for_reading(number, path)};
    }
    if (const int number = refusal(path, W_OK)) {
      return {ErrorCode::permission_denied,
              fmt::format("The database {} cannot be written: {}", path.string(), reason(number)),
              hint_for_writing(number, path, "u+w", path)};
    }
  }
  if (const int number = refusal(directory, W_OK | X_OK)) {
    return {error_code_from_errno(number),
            fmt::format("The directory {} cannot be written: {}. SQLite keeps files beside the "
                        "database {}",
                        directory.string(), reason(number), path.string()),
            hint_for_writing(number, directory, "u+wx", path)};
  }
  return {ErrorCode::io, fmt::format("Cannot open the database {}: {}", path.string(), detail),
          fmt::format("Check whether it can be opened at all (sqlite3 {} .tables), or {}.",
                      shell_quote(path.string()), kOther)};
}

}  // namespace enprof
