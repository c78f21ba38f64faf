#include "store/name_codes.hpp"

#include <SQLiteCpp/Exception.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include <climits>

namespace enprof {

NameWriter::NameWriter(SQLite::Database& database, std::int64_t run_key)
    : insert_(database, "INSERT INTO names (run_key, name_key, name) VALUES (?, ?, ?)") {
  insert_.bind(1, run_key);
}

std::int64_t NameWriter::code(std::string_view name) {
  if (const auto known = codes_.find(name); known != codes_.end()) {
    return known->second;
  }
  if (name.size() > INT_MAX) {  // SQLite counts in int
    throw SQLite::Exception("string or blob too big", SQLITE_TOOBIG);
  }
  const auto code = static_cast<std::int64_t>(codes_.size());
  const auto entry = codes_.emplace(name, code).first;
  insert_.bind(2, code);
  insert_.bindNoCopy(3, entry->first);
  insert_.exec();
  insert_.reset();
  return code;
}

NameReader::NameReader(SQLite::Database& database, std::int64_t run_key) {
  SQLite::Statement select(database, "SELECT name_key, name FROM names WHERE run_key = ?");
  select.bind(1, run_key);
  while (select.executeStep()) {
    names_.emplace(select.getColumn(0).getInt64(), select.getColumn(1).getString());
  }
}

const std::string& NameReader::name(std::int64_t code) const {
  const auto found = names_.find(code);
  if (found == names_.end()) {
    throw SQLite::Exception(fmt::format("a row refers to name {}, which does not exist", code),
                            SQLITE_CORRUPT);
  }
  return found->second;
}

}  // namespace enprof
