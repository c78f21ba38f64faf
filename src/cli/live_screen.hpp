// Draws a running run as lines of a terminal.
#pragma once

#include "cli/live_run.hpp"
#include "report/text_table.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace enprof {

/// At most `rows` lines for this terminal. Less important lines are left out if there is no room,
/// and text from others is made safe to print. `heading` is the first line: the server that is
/// watched.
[[nodiscard]] std::vector<std::string> live_screen(const LiveRun& run, const std::string& heading,
                                                   const Terminal& terminal, std::size_t rows);

/// The end of a text in lines of at most `columns` columns. Its own line breaks are kept, control
/// characters become blanks, and no character is split.
[[nodiscard]] std::vector<std::string> last_lines(std::string_view text, std::size_t columns,
                                                  std::size_t rows);

}  // namespace enprof
