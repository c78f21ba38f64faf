// One event of the live stream as a line that a person reads and a script takes apart.
#pragma once

#include "report/json_figures.hpp"

#include <string>

namespace enprof {

/// "SEQ RUN T_MS TYPE KEY=VALUE…" without a newline: fields between single blanks, values as JSON
/// (texts in quotes, their control characters escaped), "-" where an event belongs to no run. Of a
/// list it says how many entries there are, of the power of each domain "rail.NAME_mw=…"; --json
/// has all of it.
[[nodiscard]] std::string event_line(const Json& event);

}  // namespace enprof
