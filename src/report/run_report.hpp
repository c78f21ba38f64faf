// A run as a page of text.
#pragma once

#include "enprof/model/profiled_run.hpp"

#include "report/text_table.hpp"

#include <string>

namespace enprof {

/// The whole report, lines ended by newlines. What was not measured shows as a dash, and the
/// warnings say why.
[[nodiscard]] std::string run_report(const ProfiledRun& run, const Terminal& terminal);

}  // namespace enprof
