// The operations of a run, one row each: millions of them, so that they have a way of their own
// into the file and out of it.
#pragma once

#include "enprof/model/operation.hpp"
#include "enprof/store/run_query.hpp"

#include <SQLiteCpp/Database.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace enprof {

/// Writes all events, in passes: events in a row that worked for one token in one phase. The caller
/// holds the transaction. Throws SQLite::Exception.
void write_operation_events(SQLite::Database& database, std::int64_t run_key,
                            std::span<const OperationEvent> events);

/// Reads them back, in order. Throws SQLite::Exception; corrupt, where one names an operation that
/// is not among so many.
[[nodiscard]] std::vector<OperationEvent> read_operation_events(SQLite::Database& database,
                                                                std::int64_t run_key,
                                                                std::size_t operations);
/// At most so many of them, from a place on, and where it goes on from there. Throws likewise.
[[nodiscard]] std::vector<OperationEvent> read_operation_events(SQLite::Database& database,
                                                                std::int64_t run_key,
                                                                std::size_t operations,
                                                                const RunPlace& from,
                                                                std::size_t most, RunPlace& next);

/// Throws SQLite::Exception (corrupt) where an event's operation is not among so many.
void check_operation(std::int64_t operation, std::size_t operations);

}  // namespace enprof
