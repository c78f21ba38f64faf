#include "cli/console.hpp"

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
  while (!text.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {  // a pipe that someone has set not to wait
      pollfd out{.fd = STDOUT_FILENO, .events = POLLOUT, .revents = 0};
      poll(&out, 1, -1);
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
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
    say("enprof: error: there is no memory left to say which\n");
  }
}

void print_note(std::string_view text) noexcept {
  try {
    say("enprof: " + printable_lines(text) + "\n");
  } catch (const std::exception&) {
    say("enprof: there is no memory left to say something\n");
  }
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
  say("\r" + line + "\x1b[K");
  shown_ = true;
}

void StatusLine::show_progress(std::string_view label, double share) {
  const double bounded = std::clamp(share, 0.0, 1.0);
  const auto filled = static_cast<std::size_t>(std::lround(bounded * kBarWidth));
  show(fmt::format("{} [{}{}] {:3.0f} %", label, std::string(filled, '#'),
                   std::string(kBarWidth - filled, '.'), 100.0 * bounded));
}

void StatusLine::clear() noexcept {
  if (shown_) {
    say("\r\x1b[K");
    shown_ = false;
  }
}

}  // namespace enprof
