// A run under way as a screenful of lines.
#pragma once

#include "cli/live_run.hpp"
#include "report/text_table.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace enprof {

/// Lines for a terminal so wide, and so many at most: what matters less is left out where there is
/// no room, and text from elsewhere is made safe to print. `heading` goes on top: whom we watch.
[[nodiscard]] std::vector<std::string> live_screen(const LiveRun& run, const std::string& heading,
                                                   const Terminal& terminal, std::size_t rows);

/// The end of a text in lines of at most so many columns: its own line breaks are kept, characters
/// that drive a terminal become blanks, and no character is cut in two.
[[nodiscard]] std::vector<std::string> last_lines(std::string_view text, std::size_t columns,
                                                  std::size_t rows);

}  // namespace enprof
