#include "profile/save/run_attempt.hpp"

#include "base/log.hpp"
#include "base/write_all.hpp"
#include "profile/save/run_facts.hpp"
#include "profile/save/step_format.hpp"
#include "profile/save/step_reader.hpp"
#include "store/run_lock.hpp"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <exception>
#include <fcntl.h>
#include <optional>
#include <string_view>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace enprof {
namespace {

namespace fs = std::filesystem;

constexpr Logger kLog{"recovery"};
constexpr std::string_view kSuffix = ".attempt";

std::unexpected<Error> cannot_write(const fs::path& path, int error_number) {
  return fail(error_code_from_errno(error_number),
              fmt::format("Cannot write {}, which says what is under way: {}", path.string(),
                          std::generic_category().message(error_number)),
              "See to it that there is room in that directory and that you may write to it.");
}

/// An open and locked file.
class LockedFile {
 public:
  /// Empty if a living process has locked it, or if it cannot be opened; errno says which.
  static std::optional<LockedFile> open(const fs::path& path, int flags) {
    const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (descriptor < 0) {
      return std::nullopt;
    }
    LockedFile file(descriptor);
    struct stat opened{};
    // Another process may have deleted it after it was opened.
    if (flock(descriptor, LOCK_EX | LOCK_NB) != 0 || fstat(descriptor, &opened) != 0) {
      return std::nullopt;
    }
    if (opened.st_nlink == 0) {
      errno = ENOENT;
      return std::nullopt;
    }
    return file;
  }
  LockedFile(LockedFile&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  LockedFile& operator=(LockedFile&&) = delete;
  ~LockedFile() {
    if (descriptor_ >= 0) {
      const int error_number = errno;
      ::close(descriptor_);
      errno = error_number;
    }
  }

  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }
  [[nodiscard]] int release() noexcept { return std::exchange(descriptor_, -1); }

 private:
  explicit LockedFile(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

std::string read_all(int descriptor) {
  std::string text;
  std::array<char, 4096> piece{};
  for (ssize_t count = 0; (count = ::read(descriptor, piece.data(), piece.size())) != 0;) {
    if (count < 0 && errno != EINTR) {
      break;
    }
    text.append(piece.data(), static_cast<std::size_t>(count < 0 ? 0 : count));
  }
  return text;
}

ProfiledRun run_of(const RunRequest& request) {
  ProfiledRun run;
  run.run_id = request.run_id;
  run.status = RunStatus::running;
  run.started_at = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  run.depth = request.depth;
  run.experiment = request.experiment;
  run.tags = request.tags;
  run.prompt = request.prompt;
  run.model.name = request.model_name;
  return run;
}

/// False if the text cannot be parsed.
bool parse(const std::string& text, LeftAttempt& attempt) {
  const std::size_t end = text.find('\n');
  if (end == std::string::npos) {
    return false;  // the process died while it wrote the first line, before the run began
  }
  try {
    const StepJson facts = StepJson::parse(text.substr(0, end));
    const Result<int> version = step_version(facts);
    if (!version) {
      kLog.warning("What an earlier program had under way cannot be read: {}. {}",
                   version.error().message, version.error().hint);
      if (version.error().code == ErrorCode::unsupported) {
        attempt.file.leave();
      }
      return false;
    }
    facts_from_json(JsonNode(facts, "the file"), {.version = *version}, attempt.run);
  } catch (const std::exception& error) {
    kLog.warning("What an earlier program had under way cannot be read: {}", error.what());
    return false;
  }
  attempt.reason = text.substr(end + 1);
  while (attempt.reason.ends_with('\n')) {
    attempt.reason.pop_back();
  }
  return true;
}

}  // namespace

Result<RunAttempt> RunAttempt::begin(const fs::path& database, const RunRequest& request) {
  const fs::path directory = journal_directory(database);
  const fs::path path = directory / (file_stem(request.run_id) + std::string(kSuffix));
  // Another process may delete the directory or the file between two of these steps.
  constexpr int kAttempts = 100;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (mkdir(directory.c_str(), S_IRWXU) != 0 && errno != EEXIST) {
      return cannot_write(path, errno);
    }
    auto file = LockedFile::open(path, O_RDWR | O_CREAT | O_APPEND);
    if (!file && (errno == ENOENT || errno == EWOULDBLOCK)) {
      continue;
    }
    if (!file) {
      return cannot_write(path, errno);
    }
    RunAttempt made(path, file->release());
    int number = ftruncate(made.descriptor_, 0) == 0 ? 0 : errno;
    if (number == 0) {
      StepJson facts = facts_to_json(run_of(request));
      facts["version"] = kStepVersion;
      number = write_all(made.descriptor_, facts.dump() + "\n");
    }
    if (number != 0) {
      return cannot_write(path, number);
    }
    return made;
  }
  return cannot_write(path, EAGAIN);
}

RunAttempt::RunAttempt(RunAttempt&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}

RunAttempt& RunAttempt::operator=(RunAttempt&& other) noexcept {
  if (this != &other) {
    end();
    path_ = std::move(other.path_);
    descriptor_ = std::exchange(other.descriptor_, -1);
  }
  return *this;
}

RunAttempt::~RunAttempt() { end(); }

void RunAttempt::leave() noexcept {
  if (descriptor_ >= 0) {
    ::close(std::exchange(descriptor_, -1));
  }
}

void RunAttempt::end() noexcept {
  if (descriptor_ < 0) {
    return;
  }
  unlink(path_.c_str());  // before close() releases the lock
  ::close(std::exchange(descriptor_, -1));
  try {
    rmdir(path_.parent_path().c_str());  // removes the directory only if it is empty
  } catch (const std::exception&) {
    return;  // out of memory for the path: an empty directory remains
  }
}

std::vector<LeftAttempt> take_left_attempts(const fs::path& database) {
  std::vector<LeftAttempt> left;
  const fs::path directory = journal_directory(database);
  std::error_code none;
  for (fs::directory_iterator entry(directory, none), end; entry != end; entry.increment(none)) {
    const fs::path& path = entry->path();
    if (path.extension() != kSuffix) {
      continue;
    }
    auto file = LockedFile::open(path, O_RDWR);
    if (!file) {
      continue;  // its process is alive, or the file may not be opened
    }
    const std::string text = read_all(file->descriptor());
    LeftAttempt attempt{.run = {}, .reason = {}, .file = RunAttempt(path, file->release())};
    if (parse(text, attempt)) {
      left.push_back(std::move(attempt));
    }
  }
  return left;
}

void add_end(const LeftAttempt& attempt, ProfiledRun& run) {
  if (run.status != RunStatus::interrupted && run.status != RunStatus::running) {
    return;
  }
  const std::string& model = attempt.run.model.name;
  if (attempt.reason.empty()) {
    run.status = RunStatus::interrupted;
    run.warnings.push_back(
        {"engine", "program_killed",
         fmt::format("The program was killed or crashed while it worked with the model {}", model),
         "Look for a lack of memory in the system's log: dmesg | grep -i oom"});
    return;
  }
  run.status = RunStatus::failed;
  run.finish_reason = "error";
  run.warnings.push_back(
      {"engine", "program_died",
       fmt::format("The program ended during this run, with the model {}: {}", model,
                   attempt.reason),
       "Use another conversion of the model, a smaller one, or a smaller --ctx."});
}

}  // namespace enprof
