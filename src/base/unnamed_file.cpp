#include "base/unnamed_file.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <string>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace enprof {
namespace {

Error file_error(const char* what, const std::filesystem::path& directory, int error_number) {
  return {error_code_from_errno(error_number),
          fmt::format("Cannot {} a temporary file in {}: {} (errno {})", what, directory.string(),
                      std::generic_category().message(error_number), error_number),
          "Make room there, or name another directory: TMPDIR=DIRECTORY"};
}

}  // namespace

Result<UnnamedFile> UnnamedFile::create(const std::filesystem::path& directory) {
  std::string name = (directory / "enprof-XXXXXX").string();
  const int descriptor = ::mkostemp(name.data(), O_CLOEXEC);
  if (descriptor < 0) {
    return std::unexpected(file_error("make", directory, errno));
  }
  if (::unlink(name.c_str()) != 0) {
    const int error_number = errno;
    ::close(descriptor);
    return std::unexpected(file_error("hide", directory, error_number));
  }
  return UnnamedFile(directory, descriptor);
}

std::filesystem::path UnnamedFile::usual_directory() {
  const char* const named = std::getenv("TMPDIR");
  return named != nullptr && *named != '\0' ? named : "/var/tmp";
}

UnnamedFile::UnnamedFile(UnnamedFile&& other) noexcept
    : directory_(std::move(other.directory_)), descriptor_(std::exchange(other.descriptor_, -1)) {}

UnnamedFile& UnnamedFile::operator=(UnnamedFile&& other) noexcept {
  std::swap(directory_, other.directory_);
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

UnnamedFile::~UnnamedFile() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
  }
}

Result<void> UnnamedFile::append(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno != EINTR) {
      return std::unexpected(file_error("write", directory_, errno));
    }
    bytes.remove_prefix(written < 0 ? 0 : static_cast<std::size_t>(written));
  }
  return {};
}

Result<std::uint64_t> UnnamedFile::size() const {
  struct stat status{};
  if (::fstat(descriptor_, &status) != 0) {
    return std::unexpected(file_error("measure", directory_, errno));
  }
  return static_cast<std::uint64_t>(status.st_size);
}

int UnnamedFile::release() noexcept {
  ::lseek(descriptor_, 0, SEEK_SET);  // a regular file can
  return std::exchange(descriptor_, -1);
}

}  // namespace enprof
