// A capture and its requests as text.
#pragma once

#include "enprof/model/profiled_run.hpp"
#include "enprof/store/run_query.hpp"

#include "report/text_table.hpp"

#include <span>
#include <string>

namespace enprof {

/// One line of the list, of a run in memory.
[[nodiscard]] RunSummary summary_of(const ProfiledRun& run);

/// One row for each request: its tokens, its energy, what it added, its part of the idle energy.
[[nodiscard]] std::string request_table(std::span<const RunSummary> requests,
                                        const Terminal& terminal, std::size_t indent = 0);

/// What a capture's energy went to, its requests, and how full its batches were. Follows the report
/// of its run. `all`: how many requests there are, of which `requests` are the first.
[[nodiscard]] std::string capture_section(const ProfiledRun& capture,
                                          std::span<const RunSummary> requests, std::size_t all,
                                          const Terminal& terminal);

/// The most requests that the report of a capture lists.
inline constexpr std::size_t kRequestsShown = 20;

}  // namespace enprof
