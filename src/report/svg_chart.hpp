// A chart as a picture inside an HTML page.
#pragma once

#include "report/chart.hpp"

#include <string>

namespace enprof {

/// An <svg> element. Series differ in shape as well as in colour, so that it can be read on paper
/// without colours. It has no script, no link, and no font of its own; texts are escaped. Points
/// that are no finite number, or not above 0 on a logarithmic axis, are left out.
[[nodiscard]] std::string svg_chart(const Chart& chart);

}  // namespace enprof
