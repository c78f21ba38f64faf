// The program's output streams, and what they can display.
#pragma once

#include "enprof/base/error.hpp"

#include "report/text_table.hpp"

#include <string>
#include <string_view>

namespace enprof {

/// Whether stdout or stderr is a terminal, its width, and whether to use colours (not with
/// NO_COLOR, without TERM, or with TERM=dumb).
[[nodiscard]] Terminal stdout_terminal();
[[nodiscard]] Terminal stderr_terminal();
/// Whether stdout is a terminal on which a view can be redrawn: TERM is set and not "dumb".
[[nodiscard]] bool stdout_can_redraw();
/// The present size of the terminal at stdout, however small.
struct TerminalSize {
  std::size_t columns = 100;
  std::size_t rows = 24;
};
[[nodiscard]] TerminalSize stdout_size();

/// Writes to stdout. False if that fails: a closed pipe, a full disk.
[[nodiscard]] bool print(std::string_view text);
/// The error of a failed print(), from errno.
[[nodiscard]] Error cannot_print(int error_number);
/// Writes "enprof: error: …" and the hint below it to stderr. As with say(), a failure to write is
/// ignored.
void print_error(const Error& error) noexcept;
/// Writes "enprof: …" to stderr, in the same way.
void print_note(std::string_view text) noexcept;

/// A line on stderr that is redrawn in place. Shows nothing if stderr is not a terminal that can do
/// that. Threads: one at a time.
class StatusLine {
 public:
  StatusLine();
  StatusLine(const StatusLine&) = delete;
  StatusLine& operator=(const StatusLine&) = delete;
  ~StatusLine();  ///< clears it

  /// Shows a text, truncated to the terminal's width.
  void show(const std::string& text);
  /// Shows a label and a progress bar for a share 0–1.
  void show_progress(std::string_view label, double share);
  void clear() noexcept;
  /// Whether the line is displayed at all.
  [[nodiscard]] bool is_shown() const { return enabled_; }
  /// The columns of the line at present.
  [[nodiscard]] static std::size_t columns();

 private:
  bool enabled_;
  bool shown_ = false;
};

}  // namespace enprof
