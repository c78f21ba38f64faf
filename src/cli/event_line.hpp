// An event of the live stream as a line for people and scripts.
#pragma once

#include "report/json_figures.hpp"

#include <string>

namespace enprof {

/// "SEQ RUN T_MS TYPE KEY=VALUE…" without a newline: fields separated by single blanks, values as
/// JSON (texts in quotes, with control characters escaped), "-" if the event has no run. A list is
/// shown as the number of its entries, the power of a domain as "rail.NAME_mw=…"; --json has
/// everything.
[[nodiscard]] std::string event_line(const Json& event);

}  // namespace enprof
