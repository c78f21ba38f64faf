// A run as a page of text.
#pragma once

#include "enprof/model/profiled_run.hpp"

#include "report/text_table.hpp"

#include <string>

namespace enprof {

/// The whole report, with lines ended by newlines. Absent values are dashes, and the warnings give
/// the reasons.
[[nodiscard]] std::string run_report(const ProfiledRun& run, const Terminal& terminal);

}  // namespace enprof
