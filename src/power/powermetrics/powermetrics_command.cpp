#include "power/powermetrics/powermetrics_command.hpp"

#include "base/program_path.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <iterator>
#include <pwd.h>
#include <ranges>
#include <span>
#include <unistd.h>
#include <utility>

namespace enprof {
namespace {

constexpr std::string_view kNotHere =
    "powermetrics is part of macOS only. Elsewhere: --power rapl on real hardware, --power "
    "estimate "
    "where there is no sensor.";

/// The messages of sudo and powermetrics for users without the right: the first as in sudo 1.9.13,
/// the others from its manual and from users' reports.
constexpr std::array<std::string_view, 6> kRefusals{
    "a password is required", "a terminal is required", "is not allowed to",
    "not in the sudoers",     "may not run sudo",       "must be invoked as the superuser"};

std::string shown(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const bool is_space = c == '\n' || c == '\r' || c == '\t';
    if (is_space ? !result.ends_with("; ") && !result.empty() : true) {
      result += is_space ? "; " : std::string(1, static_cast<unsigned char>(c) < ' ' ? '?' : c);
    }
  }
  while (result.ends_with("; ")) {
    result.erase(result.size() - 2);
  }
  return result;
}

std::string user_name() {
  const passwd* user = getpwuid(getuid());  // NOLINT(concurrency-mt-unsafe): no other caller
  return user != nullptr && user->pw_name != nullptr && *user->pw_name != '\0'
             ? std::string(user->pw_name)
             : fmt::format("#{}", getuid());
}

/// The word after a flag; empty if there is none.
std::string_view value_of(std::span<const std::string> words, std::string_view flag) {
  const auto found = std::ranges::find(words, flag);
  return found != words.end() && std::next(found) != words.end() ? *std::next(found)
                                                                 : std::string_view{};
}

}  // namespace

std::vector<std::string> default_powermetrics_command() {
  return {"sudo", "-n",         "/usr/bin/powermetrics",      "-f", "plist", "-i",
          "100",  "--samplers", "cpu_power,gpu_power,thermal"};
}

Result<PowermetricsCommand> find_powermetrics(std::vector<std::string> words) {
  if (words.empty()) {
    words = default_powermetrics_command();
  }
  auto program = words.begin();
  const bool by_sudo = std::filesystem::path(*program).filename() == "sudo";
  if (by_sudo) {
    program = std::find_if(std::next(program), words.end(),
                           [](const std::string& word) { return !word.starts_with('-'); });
  }
  if (program == words.end()) {
    return fail(
        ErrorCode::invalid_argument,
        fmt::format("The command '{}' does not contain powermetrics", fmt::join(words, " ")),
        fmt::format("The usual command is: {}", fmt::join(default_powermetrics_command(), " ")));
  }
  const auto path = find_program(*program);
  if (!path) {
    return fail(ErrorCode::not_found, fmt::format("There is no {}", *program),
                std::string(kNotHere));
  }
  if (by_sudo && !find_program(words.front())) {
    return fail(ErrorCode::not_found,
                fmt::format("There is no {} to run {} with", words.front(), *path),
                "Run enprof as root, or install sudo.");
  }
  PowermetricsCommand command;
  command.allowed = {*path};
  std::copy(std::next(program), words.end(), std::back_inserter(command.allowed));

  const std::string_view interval = value_of(command.allowed, "-i");
  int milliseconds = 0;
  const auto [end, error] =
      std::from_chars(interval.data(), interval.data() + interval.size(), milliseconds);
  if (error != std::errc{} || end != interval.data() + interval.size() || milliseconds < 1 ||
      value_of(command.allowed, "-f") != "plist") {
    return fail(
        ErrorCode::invalid_argument,
        fmt::format("The command '{}' must have -f plist and -i MILLISECONDS",
                    fmt::join(words, " ")),
        fmt::format("The usual command is: {}", fmt::join(default_powermetrics_command(), " ")));
  }
  command.period = std::chrono::milliseconds{milliseconds};
  if (command.period > PowermetricsCommand::kLongestPeriod) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("The command '{}' takes a sample only every {} ms",
                            fmt::join(words, " "), milliseconds),
                fmt::format("Pass -i {:g} or less.", to_ms(PowermetricsCommand::kLongestPeriod)));
  }
  command.words = std::move(words);
  return command;
}

std::string sudoers_line(const PowermetricsCommand& command, std::string_view user) {
  std::string text = fmt::format("{} ALL=(root) NOPASSWD: {}", user, command.allowed.front());
  for (const std::string& word : command.allowed | std::views::drop(1)) {
    text += ' ';
    for (const char c : word) {
      if (c == ',' || c == ':' || c == '=' || c == '\\') {
        text += '\\';
      }
      text += c;
    }
  }
  return text;
}

Error explain_exit(const PowermetricsCommand& command, const ExitStatus& status,
                   std::string_view errors) {
  const std::string& program = command.allowed.front();
  const std::string said = shown(errors);
  const bool refused = std::ranges::any_of(
      kRefusals, [&](std::string_view refusal) { return errors.contains(refusal); });
  if (refused) {
    const auto script = setup_power_access();
    return {.code = ErrorCode::permission_denied,
            .message = fmt::format("powermetrics requires password-free sudo access: {}", said),
            .hint = fmt::format("{} this line, which allows this command and no other, with: sudo "
                                "visudo -f /etc/sudoers.d/enprof-powermetrics\n  {}",
                                script ? fmt::format("Run {} --apply, or add", *script) : "Add",
                                sudoers_line(command, user_name()))};
  }
  if (errors.contains("command not found")) {
    return {.code = ErrorCode::not_found,
            .message = fmt::format("{} cannot be run: {}", program, said),
            .hint = fmt::format("Check its permissions: ls -l {}", program)};
  }
  return {
      .code = ErrorCode::process_exited,
      .message = fmt::format("{} ended with {}{}{}", program, to_string(status),
                             said.empty() ? ", without a message" : ": ", said),
      .hint = fmt::format("Run it by hand to see what it says: {}", fmt::join(command.words, " "))};
}

}  // namespace enprof
