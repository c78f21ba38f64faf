// Marks a run that a process is writing.
#pragma once

#include "enprof/base/error.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace enprof {

/// The directory beside a database for the journals and locks of its runs.
[[nodiscard]] std::filesystem::path journal_directory(const std::filesystem::path& database);

/// A file name for a run id, which may contain anything and have any length.
[[nodiscard]] std::string file_stem(std::string_view run_id);

/// Held by the process that writes a run: a kernel lock on `<db>.journal/RUN.lock`. It ends at once
/// with the process, however the process ends. Unlike a process id it is never reused, and it works
/// across containers that share the file. Unlike a heartbeat it stays while the process is stopped
/// or the machine sleeps. Threads: one at a time.
class RunLock {
 public:
  /// Errors: busy, if a living process holds the lock; those of the file.
  [[nodiscard]] static Result<RunLock> acquire(const std::filesystem::path& database,
                                               std::string_view run_id);
  /// The same, given the path of the run's journal.
  [[nodiscard]] static Result<RunLock> acquire_for_journal(const std::filesystem::path& journal);
  RunLock(RunLock&& other) noexcept;
  RunLock& operator=(RunLock&& other) noexcept;
  /// Removes the file, and its directory if that is empty.
  ~RunLock();

 private:
  RunLock(std::filesystem::path path, int descriptor)
      : path_(std::move(path)), descriptor_(descriptor) {}
  [[nodiscard]] static Result<RunLock> acquire_file(const std::filesystem::path& path,
                                                    std::string_view run_id);
  void release() noexcept;

  std::filesystem::path path_;
  int descriptor_ = -1;
};

}  // namespace enprof
