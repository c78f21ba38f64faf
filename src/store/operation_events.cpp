#include "store/operation_events.hpp"

#include "store/column_visitors.hpp"

#include <SQLiteCpp/Exception.h>
#include <SQLiteCpp/Statement.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include <limits>
#include <memory>
#include <new>
#include <string>

namespace enprof {
namespace {

/// Unsigned, where wrapping is defined, so that even very distant instants are restored exactly.
std::uint64_t bits(Nanoseconds instant) { return static_cast<std::uint64_t>(instant.count()); }

std::uint64_t end_bits(const OperationEvent& event) {
  return bits(event.begin) + event.duration_ns;
}

bool same_pass(const OperationEvent& a, const OperationEvent& b) {
  return a.token == b.token && a.phase == b.phase;
}

// ---- the events as a table that SQLite reads ----------------------------------------------------
//
// Binding seven million values one by one takes longer than all that SQLite does with them. With
// the events as a virtual table (sqlite.org/vtab.html) one INSERT … SELECT copies them: measured
// with a million events, 0.40 s instead of 0.74 s.

constexpr const char* kModule = "enprof_operation_events";

struct EventSource {
  std::span<const OperationEvent> events;
  std::int64_t first_pass = 0;
};

struct EventTable : sqlite3_vtab {
  const EventSource* source = nullptr;
};

struct EventCursor : sqlite3_vtab_cursor {
  const EventSource* source = nullptr;
  std::size_t index = 0;
  std::int64_t pass = 0;
  std::int64_t position = 0;
};

int connect(sqlite3* handle, void* source, int, const char* const*, sqlite3_vtab** table, char**) {
  const int code = sqlite3_declare_vtab(
      handle, "CREATE TABLE t (pass_key, position, operation, gap_ns, duration_ns, energy_j)");
  if (code != SQLITE_OK) {
    return code;
  }
  auto made = std::unique_ptr<EventTable>(new (std::nothrow) EventTable);
  if (!made) {
    return SQLITE_NOMEM;
  }
  made->source = static_cast<const EventSource*>(source);
  *table = made.release();
  return SQLITE_OK;
}

int disconnect(sqlite3_vtab* table) {
  std::unique_ptr<EventTable>{static_cast<EventTable*>(table)}.reset();
  return SQLITE_OK;
}

int best_index(sqlite3_vtab*, sqlite3_index_info*) { return SQLITE_OK; }

int open(sqlite3_vtab* table, sqlite3_vtab_cursor** cursor) {
  auto made = std::unique_ptr<EventCursor>(new (std::nothrow) EventCursor);
  if (!made) {
    return SQLITE_NOMEM;
  }
  made->source = static_cast<EventTable*>(table)->source;
  *cursor = made.release();
  return SQLITE_OK;
}

int close(sqlite3_vtab_cursor* cursor) {
  std::unique_ptr<EventCursor>{static_cast<EventCursor*>(cursor)}.reset();
  return SQLITE_OK;
}

int filter(sqlite3_vtab_cursor* base, int, const char*, int, sqlite3_value**) {
  auto& cursor = *static_cast<EventCursor*>(base);
  cursor.index = 0;
  cursor.pass = cursor.source->first_pass;
  cursor.position = 0;
  return SQLITE_OK;
}

int next(sqlite3_vtab_cursor* base) {
  auto& cursor = *static_cast<EventCursor*>(base);
  const auto events = cursor.source->events;
  ++cursor.index;
  ++cursor.position;
  if (cursor.index < events.size() && !same_pass(events[cursor.index - 1], events[cursor.index])) {
    ++cursor.pass;
    cursor.position = 0;
  }
  return SQLITE_OK;
}

int at_end(sqlite3_vtab_cursor* base) {
  const auto& cursor = *static_cast<EventCursor*>(base);
  return cursor.index >= cursor.source->events.size() ? 1 : 0;
}

int column(sqlite3_vtab_cursor* base, sqlite3_context* context, int number) {
  const auto& cursor = *static_cast<EventCursor*>(base);
  const OperationEvent& event = cursor.source->events[cursor.index];
  switch (number) {
    case 0:
      sqlite3_result_int64(context, cursor.pass);
      break;
    case 1:
      sqlite3_result_int64(context, cursor.position);
      break;
    case 2:
      sqlite3_result_int64(context, event.operation);
      break;
    case 3: {
      const std::uint64_t before = cursor.position == 0
                                       ? bits(event.begin)
                                       : end_bits(cursor.source->events[cursor.index - 1]);
      sqlite3_result_int64(context, static_cast<std::int64_t>(bits(event.begin) - before));
      break;
    }
    case 4:
      sqlite3_result_int64(context, event.duration_ns);
      break;
    default:
      if (const auto energy = event.energy()) {
        sqlite3_result_double(context, energy->value());
      }
      break;
  }
  return SQLITE_OK;
}

int rowid(sqlite3_vtab_cursor* base, sqlite3_int64* row) {
  *row = static_cast<sqlite3_int64>(static_cast<EventCursor*>(base)->index);
  return SQLITE_OK;
}

const sqlite3_module& event_module() {
  static const sqlite3_module module = [] {
    sqlite3_module made{};
    made.xConnect = connect;
    made.xBestIndex = best_index;
    made.xDisconnect = disconnect;
    made.xOpen = open;
    made.xClose = close;
    made.xFilter = filter;
    made.xNext = next;
    made.xEof = at_end;
    made.xColumn = column;
    made.xRowid = rowid;
    return made;
  }();
  return module;
}

/// The virtual table exists as long as this object.
class EventModule {
 public:
  EventModule(SQLite::Database& database, const EventSource& source)
      : handle_(database.getHandle()) {
    // SQLite passes the pointer back and never writes through it.
    void* const data = const_cast<EventSource*>(&source);  // NOLINT(*-const-cast)
    if (const int code = sqlite3_create_module(handle_, kModule, &event_module(), data);
        code != SQLITE_OK) {
      throw SQLite::Exception(handle_, code);
    }
  }
  EventModule(const EventModule&) = delete;
  EventModule& operator=(const EventModule&) = delete;
  ~EventModule() { sqlite3_create_module(handle_, kModule, nullptr, nullptr); }

