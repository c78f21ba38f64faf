#include "cli/usage_error.hpp"

#include "base/shell_quote.hpp"
#include "cli/option_values.hpp"
#include "engines/registry/engine_registry.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace enprof {
namespace {

/// Option names of llama.cpp and others, and the names here.
constexpr std::array<std::pair<std::string_view, std::string_view>, 11> kOtherOptions{{
    {"--n-predict", "-n"},
    {"--max-tokens", "-n"},
    {"--predict", "-n"},
    {"-t", "--threads"},
    {"-c", "--ctx"},
    {"--ctx-size", "--ctx"},
    {"--temperature", "--temp"},
    {"-s", "--seed"},
    {"-o", "--json"},
    {"--output", "--json"},
    {"--database", "--db"},
}};

/// Command names of other programs, and the names here.
constexpr std::array<std::pair<std::string_view, std::string_view>, 13> kOtherNames{{
    {"list", "runs"},
    {"ls", "runs"},
    {"history", "runs"},
    {"profile", "run"},
    {"generate", "run"},
    {"report", "show"},
    {"delete", "rm"},
    {"remove", "rm"},
    {"save", "export"},
    {"server", "serve"},
    {"start", "serve"},
    {"check", "doctor"},
    {"version", "--version"},
}};

bool is_option(std::string_view word) { return word.size() > 1 && word.starts_with('-'); }

std::string_view name_of(std::string_view word) { return word.substr(0, word.find('=')); }

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) {
      names.push_back("--" + name);
    }
    for (const std::string& name : option->get_snames()) {
      names.push_back("-" + name);
    }
  }
  return names;
}

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App* command) { return !command->get_name().empty(); });
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : commands_of(app)) {
    names.push_back(command->get_name());
  }
  return names;
}

bool has(const std::vector<std::string>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

std::string see(const CLI::App& program) {
  return fmt::format("See {} --help.", chosen_name(program));
}

Error unknown_option(const CLI::App& program, std::string_view word) {
  const CLI::App& app = chosen_app(program);
  const std::string name{name_of(word)};
  std::vector<std::string> known = option_names(app);
  if (&app != &program && has(known, name)) {
    return {ErrorCode::invalid_argument,
            fmt::format("{} is an option of {}: it comes after that", name, chosen_name(program)),
            fmt::format("For example: {} {} …", chosen_name(program), name)};
  }
  if (&app == &program) {
    std::vector<std::string> owners;
    for (const CLI::App* command : commands_of(program)) {
      if (has(option_names(*command), name)) {
        owners.push_back(command->get_name());
      }
    }
    if (!owners.empty()) {
      return {ErrorCode::invalid_argument,
              fmt::format("A command is missing: {} is an option of {}", name, listed(owners)),
              fmt::format("For example: enprof {} {} …", owners.front(), name)};
    }
  }
  std::ranges::copy(option_names(program), std::back_inserter(known));
  // A name of one letter is similar to every other.
  std::string meant = name.size() > 2 ? did_you_mean(name, known) : std::string{};
  const auto* const other =
      std::ranges::find(kOtherOptions, name, &std::pair<std::string_view, std::string_view>::first);
  if (other != kOtherOptions.end() && has(known, other->second)) {
    meant = fmt::format("; did you mean {}?", other->second);
  }
  return {ErrorCode::invalid_argument, fmt::format("There is no option {}{}", name, meant),
          see(program)};
}

/// CLI11's message without its class names; it begins with the option's name.
Error in_words(const CLI::App& program, const CLI::ParseError& error) {
  const std::string_view message = error.what();
  const std::string kind = error.get_name();
  const std::string_view subject = message.substr(0, message.find(':'));
  if (kind == "ArgumentMismatch" && message.find("required") != std::string_view::npos) {
    return {ErrorCode::invalid_argument, fmt::format("{} needs a value", subject), see(program)};
  }
  if (kind == "RequiredError" && message.ends_with(" is required")) {
    return {ErrorCode::invalid_argument,
            fmt::format("{} is missing", message.substr(0, message.size() - 12)), see(program)};
  }
  if (kind == "ExcludesError") {
    const auto verb = message.find(" excludes ");
    if (verb != std::string_view::npos) {
      return {ErrorCode::invalid_argument,
              fmt::format("{} and {} exclude each other: pass one of them", message.substr(0, verb),
                          message.substr(verb + 10)),
              see(program)};
    }
  }
  return {ErrorCode::invalid_argument, std::string{message}, see(program)};
}

}  // namespace

const CLI::App& chosen_app(const CLI::App& program) {
  const CLI::App* app = &program;
  while (!app->get_subcommands().empty()) {
    app = app->get_subcommands().front();
  }
  return *app;
}

std::string chosen_name(const CLI::App& program) {
  std::string name = program.get_name();
  const CLI::App* app = &program;
  while (!app->get_subcommands().empty()) {
    app = app->get_subcommands().front();
    name += " " + app->get_name();
  }
  return name;
}

std::optional<Error> unknown_command(const CLI::App& program) {
  const CLI::App& app = chosen_app(program);
  const auto rest = program.remaining(true);
  if (commands_of(app).empty() || rest.empty() || is_option(rest.front())) {
    return std::nullopt;
  }
  const std::string& word = rest.front();
  std::string hint = see(program);
  std::string meant = did_you_mean(word, command_names(app));
  if (&app == &program) {
    const auto* const other =
        std::ranges::find(kOtherNames, word, &std::pair<std::string_view, std::string_view>::first);
    if (other != kOtherNames.end()) {
      meant = fmt::format("; did you mean {}?", other->second);
    } else if (!model_suffix(word).empty()) {
      meant.clear();
      hint = fmt::format("To profile a prompt on a model: enprof run {} \"…\"", shell_quote(word));
    }
  }
  const std::string before = &app == &program ? "" : app.get_name() + " ";
  return Error{ErrorCode::invalid_argument,
               fmt::format("There is no command \"{}{}\"{}", before, word, meant), hint};
}

Error usage_error(const CLI::App& program, const CLI::ParseError& error) {
  if (auto unknown = unknown_command(program)) {
    return *std::move(unknown);
  }
  const auto rest = program.remaining(true);
  if (const auto option = std::ranges::find_if(rest, is_option); option != rest.end()) {
    return unknown_option(program, *option);
  }
  // Skip error.get_name(), which is the command's name.
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError)) {
    const std::string_view message = error.what();
    const std::string word{rest.empty() ? message.substr(message.find(": ") + 2) : rest.front()};
    return {
        ErrorCode::invalid_argument,
        fmt::format("\"{}\" is an unexpected word for {}{}", word, chosen_name(program),
                    chosen_app(program).get_name() == "run" ? ": put several words in quotes" : ""),
        see(program)};
  }
  return in_words(program, error);
}

}  // namespace enprof
