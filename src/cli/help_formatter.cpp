#include "cli/help_formatter.hpp"

#include "report/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

namespace enprof {
namespace {

constexpr std::size_t kMostColumns = 100;
constexpr std::size_t kNameColumns = 28;
constexpr std::size_t kBesideFrom = 64;  // in narrower terminals descriptions are below the names
constexpr std::size_t kBelowIndent = 6;

/// CLI11 stores an option's argument and its allowed values in one text, separated by a colon.
struct TypeText {
  std::string name;
  std::string range;

  explicit TypeText(const CLI::Option& option) {
    if (option.get_type_size() == 0) {
      return;  // a flag
    }
    const std::string text = option.get_type_name();
    // The colon of NAME[:PORT] does not count.
    const auto colon = text.find('[') == std::string::npos ? text.find(':') : std::string::npos;
    name = text.substr(0, colon);
    range = colon == std::string::npos ? "" : text.substr(colon + 1);
  }
};

/// Wraps a text of several lines. Continuation lines are indented further than an indented line.
std::string fitted(std::string_view text, std::size_t columns) {
  std::string result;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (display_width(line) <= columns) {
      result += line;
    } else {
      const auto begin = std::min(line.find_first_not_of(' '), line.size());
      result += std::string(begin, ' ');
      // Examples have a wide gap between command and description; on separate lines they need none.
      const auto gap = line.find("   ", begin);
      const std::size_t deeper = begin == 0 ? 0 : begin + 2;
      result += wrap(line.substr(begin, gap - begin), columns, deeper);
      if (gap != std::string_view::npos) {
        const auto next = std::min(line.find_first_not_of(' ', gap), line.size());
        result += "\n" + std::string(begin + 4, ' ') + wrap(line.substr(next), columns, begin + 4);
      }
    }
    result += "\n";
  }
  return result;
}

}  // namespace

HelpFormatter::HelpFormatter(std::size_t columns) : columns_(std::min(columns, kMostColumns)) {
  label("Positionals", "Arguments");
  label("Subcommands", "Commands");
  label("SUBCOMMAND", "COMMAND");
}

std::string HelpFormatter::make_description(const CLI::App* app) const {
  const std::string text = app->get_description();
  return text.empty() ? text : wrap(text, columns_, 0) + "\n\n";
}

std::string HelpFormatter::make_usage(const CLI::App* app, std::string name) const {
  const bool has_commands = !app->get_subcommands([](const CLI::App*) { return true; }).empty();
  std::string text = fmt::format("Usage: {} {}", name, has_commands ? "COMMAND" : "[OPTIONS]");
  if (has_commands) {
    text += " [OPTIONS]";
  }
  for (const CLI::Option* option :
       app->get_options([](const CLI::Option* option) { return option->get_positional(); })) {
    const std::string shown =
        option->get_name(true) +
        (option->get_expected_max() >= CLI::detail::expected_max_vector_size ? "…" : "");
    text += option->get_required() ? " " + shown : fmt::format(" [{}]", shown);
  }
  return wrap(text, columns_, 2) + "\n";
}

std::string HelpFormatter::make_help(const CLI::App* app, std::string name,
                                     CLI::AppFormatMode mode) const {
  std::string text = CLI::Formatter::make_help(app, std::move(name), mode);
  for (auto gap = text.find("\n\n\n"); gap != std::string::npos; gap = text.find("\n\n\n", gap)) {
    text.erase(gap, 1);  // one blank line between groups is enough
  }
  return text;
}

std::string HelpFormatter::make_option(const CLI::Option* option, bool is_positional) const {
  const TypeText type(*option);
  std::string name = is_positional ? option->get_name(true) : option->get_name(false, true);
  for (auto comma = name.find(','); comma != std::string::npos; comma = name.find(',', comma + 2)) {
    name.insert(comma + 1, " ");
  }
  if (!is_positional && !type.name.empty()) {
    name += " " + type.name;
  }
  std::string text = option->get_description();
  if (!type.range.empty()) {
    text += fmt::format(" ({})", type.range);
  }
  if (const std::string value = option->get_default_str(); !value.empty()) {
    text += fmt::format(" [{}]", value);
  }
  if (!option->get_envname().empty()) {
    text += fmt::format(" [${}]", option->get_envname());
  }
  return entry(name, text);
}

std::string HelpFormatter::make_subcommand(const CLI::App* command) const {
  return entry(command->get_name(), command->get_description());
}

std::string HelpFormatter::make_footer(const CLI::App* app) const {
  return app->get_footer().empty() ? std::string{} : fitted(app->get_footer() + "\n", columns_);
}

std::string HelpFormatter::entry(const std::string& name, const std::string& text) const {
  std::string line = "  " + name;
  const std::size_t indent = columns_ >= kBesideFrom ? kNameColumns : kBelowIndent;
  const std::size_t used = display_width(line);
  if (indent == kBelowIndent || used + 2 > indent) {
    line += "\n" + std::string(indent, ' ');
  } else {
    line += std::string(indent - used, ' ');
  }
  return line + wrap(text, columns_, indent) + "\n";
}

}  // namespace enprof
