// The operations of a run, one row each. There may be millions, so they are written and read by
// code of their own.
#pragma once

#include "enprof/model/operation.hpp"
#include "enprof/store/run_query.hpp"

#include <SQLiteCpp/Database.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace enprof {

/// Writes all events, grouped into passes: consecutive events that worked for one token in one
/// phase. The caller holds the transaction. Throws SQLite::Exception.
void write_operation_events(SQLite::Database& database, std::int64_t run_key,
                            std::span<const OperationEvent> events);

/// Reads the events in order. `operations` is the number of kinds of operation that the run has.
/// Throws SQLite::Exception; corrupt, if an event names one beyond that number.
[[nodiscard]] std::vector<OperationEvent> read_operation_events(SQLite::Database& database,
                                                                std::int64_t run_key,
                                                                std::size_t operations);
/// Reads at most `most` events, starting at `from`; sets `next` to where the next page starts.
/// Throws as above.
[[nodiscard]] std::vector<OperationEvent> read_operation_events(SQLite::Database& database,
                                                                std::int64_t run_key,
                                                                std::size_t operations,
                                                                const RunPlace& from,
                                                                std::size_t most, RunPlace& next);

/// Throws SQLite::Exception (corrupt) unless 0 <= operation < operations.
void check_operation(std::int64_t operation, std::size_t operations);

}  // namespace enprof
