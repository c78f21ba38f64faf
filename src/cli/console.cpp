#include "cli/console.hpp"

#include "base/file_limit.hpp"
#include "base/printable.hpp"
#include "base/say.hpp"
#include "report/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <exception>
#include <poll.h>
#include <sys/ioctl.h>
#include <system_error>
#include <unistd.h>

namespace enprof {
namespace {

constexpr std::size_t kDefaultWidth = 100;
constexpr std::size_t kNarrowest = 20;
constexpr std::size_t kBarWidth = 24;

std::size_t width_of(int descriptor) {
  winsize size{};
  if (ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    return std::max<std::size_t>(size.ws_col, kNarrowest);
  }
  const char* columns = std::getenv("COLUMNS");  // NOLINT(concurrency-mt-unsafe): read at start
  const long wanted = columns == nullptr ? 0 : std::strtol(columns, nullptr, 10);
  return wanted > 0 ? std::clamp<std::size_t>(static_cast<std::size_t>(wanted), kNarrowest, 10'000)
                    : kDefaultWidth;
}

/// Whether the terminal would print escape sequences literally. A terminal without TERM is assumed
/// to be no better than a dumb one.
bool is_dumb() {
  const char* term = std::getenv("TERM");  // NOLINT(concurrency-mt-unsafe): read at start
  return term == nullptr || *term == '\0' || std::string_view{term} == "dumb";
}

Terminal terminal_of(int descriptor) {
  const char* no_color = std::getenv("NO_COLOR");  // NOLINT(concurrency-mt-unsafe)
  const bool wanted = (no_color == nullptr || *no_color == '\0') && !is_dumb();
  return {.colour = wanted && isatty(descriptor) == 1, .width = width_of(descriptor)};
}

}  // namespace

Terminal stdout_terminal() { return terminal_of(STDOUT_FILENO); }
Terminal stderr_terminal() { return terminal_of(STDERR_FILENO); }
bool stdout_can_redraw() { return isatty(STDOUT_FILENO) == 1 && !is_dumb(); }

TerminalSize stdout_size() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
    return {.columns = size.ws_col, .rows = size.ws_row};
  }
  return {};
}

bool print(std::string_view text) {
  // A last safeguard: no text drives the terminal.
  std::string safe;
  if (isatty(STDOUT_FILENO) == 1) {
    safe = printable_page(text);
    text = safe;
  }
  while (!text.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {  // a pipe that another program made non-blocking
      pollfd out{.fd = STDOUT_FILENO, .events = POLLOUT, .revents = 0};
      poll(&out, 1, -1);
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

Error cannot_print(int error_number) {
  // EBADF means that it is closed, even if another file has taken its descriptor
  // (reserve_standard_streams).
  const bool is_closed = error_number == EBADF;
  return {error_code_from_errno(error_number),
          fmt::format("Cannot write standard output: {}",
                      is_closed ? std::string{"it is closed"}
                                : std::generic_category().message(error_number)),
          is_closed               ? "Keep it open, or send the result to a file: > FILE"
          : error_number == EFBIG ? file_limit_hint()
                                  : "Send it to a disk with room, for example: > FILE"};
}

void print_error(const Error& error) noexcept {
  try {
    std::string text = "enprof: " + styled(stderr_terminal(), Style::bad, "error: ") +
                       printable_lines(error.message) + "\n";
    if (!error.hint.empty()) {
      text += "  " + printable_lines(error.hint) + "\n";
    }
    say(text);
  } catch (const std::exception&) {
    say("enprof: error: out of memory while reporting another error\n");
  }
}

void print_note(std::string_view text) noexcept {
  try {
    say("enprof: " + printable_lines(text) + "\n");
  } catch (const std::exception&) {
    say("enprof: out of memory while printing a note\n");
  }
}

StatusLine::StatusLine() : enabled_(isatty(STDERR_FILENO) == 1 && !is_dumb()) {}

StatusLine::~StatusLine() { clear(); }

void StatusLine::show(const std::string& text) {
  if (!enabled_) {
    return;
  }
  say("\r" + cut(printable(text), columns()) + "\x1b[K");
  shown_ = true;
}

std::size_t StatusLine::columns() {
  // The last column stays free: some terminals wrap a line that ends there.
  return width_of(STDERR_FILENO) - 1;
}

void StatusLine::show_progress(std::string_view label, double share) {
  const double bounded = std::clamp(share, 0.0, 1.0);
  const auto filled = static_cast<std::size_t>(std::lround(bounded * kBarWidth));
  const std::string bar = fmt::format(" [{}{}] {:3.0f} %", std::string(filled, '#'),
                                      std::string(kBarWidth - filled, '.'), 100.0 * bounded);
  const std::size_t room = columns();
  // Truncate a long label, but not the bar.
  const std::size_t beside = bar.size() + 8 < room ? bar.size() : 6;
  show(cut(printable(label), room - beside) +
       (beside == bar.size() ? bar : fmt::format(" {:3.0f} %", 100.0 * bounded)));
}

void StatusLine::clear() noexcept {
  if (shown_) {
    say("\r\x1b[K");
    shown_ = false;
  }
}

}  // namespace enprof
