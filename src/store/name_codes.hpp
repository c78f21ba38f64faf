// Words that many rows of a run share, stored as numbers: see the table `names`.
#pragma once

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace enprof {

/// Numbers the words of one run from 0, and writes each word when it first occurs.
class NameWriter {
 public:
  /// The database must outlive the writer. Throws SQLite::Exception, as does code().
  NameWriter(SQLite::Database& database, std::int64_t run_key);

  [[nodiscard]] std::int64_t code(std::string_view name);

 private:
  SQLite::Statement insert_;
  std::map<std::string, std::int64_t, std::less<>> codes_;
};

/// Finds the words of one run by their numbers.
class NameReader {
 public:
  /// Throws SQLite::Exception.
  NameReader(SQLite::Database& database, std::int64_t run_key);

  /// Throws SQLite::Exception (corrupt) if no word has the number.
  [[nodiscard]] const std::string& name(std::int64_t code) const;

 private:
  std::map<std::int64_t, std::string> names_;
};

}  // namespace enprof
