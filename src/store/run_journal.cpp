#include "store/run_journal.hpp"

#include "base/file_limit.hpp"
#include "base/write_all.hpp"
#include "store/run_lock.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace enprof {
namespace {

namespace fs = std::filesystem;

std::unexpected<Error> failed(std::string_view what, const fs::path& path, int error_number) {
  return fail(error_code_from_errno(error_number),
              fmt::format("Cannot {} the journal {}: {}", what, path.string(),
                          std::generic_category().message(error_number)),
              error_number == EFBIG
                  ? file_limit_hint()
                  : "Check that there is room in that directory and that you may write to it.");
}

std::unexpected<Error> cannot_read(const fs::path& path, int error_number) {
  return fail(error_code_from_errno(error_number),
              fmt::format("Cannot read the journal {}: {}", path.string(),
                          std::generic_category().message(error_number)),
              error_number == EIO ? "Look for disk errors in the system's log: dmesg | tail"
                                  : "Name an existing journal that you may read. Its path is in "
                                    "the run's warning saved_elsewhere.");
}

/// Returns 0, or an errno.
int write_to_disk(int descriptor, std::string_view text) {
  if (const int error = write_all(descriptor, text); error != 0) {
    return error;
  }
  return fsync(descriptor) == 0 ? 0 : errno;
}

std::string joined(std::span<const std::string> lines) {
  std::string text;
  for (const std::string& line : lines) {
    text += line;
    text += '\n';
  }
  return text;
}

/// Makes the file's name survive a power cut, as its content does.
void sync_directory(const fs::path& directory) {
  const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor >= 0) {
    fsync(descriptor);
    ::close(descriptor);
  }
}

}  // namespace

fs::path journal_path(const fs::path& database, std::string_view run_id) {
  return journal_directory(database) / (file_stem(run_id) + ".jsonl");
}

fs::path RunJournal::path_in(const fs::path& directory, std::string_view run_id) {
  return directory / ("enprof-" + file_stem(run_id) + ".jsonl");
}

Result<RunJournal> RunJournal::create_in(const fs::path& directory, std::string_view run_id) {
  const fs::path path = path_in(directory, run_id);
  // Others may write to a directory for temporary files, so links of theirs are not followed.
  const int descriptor =
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (descriptor < 0) {
    return failed("make", path, errno);
  }
  return RunJournal{path, descriptor};
}

Result<RunJournal> RunJournal::open(const fs::path& database, std::string_view run_id) {
  const fs::path directory = journal_directory(database);
  const fs::path path = journal_path(database, run_id);
  if (mkdir(directory.c_str(), S_IRWXU) != 0 && errno != EEXIST) {
    return failed("open", path, errno);
  }
  const int descriptor =
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (descriptor < 0) {
    return failed("open", path, errno);
  }
  sync_directory(directory);
  return RunJournal{path, descriptor};
}

RunJournal::RunJournal(RunJournal&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}

RunJournal& RunJournal::operator=(RunJournal&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

RunJournal::~RunJournal() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
  }
}

Result<void> RunJournal::append(std::span<const std::string> lines) {
  struct stat before{};
  if (fstat(descriptor_, &before) != 0) {
    return failed("write", path_, errno);
  }
  if (const int number = write_to_disk(descriptor_, joined(lines)); number != 0) {
    // Remove the partial line, which would spoil the next one.
    if (ftruncate(descriptor_, before.st_size) != 0) {
      return failed("write to, nor repair,", path_, errno);
    }
    return failed("write", path_, number);
  }
  return {};
}

Result<void> RunJournal::replace(std::span<const std::string> lines) {
  const fs::path partial = path_.string() + ".partial";
  const int descriptor = ::open(
      partial.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (descriptor < 0) {
    return failed("replace", path_, errno);
  }
  int number = write_to_disk(descriptor, joined(lines));
  if (number == 0 && std::rename(partial.c_str(), path_.c_str()) != 0) {
    number = errno;
  }
  if (number != 0) {
    ::close(descriptor);
    unlink(partial.c_str());
    return failed("replace", path_, number);
  }
  sync_directory(path_.parent_path());
  ::close(std::exchange(descriptor_, descriptor));
  return {};
}

std::vector<fs::path> list_journals(const fs::path& database) {
  std::vector<fs::path> found;
  std::error_code none;
  for (fs::directory_iterator entry(journal_directory(database), none), end; entry != end;
       entry.increment(none)) {
    if (entry->path().extension() == ".jsonl" && !entry->is_directory(none)) {
      found.push_back(entry->path());
    }
  }
  std::ranges::sort(found);
  return found;
}

Result<std::vector<std::string>> read_journal(const fs::path& path) {
  std::error_code none;
  if (fs::is_directory(path, none)) {
    return cannot_read(path, EISDIR);
  }
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    return cannot_read(path, errno);
  }
  const std::string content{std::istreambuf_iterator<char>{in}, {}};
  if (in.bad()) {
    return cannot_read(path, EIO);
  }
  std::vector<std::string> lines;
  std::size_t begin = 0;
  for (std::size_t end = content.find('\n'); end != std::string::npos;
       end = content.find('\n', begin)) {
    lines.push_back(content.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

Result<void> remove_journal(const fs::path& path) {
  if (unlink(path.c_str()) != 0 && errno != ENOENT) {
    return failed("remove", path, errno);
  }
  unlink((path.string() + ".partial").c_str());
  if (path.parent_path().extension() == ".journal") {
    rmdir(path.parent_path().c_str());  // fails unless it is empty
  }
  return {};
}

}  // namespace enprof
