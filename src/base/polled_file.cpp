#include "base/polled_file.hpp"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace enprof {
namespace {

std::unexpected<Error> failed(std::string_view verb, const std::filesystem::path& path,
                              int error_number) {
  return fail(error_code_from_errno(error_number),
              fmt::format("Cannot {} {}: {} (errno {})", verb, path.string(),
                          std::generic_category().message(error_number), error_number));
}

std::string_view without_space_at_end(std::string_view text) {
  const auto last = text.find_last_not_of(" \t\r\n");
  return last == std::string_view::npos ? std::string_view{} : text.substr(0, last + 1);
}

}  // namespace

Result<PolledFile> PolledFile::open(std::filesystem::path path) {
  int descriptor = -1;
  do {
    descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  } while (descriptor < 0 && errno == EINTR);
  if (descriptor < 0) {
    return failed("open", path, errno);
  }
  return PolledFile(std::move(path), descriptor);
}

PolledFile::PolledFile(PolledFile&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}

PolledFile& PolledFile::operator=(PolledFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

PolledFile::~PolledFile() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
  }
}

Result<std::string_view> PolledFile::read(std::span<char> buffer) const {
  // procfs may return a file's text in several pieces.
  std::size_t length = 0;
  while (length < buffer.size()) {
    const ssize_t count = ::pread(descriptor_, buffer.data() + length, buffer.size() - length,
                                  static_cast<off_t>(length));
    if (count < 0) {
      if (errno == EINTR) {
        continue;
      }
      return failed("read", path_, errno);
    }
    if (count == 0) {
      break;
    }
    length += static_cast<std::size_t>(count);
    // A whole line is enough: reading up to the end of file would cost another call.
    if (buffer[length - 1] == '\n') {
      break;
    }
  }
  return std::string_view(buffer.data(), length);
}

Result<std::uint64_t> PolledFile::read_number() const {
  std::array<char, 64> buffer{};
  const auto text = read(buffer);
  if (!text) {
    return std::unexpected(text.error());
  }
  const std::string_view digits = without_space_at_end(*text);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size()) {
    return fail(ErrorCode::malformed, fmt::format("{} holds '{}' where a whole number should be",
                                                  path_.string(), digits));
  }
  return value;
}

}  // namespace enprof