 private:
  sqlite3* handle_;
};

/// Writes the passes and returns the key of the first; the keys are consecutive.
std::int64_t write_passes(SQLite::Database& database, std::int64_t run_key,
                          std::span<const OperationEvent> events) {
  // The caller's transaction keeps other writers out: the keys after the last one are free.
  const std::int64_t first =
      database.execAndGet("SELECT ifnull(max(pass_key), 0) + 1 FROM operation_passes").getInt64();
  SQLite::Statement insert(database,
                           "INSERT INTO operation_passes (pass_key, run_key, phase, token, "
                           "begin_ns) VALUES (?, ?, ?, ?, ?)");
  std::int64_t key = first;
  for (std::size_t index = 0; index < events.size(); ++index) {
    const OperationEvent& event = events[index];
    if (index > 0 && same_pass(events[index - 1], event)) {
      continue;
    }
    insert.bind(1, key++);
    insert.bind(2, run_key);
    ColumnBinder binder(insert, 3);
    binder("phase", event.phase);
    binder.index("token", event.token);
    binder("begin_ns", event.begin);
    insert.exec();
    insert.reset();
  }
  return first;
}

}  // namespace

void write_operation_events(SQLite::Database& database, std::int64_t run_key,
                            std::span<const OperationEvent> events) {
  if (events.empty()) {
    return;
  }
  const EventSource source{.events = events, .first_pass = write_passes(database, run_key, events)};
  const EventModule table(database, source);
  database.exec(fmt::format(
      "INSERT INTO operation_metrics (pass_key, position, operation, gap_ns, duration_ns, "
      "energy_j) SELECT pass_key, position, operation, gap_ns, duration_ns, energy_j FROM {}",
      kModule));
}

void check_operation(std::int64_t operation, std::size_t operations) {
  if (operation < 0 || static_cast<std::uint64_t>(operation) >= operations) {
    throw SQLite::Exception(fmt::format("an event refers to operation {}, but there are only {}",
                                        operation, operations),
                            SQLITE_CORRUPT);
  }
}

std::vector<OperationEvent> read_operation_events(SQLite::Database& database, std::int64_t run_key,
                                                  std::size_t operations) {
  RunPlace end;
  return read_operation_events(database, run_key, operations, {},
                               std::numeric_limits<std::size_t>::max(), end);
}

std::vector<OperationEvent> read_operation_events(SQLite::Database& database, std::int64_t run_key,
                                                  std::size_t operations, const RunPlace& from,
                                                  std::size_t most, RunPlace& next) {
  std::vector<OperationEvent> events;
  next = from;
  SQLite::Statement passes(database,
                           "SELECT pass_key, phase, token, begin_ns FROM operation_passes "
                           "WHERE run_key = ? AND pass_key >= ? ORDER BY pass_key");
  passes.bind(1, run_key);
  passes.bind(2, from.row);
  SQLite::Statement rows(database,
                         "SELECT operation, gap_ns, duration_ns, energy_j, position "
                         "FROM operation_metrics WHERE pass_key = ? AND position >= ? "
                         "ORDER BY position");
  while (events.size() < most && passes.executeStep()) {
    OperationEvent event;
    std::int64_t key = 0;
    ColumnReader pass(passes);
    pass("pass_key", key);
    pass("phase", event.phase);
    pass.index("token", event.token);
    pass("begin_ns", event.begin);
    const bool goes_on = key == from.row && from.within > 0;
    std::uint64_t end = bits(goes_on ? from.end : event.begin);
    rows.bind(1, key);
    rows.bind(2, goes_on ? from.within : 0);
    next = {.row = key + 1, .within = 0, .end = {}};
    while (rows.executeStep()) {
      if (events.size() == most) {  // the page is full in the middle of a pass
        next = {.row = key,
                .within = rows.getColumn(4).getInt64(),
                .end = Nanoseconds{static_cast<std::int64_t>(end)}};
        break;
      }
      ColumnReader row(rows);
      std::int64_t operation = 0;
      std::int64_t gap = 0;
      row("operation", operation);
      row("gap_ns", gap);
      row("duration_ns", event.duration_ns);
      row.number("energy_j", event.energy_j);
      check_operation(operation, operations);
      event.operation = static_cast<std::uint32_t>(operation);
      event.begin = Nanoseconds{static_cast<std::int64_t>(end + static_cast<std::uint64_t>(gap))};
      events.push_back(event);
      end = end_bits(event);
    }
    rows.reset();
  }
  return events;
}

}  // namespace enprof
