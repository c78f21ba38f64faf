// Comparisons as text, Markdown and JSON.
#pragma once

#include "experiment/comparison.hpp"
#include "report/text_table.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace enprof {

/// A comparison and what was ruled on it; no ruling if none was asked for.
struct RuledComparison {
  Comparison comparison{};
  std::optional<Ruling> ruling{};
};

/// For a terminal.
[[nodiscard]] std::string comparison_report(std::span<const RuledComparison> comparisons,
                                            const Terminal& terminal);
/// GitHub-flavoured Markdown, for a pull request or a job's summary.
[[nodiscard]] std::string comparison_markdown(std::span<const RuledComparison> comparisons);
/// {"comparisons": […]}, indented. Keys carry their units; what is absent is null.
[[nodiscard]] std::string comparison_json(std::span<const RuledComparison> comparisons);

/// A text in a cell of a Markdown table.
[[nodiscard]] std::string markdown_cell(std::string_view text);

}  // namespace enprof
