#include "store/run_lock.hpp"

#include "base/shell_quote.hpp"
#include "store/log_owner.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstdint>
#include <exception>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace enprof {
namespace {

namespace fs = std::filesystem;

std::unexpected<Error> cannot_lock(const fs::path& path, int error_number) {
  return fail(error_code_from_errno(error_number),
              fmt::format("Cannot create {}, the lock of a run that is being written: {}",
                          path.string(), std::generic_category().message(error_number)),
              "Check that there is room in that directory and that you may write to it.");
}

bool same_file(int descriptor, const fs::path& path) {
  struct stat opened{};
  struct stat there{};
  return fstat(descriptor, &opened) == 0 && stat(path.c_str(), &there) == 0 &&
         opened.st_dev == there.st_dev && opened.st_ino == there.st_ino;
}

}  // namespace

fs::path journal_directory(const fs::path& database) {
  // One directory per file, whatever name the file was opened by.
  fs::path directory = follow_links(database);
  directory += ".journal";
  return directory;
}

std::string file_stem(std::string_view run_id) {
  constexpr std::size_t kLongest = 64;
  std::string stem;
  bool plain = !run_id.empty() && run_id.size() <= kLongest;
  for (const char character : run_id.substr(0, kLongest)) {
    const bool good = (character >= '0' && character <= '9') ||
                      (character >= 'a' && character <= 'z') ||
                      (character >= 'A' && character <= 'Z') || character == '-';
    stem += good ? character : '_';
    plain = plain && good;
  }
  if (plain) {
    return stem;
  }
  // A hash distinguishes ids that were cut or had characters replaced: FNV-1a, 64 bits.
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char character : run_id) {
    hash = (hash ^ static_cast<unsigned char>(character)) * 0x100000001b3U;
  }
  return fmt::format("{}_{:016x}", stem.substr(0, 32), hash);
}

Result<RunLock> RunLock::acquire(const fs::path& database, std::string_view run_id) {
  return acquire_file(journal_directory(database) / (file_stem(run_id) + ".lock"), run_id);
}

Result<RunLock> RunLock::acquire_for_journal(const fs::path& journal) {
  return acquire_file(fs::path{journal}.replace_extension(".lock"), journal.stem().string());
}

Result<RunLock> RunLock::acquire_file(const fs::path& path, std::string_view run_id) {
  const fs::path directory = path.parent_path();
  // Another process may remove the directory or the file between two of these steps.
  constexpr int kAttempts = 100;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (mkdir(directory.c_str(), S_IRWXU) != 0 && errno != EEXIST) {
      return cannot_lock(path, errno);
    }
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (descriptor < 0) {
      if (errno == ENOENT) {
        continue;
      }
      return cannot_lock(path, errno);
    }
    if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
      const int number = errno;
      ::close(descriptor);
      if (number == EWOULDBLOCK) {
        return fail(ErrorCode::busy,
                    fmt::format("Run {} is being written by another process", run_id),
                    fmt::format("Wait until it has finished, or end that program. To see which it "
                                "is: fuser -v {}",
                                shell_quote(path.string())));
      }
      return cannot_lock(path, number);
    }
    if (same_file(descriptor, path)) {
      return RunLock{path, descriptor};
    }
    ::close(descriptor);
  }
  return cannot_lock(path, EAGAIN);
}

RunLock::RunLock(RunLock&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}

RunLock& RunLock::operator=(RunLock&& other) noexcept {
  if (this != &other) {
    release();
    path_ = std::move(other.path_);
    descriptor_ = std::exchange(other.descriptor_, -1);
  }
  return *this;
}

RunLock::~RunLock() { release(); }

void RunLock::release() noexcept {
  if (descriptor_ < 0) {
    return;
  }
  unlink(path_.c_str());  // before unlocking: the next holder then sees that the path is another
                          // file
  ::close(std::exchange(descriptor_, -1));
  try {
    rmdir(path_.parent_path().c_str());  // fails unless it is empty
  } catch (const std::exception&) {
    return;  // no memory for the path: leave the empty directory
  }
}

}  // namespace enprof
