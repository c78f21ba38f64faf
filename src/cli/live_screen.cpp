#include "cli/live_screen.hpp"

#include "base/counted.hpp"
#include "base/printable.hpp"
#include "base/utf8.hpp"
#include "report/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <string_view>
#include <utility>

namespace enprof {
namespace {

constexpr std::size_t kLabel = 11;
constexpr std::size_t kMostRails = 8;
constexpr std::size_t kMostComplaints = 3;
constexpr std::size_t kFewestTextLines = 2;
constexpr std::string_view kEstimate = "~";  // as in `enprof runs`

/// The next character of a text, safe to print; "\n" stands for a line break.
std::string next_character(std::string_view& text) {
  const CodePoint point = first_code_point(text);
  const std::string_view bytes = text.substr(0, point.length);
  text.remove_prefix(point.length);
  if (!point.valid) {
    return "\xEF\xBF\xBD";
  }
  if (bytes == "\n" || is_printable(point.value)) {
    return std::string(bytes);
  }
  // A control may have stood for a gap, so it becomes a blank; characters that reorder the line are
  // removed.
  return point.value < 0xA0 ? " " : "";
}

/// A text on one line, truncated with an ellipsis if it is too long.
std::string fit(std::string_view text, std::size_t columns) {
  std::string result;
  std::size_t used = 0;
  while (!text.empty()) {
    std::string piece = next_character(text);
    if (piece == "\n") {
      piece = " ";
    }
    const std::size_t width = display_width(piece);
    const std::size_t needed = text.empty() ? width : width + 1;  // room for the ellipsis
    if (used + needed > columns) {
      return columns == 0 ? std::string{} : result + "…";
    }
    result += piece;
    used += width;
  }
  return result;
}

class Page {
 public:
  explicit Page(const Terminal& terminal) : terminal_(terminal) {}

  void line(const std::string& text, Style style = Style::plain) {
    lines_.push_back(styled(terminal_, style, fit(text, terminal_.width)));
  }
  void field(std::string_view label, const std::string& text) {
    line(fmt::format("{:<{}}{}", label, kLabel, text));
  }
  [[nodiscard]] std::size_t size() const { return lines_.size(); }
  [[nodiscard]] std::size_t width() const { return terminal_.width; }
  [[nodiscard]] std::vector<std::string> move_lines() { return std::move(lines_); }

 private:
  const Terminal& terminal_;
  std::vector<std::string> lines_;
};

std::string about_run(const LiveRun& run) {
  std::string text = fmt::format("{} · {}", run.run_id(), run.status());
  if (run.status() == "loading" && run.loading()) {
    text += fmt::format(" {:.0f} %", 100.0 * std::clamp(*run.loading(), 0.0, 1.0));
  }
  if (!run.is_over() && !run.phase().empty()) {
    text += " · " + run.phase();
    if (!run.section().empty()) {
      text += " / " + run.section();
    }
  }
  if (run.time() > Nanoseconds{0}) {
    text += " · " + format_duration(run.time());
  }
  return text;
}

void add_rails(Page& page, const LiveRun& run) {
  const auto& rails = run.rails();
  if (rails.size() < 2 && std::ranges::all_of(rails, &LiveRun::Rail::is_root)) {
    return;  // its only domain is the total
  }
  std::size_t shown = 0;
  for (const LiveRun::Rail& rail : rails) {
    if (!rail.power) {
      continue;
    }
    if (shown++ == kMostRails) {
      page.line("  …");
      return;
    }
    page.line(fmt::format("  {:<14} {}{}{}", rail.name, rail.estimated ? kEstimate : "",
                          format_power(*rail.power), rail.is_root ? "" : "  (part of another)"));
  }
}

std::string sums_of(const LiveRun::Requests& requests) {
  std::string text = fmt::format("{} of {} in flight", requests.in_flight, requests.begun);
  if (requests.tokens_per_second) {
    text += fmt::format(" · {:.1f} tokens/s", *requests.tokens_per_second);
  }
  if (requests.mean_sequences) {
    text += fmt::format(" · {:.1f} a pass", *requests.mean_sequences);
  }
  return text;
}

/// A column of the requests in flight. The last ones are left out of a terminal without room.
struct RequestColumn {
  std::string_view name;
  std::size_t width;
  std::string (*text)(const LiveRun::Request&, Nanoseconds now);
};

constexpr std::array<RequestColumn, 6> kRequestColumns{
    {{"#", 6, [](const LiveRun::Request& r, Nanoseconds) { return fmt::format("{}", r.number); }},
     {"in", 8,
      [](const LiveRun::Request& r, Nanoseconds) { return fmt::format("{}", r.prompt_tokens); }},
     {"out", 8,
      [](const LiveRun::Request& r, Nanoseconds) { return fmt::format("{}", r.output_tokens); }},
     {"age", 11,
      [](const LiveRun::Request& r, Nanoseconds now) {
        return r.begin ? format_duration(std::max(now - *r.begin, Nanoseconds{0}))
                       : std::string{kAbsent};
      }},
     {"first token", 13,
      [](const LiveRun::Request& r, Nanoseconds) {
        return r.first_token ? format_duration(*r.first_token) : std::string{kAbsent};
      }},
     {"slot", 6, [](const LiveRun::Request& r, Nanoseconds) {
        return r.sequence ? fmt::format("{}", *r.sequence) : std::string{kAbsent};
      }}}};

/// Those in flight, the oldest first, in at most `rows` lines.
void add_requests(Page& page, const LiveRun& run, std::size_t rows) {
  const LiveRun::Requests& requests = *run.requests();
  if (requests.running.empty() || rows < 2) {
    return;
  }
  const auto line = [&](const auto& text_of) {
    std::string text;
    std::size_t used = 0;
    for (const RequestColumn& column : kRequestColumns) {
      used += column.width;
      if (used > page.width()) {
        break;
      }
      const std::string cell = text_of(column);
      text += std::string(column.width - std::min(column.width, display_width(cell)), ' ') + cell;
    }
    return text;
  };
  page.line(line([](const RequestColumn& column) { return std::string{column.name}; }), Style::dim);
  // The last row says what is left out.
  const std::size_t shown =
      requests.in_flight > rows - 1 ? rows - 2 : std::min(rows - 1, requests.running.size());
  for (std::size_t index = 0; index < std::min(shown, requests.running.size()); ++index) {
    const LiveRun::Request& request = requests.running[index];
    page.line(line([&](const RequestColumn& column) { return column.text(request, run.time()); }));
  }
  if (requests.in_flight > shown) {
    page.line(fmt::format("   and {} more", requests.in_flight - shown), Style::dim);
  }
}

}  // namespace

std::vector<std::string> last_lines(std::string_view text, std::size_t columns, std::size_t rows) {
  std::vector<std::string> lines(1);
  std::size_t used = 0;
  while (!text.empty()) {
    const std::string piece = next_character(text);
    const std::size_t width = piece == "\n" ? 0 : display_width(piece);
    if (piece == "\n" || used + width > columns) {
      lines.emplace_back();
      used = 0;
    }
    if (piece != "\n" && width <= columns) {
      lines.back() += piece;
      used += width;
    }
  }
  if (lines.size() > rows) {
    lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(rows));
  }
  return lines;
}

