#include "cli/console.hpp"

#include "base/printable.hpp"
#include "report/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <sys/ioctl.h>
#include <unistd.h>

namespace enprof {
namespace {

constexpr std::size_t kDefaultWidth = 100;
constexpr std::size_t kNarrowest = 40;
constexpr std::size_t kBarWidth = 24;

std::size_t width_of(int descriptor) {
  winsize size{};
  if (ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    return std::max<std::size_t>(size.ws_col, kNarrowest);
  }
  return kDefaultWidth;
}

bool is_dumb() {
  const char* term = std::getenv("TERM");  // NOLINT(concurrency-mt-unsafe): read at start
  return term != nullptr && std::string_view{term} == "dumb";
}

Terminal terminal_of(int descriptor) {
  const char* no_color = std::getenv("NO_COLOR");  // NOLINT(concurrency-mt-unsafe)
  const bool wanted = (no_color == nullptr || *no_color == '\0') && !is_dumb();
  return {.colour = wanted && isatty(descriptor) == 1, .width = width_of(descriptor)};
}

}  // namespace

Terminal stdout_terminal() { return terminal_of(STDOUT_FILENO); }
Terminal stderr_terminal() { return terminal_of(STDERR_FILENO); }
bool stderr_is_terminal() { return isatty(STDERR_FILENO) == 1; }
bool stdout_can_redraw() { return isatty(STDOUT_FILENO) == 1 && !is_dumb(); }

TerminalSize stdout_size() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
    return {.columns = size.ws_col, .rows = size.ws_row};
  }
  return {};
}

bool print(std::string_view text) {
  // Whatever was overlooked before: what reaches a terminal does not drive it.
  if (isatty(STDOUT_FILENO) == 1) {
    const std::string safe = printable_page(text);
    return std::fwrite(safe.data(), 1, safe.size(), stdout) == safe.size() &&
           std::fflush(stdout) == 0;
  }
  return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() &&
         std::fflush(stdout) == 0;
}

void print_error(const Error& error) {
  const Terminal terminal = stderr_terminal();
  std::string text =
      "enprof: " + styled(terminal, Style::bad, "error: ") + printable_lines(error.message) + "\n";
  if (!error.hint.empty()) {
    text += "  " + printable_lines(error.hint) + "\n";
  }
  std::fputs(text.c_str(), stderr);
}

void print_note(std::string_view text) {
  fmt::print(stderr, "enprof: {}\n", printable_lines(text));
}

StatusLine::StatusLine() : enabled_(stderr_is_terminal()), width_(stderr_terminal().width) {}

StatusLine::~StatusLine() { clear(); }

void StatusLine::show(const std::string& text) {
  if (!enabled_) {
    return;
  }
  std::string line = printable(text);
  while (display_width(line) >= width_ && !line.empty()) {
    line.pop_back();  // almost all of it is ASCII: byte by byte will do
  }
  fmt::print(stderr, "\r{}\x1b[K", line);
  std::fflush(stderr);
  shown_ = true;
}

void StatusLine::show_progress(std::string_view label, double share) {
  const double bounded = std::clamp(share, 0.0, 1.0);
  const auto filled = static_cast<std::size_t>(std::lround(bounded * kBarWidth));
  show(fmt::format("{} [{}{}] {:3.0f} %", label, std::string(filled, '#'),
                   std::string(kBarWidth - filled, '.'), 100.0 * bounded));
}

void StatusLine::clear() {
  if (shown_) {
    std::fputs("\r\x1b[K", stderr);
    std::fflush(stderr);
    shown_ = false;
  }
}

}  // namespace enprof
