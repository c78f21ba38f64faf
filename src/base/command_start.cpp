#include "base/command_start.hpp"

#include "base/child_process.hpp"
#include "base/directory_names.hpp"
#include "base/nearest_name.hpp"
#include "base/shell_quote.hpp"
#include "base/write_signals.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <set>
#include <spawn.h>
#include <system_error>
#include <unistd.h>
#include <utility>

extern char** environ;  // NOLINT(readability-identifier-naming): POSIX names it

namespace enprof {
namespace {

constexpr const char* kShell = "/bin/sh";

/// A name in PATH that differs by few letters; empty if there is none.
std::optional<std::string> similar_program(std::string_view name) {
  if (name.empty() || name.find('/') != std::string_view::npos) {
    return std::nullopt;
  }
  std::set<std::string> names;
  for (const std::string& directory : program_directories()) {
    for (std::string& candidate : names_in(directory)) {
      const std::size_t longer = std::max(candidate.size(), name.size());
      const std::size_t shorter = std::min(candidate.size(), name.size());
      if (longer - shorter <= 1 && candidate.front() == name.front()) {
        names.insert(std::move(candidate));
      }
    }
  }
  const std::vector<std::string_view> known(names.begin(), names.end());
  const auto nearest = nearest_name(name, known);
  return nearest ? std::optional{std::string{*nearest}} : std::nullopt;
}

/// The attributes of the new process.
class Attributes {
 public:
  Attributes() = default;
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;
  ~Attributes() {
    if (made_) {
      posix_spawnattr_destroy(&attributes_);
    }
  }

  /// An errno, or 0.
  [[nodiscard]] int make() {
    if (const int error = posix_spawnattr_init(&attributes_); error != 0) {
      return error;
    }
    made_ = true;
    const sigset_t defaults = signals_ignored_by_us();
    if (const int error = posix_spawnattr_setsigdefault(&attributes_, &defaults); error != 0) {
      return error;
    }
    return posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGDEF);
  }
  [[nodiscard]] const posix_spawnattr_t* get() const { return &attributes_; }

 private:
  posix_spawnattr_t attributes_{};
  bool made_ = false;
};

/// Our environment with these variables in the place of ours.
std::vector<char*> environment_with(std::vector<std::string>& variables) {
  std::vector<char*> all;
  const auto is_replaced = [&](std::string_view ours) {
    const std::string_view name = ours.substr(0, ours.find('=') + 1);
    return std::ranges::any_of(variables, [&](const std::string& variable) {
      return !name.empty() && variable.starts_with(name);
    });
  };
  for (char** ours = environ; ours != nullptr && *ours != nullptr; ++ours) {
    if (!is_replaced(*ours)) {
      all.push_back(*ours);
    }
  }
  for (std::string& variable : variables) {
    all.push_back(variable.data());
  }
  all.push_back(nullptr);
  return all;
}

/// An errno, or 0.
int spawn(pid_t& pid, const std::string& path, std::vector<std::string> words,
          std::vector<std::string> variables) {
  Attributes attributes;
  if (const int error = attributes.make(); error != 0) {
    return error;
  }
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (std::string& word : words) {
    arguments.push_back(word.data());
  }
  arguments.push_back(nullptr);
  return posix_spawn(&pid, path.c_str(), nullptr, attributes.get(), arguments.data(),
                     environment_with(variables).data());
}

}  // namespace

Result<std::string> find_command(std::string_view name) {
  std::optional<Error> refused;
  for (std::string& path : paths_of_program(name)) {
    std::error_code failed;
    const auto status = std::filesystem::status(path, failed);
    if (!std::filesystem::exists(status)) {
      if (failed == std::errc::permission_denied) {
        refused = Error{ErrorCode::permission_denied,
                        fmt::format("{} cannot be reached: {}", path, failed.message()),
                        "This user may not enter a directory on the path."};
      }
      continue;
    }
    if (std::filesystem::is_directory(status)) {
      if (name.find('/') == std::string_view::npos) {
        continue;  // beside a directory of that name, PATH may have the program
      }
      refused = Error{ErrorCode::permission_denied,
                      fmt::format("{} is a directory, not a program", path), ""};
    } else if (access(path.c_str(), X_OK) != 0) {
      refused = Error{ErrorCode::permission_denied,
                      fmt::format("{} may not be executed by this user", path),
                      fmt::format("If it is a program: chmod +x {}", shell_quote(path))};
    } else {
      return std::move(path);
    }
  }
  if (refused) {
    return std::unexpected(*std::move(refused));
  }
  const auto meant = similar_program(name);
  return fail(ErrorCode::not_found,
              fmt::format("There is no program {}{}", name,
                          meant ? fmt::format("; did you mean {}?", *meant) : ""),
              name.find('/') == std::string_view::npos
                  ? "It is searched for in the directories of PATH; a file beside you is ./FILE."
                  : "Check the path.");
}

Result<pid_t> start_command(const std::string& path, const std::vector<std::string>& command,
                            const std::vector<std::string>& variables) {
  pid_t pid = -1;
  int error = spawn(pid, path, command, variables);
  if (error == ENOEXEC) {
    std::vector<std::string> script{kShell, path};
    script.insert(script.end(), command.begin() + (command.empty() ? 0 : 1), command.end());
    error = spawn(pid, kShell, std::move(script), variables);
  }
  if (error == 0) {
    return pid;
  }
  ErrorCode code = error_code_from_errno(error);
  if (code == ErrorCode::io || error == EAGAIN) {
    code = ErrorCode::unavailable;
  }
  std::string hint;
  if (error == ENOENT) {
    hint = "The file is there; the interpreter that its first line names, or its loader, is not.";
  } else if (error == E2BIG) {
    code = ErrorCode::too_large;
    hint = "Its arguments and the environment are too long together.";
  }
  return fail(code,
              fmt::format("Cannot start {}: {}", path, std::generic_category().message(error)),
              std::move(hint));
}

}  // namespace enprof
