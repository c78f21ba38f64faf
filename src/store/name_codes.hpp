// Words that many rows of a run share, as numbers: see the table of names.
#pragma once

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace enprof {

/// Gives the words of one run their numbers, from 0, and writes each where it is first met.
class NameWriter {
 public:
  /// The database must outlive it. Throws SQLite::Exception, as does code().
  NameWriter(SQLite::Database& database, std::int64_t run_key);

  [[nodiscard]] std::int64_t code(std::string_view name);

 private:
  SQLite::Statement insert_;
  std::map<std::string, std::int64_t, std::less<>> codes_;
};

/// The words of one run by their numbers.
class NameReader {
 public:
  /// Throws SQLite::Exception.
  NameReader(SQLite::Database& database, std::int64_t run_key);

  /// Throws SQLite::Exception (corrupt) for a number that no word has.
  [[nodiscard]] const std::string& name(std::int64_t code) const;

 private:
  std::map<std::int64_t, std::string> names_;
};

}  // namespace enprof