std::vector<std::string> live_screen(const LiveRun& run, const std::string& heading,
                                     const Terminal& terminal, std::size_t rows) {
  Page page(terminal);
  page.line(heading, Style::dim);
  if (run.run_id().empty()) {
    page.line("Waiting for a run to begin.");
  } else {
    const std::string_view mark = run.is_estimated() ? kEstimate : "";
    const auto marked = [&](const auto& figure, const std::string& text) {
      return figure ? std::string(mark) + text : text;
    };
    const auto rate = run.tokens_per_second();
    const auto& requests = run.requests();
    const auto per_token = requests ? requests->energy_per_token : run.joules_per_token();
    page.field("Run", about_run(run));
    if (requests) {
      page.field("Requests", sums_of(*requests));
    } else {
      page.field("Model", run.model().empty() ? std::string(kAbsent) : run.model());
      page.field("Tokens", fmt::format("{} · {}", run.tokens(),
                                       rate ? fmt::format("{:.1f} tokens/s", *rate)
                                            : fmt::format("{} tokens/s", kAbsent)));
    }
    page.field("Energy",
               fmt::format("{} · {}/token{}", marked(run.energy(), format_energy(run.energy())),
                           marked(per_token, format_energy(per_token)),
                           requests || run.is_provisional() ? " so far" : ""));
    page.field("Power", marked(run.power(), format_power(run.power())) +
                            (run.is_over() && run.power() ? " mean" : ""));
    if (!run.is_over()) {
      add_rails(page, run);
    }
    if (run.is_estimated()) {
      page.line("~ estimated from CPU time, not measured", Style::warning);
    }
  }
  if (run.missed() > 0) {
    page.line(
        fmt::format("! missed {}: the server had dropped them", counted(run.missed(), "event")),
        Style::warning);
  }
  if (run.restarted()) {
    page.line("! the server was restarted: its last events before that were missed",
              Style::warning);
  }
  std::vector<std::pair<std::string, Style>> complaints;
  const auto& all = run.complaints();
  const std::size_t first = all.size() - std::min(all.size(), kMostComplaints);
  if (first > 0) {
    complaints.emplace_back(fmt::format("! and {} more", first), Style::warning);
  }
  for (std::size_t index = first; index < all.size(); ++index) {
    const LiveRun::Complaint& complaint = all[index];
    complaints.emplace_back(
        fmt::format("{} {}{}{}", complaint.is_error ? "error:" : "!", complaint.message,
                    complaint.hint.empty() ? "" : " — ", complaint.hint),
        complaint.is_error ? Style::bad : Style::warning);
  }
  // The text or the requests get the rows between the figures and the complaints.
  const std::size_t taken = page.size() + complaints.size();
  const std::size_t room =
      rows > taken + 1 + kFewestTextLines ? rows - taken - 1 : kFewestTextLines;
  std::vector<std::string> lines = page.move_lines();
  if (!run.text().empty()) {
    lines.emplace_back();
    std::ranges::copy(last_lines(run.text(), terminal.width, room), std::back_inserter(lines));
  }
  if (run.requests() && !run.is_over()) {
    Page table(terminal);
    add_requests(table, run, room + 1);  // without a blank line above
    std::ranges::copy(table.move_lines(), std::back_inserter(lines));
  }
  Page below(terminal);
  for (const auto& [text, style] : complaints) {
    below.line(text, style);
  }
  std::ranges::copy(below.move_lines(), std::back_inserter(lines));
  if (lines.size() > rows) {
    lines.resize(rows);
  }
  return lines;
}

}  // namespace enprof
