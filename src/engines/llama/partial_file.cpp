#include "engines/llama/partial_file.hpp"

#include "base/file_limit.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace enprof {
namespace {

namespace fs = std::filesystem;

}  // namespace

PartialFile::PartialFile(fs::path path, fs::path partial, int descriptor) noexcept
    : path_(std::move(path)), partial_(std::move(partial)), descriptor_(descriptor) {}

PartialFile::PartialFile(PartialFile&& other) noexcept
    : path_(std::move(other.path_)),
      partial_(std::move(other.partial_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      written_(other.written_) {}

PartialFile::~PartialFile() {
  if (descriptor_ >= 0) {
    close();
    std::error_code ignored;
    fs::remove(partial_, ignored);
  }
}

Result<PartialFile> PartialFile::create(const fs::path& path) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) {
    return fail(ErrorCode::invalid_argument, fmt::format("{} is a directory", path.string()),
                fmt::format("Pass a file in it: {}", (path / "model.gguf").string()));
  }
  const fs::path directory = path.has_parent_path() ? path.parent_path() : fs::path(".");
  if (!fs::is_directory(directory, ignored)) {
    return fail(ErrorCode::not_found, fmt::format("There is no directory {}", directory.string()),
                "Create it first: mkdir -p " + directory.string());
  }
  fs::path partial = path;
  partial += ".partial";
  const int descriptor = ::open(partial.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor < 0) {
    const int number = errno;
    return fail(error_code_from_errno(number),
                fmt::format("Cannot write {}: {}", partial.string(), std::strerror(number)),
                "Choose a directory that you may write to.");
  }
  return PartialFile(path, std::move(partial), descriptor);
}

std::unexpected<Error> PartialFile::failure(const char* what, int error_number) const {
  return fail(error_code_from_errno(error_number),
              fmt::format("Cannot {} {} after {} bytes: {}", what, partial_.string(), written_,
                          std::strerror(error_number)),
              error_number == EFBIG    ? file_limit_hint()
              : error_number == ENOSPC ? std::string{"Make room on the disk, or write to another."}
                                       : std::string{"Check its disk."});
}

Result<void> PartialFile::restart() {
  if (::ftruncate(descriptor_, 0) != 0 || ::lseek(descriptor_, 0, SEEK_SET) != 0) {
    return failure("empty", errno);
  }
  written_ = 0;
  return {};
}

Result<void> PartialFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(descriptor_, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count <= 0) {
      return failure("write", count < 0 ? errno : EIO);
    }
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    written_ += static_cast<std::uint64_t>(count);
  }
  return {};
}

Result<void> PartialFile::commit() {
  // Some file systems report a full disk only here.
  const int closed = ::close(std::exchange(descriptor_, -1));
  const int number = closed == 0 ? 0 : errno;
  std::error_code error;
  if (number == 0) {
    fs::rename(partial_, path_, error);
  }
  if (number == 0 && !error) {
    return {};
  }
  std::error_code ignored;
  fs::remove(partial_, ignored);
  return failure("finish", number != 0 ? number : error.value());
}

void PartialFile::close() noexcept { ::close(std::exchange(descriptor_, -1)); }

}  // namespace enprof
