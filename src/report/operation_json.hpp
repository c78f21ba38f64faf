// Operations and sampled values of a run as JSON, where that is more than their fields.
#pragma once

#include "enprof/model/profiled_run.hpp"

#include "report/json_figures.hpp"
#include "report/value_section.hpp"

#include <string>

namespace enprof {

[[nodiscard]] Json balance_json(const ExpertBalance& balance);

/// The names of the fields of an event, as a list of JSON on one line.
[[nodiscard]] std::string event_columns();
/// An event as a list in that order; `operation` is an index into the table's `operations`. Made
/// without a tree: there are millions of them.
void append_event(std::string& text, const OperationEvent& event);

}  // namespace enprof
