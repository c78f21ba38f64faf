#include "cli/output_file.hpp"

#include "cli/console.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <system_error>
#include <unistd.h>

namespace enprof {
namespace {

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

constexpr const char* kAnotherFile =
    "Name a file in a directory that exists and that you may write to, with room left.";

std::unexpected<Error> cannot_write(const std::filesystem::path& path, int error_number,
                                    const char* hint = kAnotherFile) {
  return fail(
      error_code_from_errno(error_number),
      fmt::format("Cannot write {}: {}", path.string(),
                  std::generic_category().message(error_number)),
      error_number == EFBIG ? "Files may not be that large here: ulimit -f unlimited" : hint);
}

/// Anything that exists and is no regular file (/dev/stdout, a pipe) must be written as it is.
bool must_write_in_place(const std::filesystem::path& path) {
  std::error_code failed;
  const auto status = std::filesystem::status(path, failed);
  return std::filesystem::exists(status) && !std::filesystem::is_regular_file(status);
}

}  // namespace

Result<void> write_output(const std::filesystem::path& path, std::string_view text) {
  if (path == "-") {
    if (!print(text) && errno != EPIPE) {  // a reader that has seen enough is no error
      return cannot_write("standard output", errno,
                          "Send it to where there is room, for example: > FILE");
    }
    return {};
  }
  const bool in_place = must_write_in_place(path);
  const std::filesystem::path target =
      in_place ? path : std::filesystem::path{path.string() + ".partial"};
  File file{std::fopen(target.c_str(), "wb")};
  if (!file) {
    return cannot_write(path, errno);
  }
  const bool written = std::fwrite(text.data(), 1, text.size(), file.get()) == text.size() &&
                       std::fflush(file.get()) == 0;
  const int error_number = errno;
  file.reset();
  if (!written) {
    if (!in_place) {
      std::remove(target.c_str());
    }
    return cannot_write(path, error_number);
  }
  if (!in_place && std::rename(target.c_str(), path.c_str()) != 0) {
    const int rename_error = errno;
    std::remove(target.c_str());
    return cannot_write(path, rename_error);
  }
  return {};
}

Result<void> check_output(const std::filesystem::path& path) {
  if (path == "-" || must_write_in_place(path)) {
    std::error_code failed;
    if (std::filesystem::is_directory(path, failed)) {
      return cannot_write(path, EISDIR);
    }
    return {};
  }
  const auto parent = path.has_parent_path() ? path.parent_path() : std::filesystem::path{"."};
  std::error_code failed;
  if (!std::filesystem::is_directory(parent, failed)) {
    return cannot_write(path, ENOENT);
  }
  if (access(parent.c_str(), W_OK) != 0) {
    return cannot_write(path, errno);
  }
  return {};
}

}  // namespace enprof
