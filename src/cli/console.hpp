// The program's two output streams, and what they can show.
#pragma once

#include "enprof/base/error.hpp"

#include "report/text_table.hpp"

#include <string>
#include <string_view>

namespace enprof {

/// Whether stdout or stderr is a terminal, how wide it is, and whether it wants colours (NO_COLOR,
/// no TERM, TERM=dumb).
[[nodiscard]] Terminal stdout_terminal();
[[nodiscard]] Terminal stderr_terminal();
/// Whether stdout is a terminal that a view can be drawn on and redrawn: no pipe, and one that
/// says by TERM what it is and is not dumb.
[[nodiscard]] bool stdout_can_redraw();
/// Columns and lines of the terminal at stdout, as they are now, however few.
struct TerminalSize {
  std::size_t columns = 100;
  std::size_t rows = 24;
};
[[nodiscard]] TerminalSize stdout_size();

/// Writes to stdout. False where it could not: a closed pipe, a full disk.
[[nodiscard]] bool print(std::string_view text);
/// Why print() could not, from errno.
[[nodiscard]] Error cannot_print(int error_number);
/// Writes a line to stderr: "enprof: error: …", and the hint below it. As with say(), whether it
/// can be written changes nothing.
void print_error(const Error& error) noexcept;
/// Writes a line to stderr: "enprof: …", in the same way.
void print_note(std::string_view text) noexcept;

/// One line on stderr that is written over and over; silent where stderr is no terminal that
/// can.
/// Threads: one at a time.
class StatusLine {
 public:
  StatusLine();
  StatusLine(const StatusLine&) = delete;
  StatusLine& operator=(const StatusLine&) = delete;
  ~StatusLine();  ///< clears it

  /// Shows a text, cut to the terminal's width.
  void show(const std::string& text);
  /// Shows a bar for a share 0–1 after a label.
  void show_progress(std::string_view label, double share);
  void clear() noexcept;
  /// Whether what is shown is to be seen.
  [[nodiscard]] bool is_shown() const { return enabled_; }
  /// So many columns there are now.
  [[nodiscard]] static std::size_t columns();

 private:
  bool enabled_;
  bool shown_ = false;
};

}  // namespace enprof
