// Who is writing a run at this moment.
#pragma once

#include "enprof/base/error.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace enprof {

/// The directory beside a database for runs that are being written and could not be saved in it.
[[nodiscard]] std::filesystem::path journal_directory(const std::filesystem::path& database);

/// A file name for a run id, which may hold anything and be as long as it likes.
[[nodiscard]] std::string file_stem(std::string_view run_id);

/// Held by the process that writes a run: a lock of the kernel on `<db>.journal/RUN.lock`. It ends
/// with the process, however that ends, at once; and unlike a process number it is not used again
/// by another, and is good across containers that share the file. Unlike a heartbeat it stays while
/// the process is stopped or the machine sleeps. Threads: one at a time.
class RunLock {
 public:
  /// Takes it. Errors: busy, where a living process has it; those of the file.
  [[nodiscard]] static Result<RunLock> take(const std::filesystem::path& database,
                                            std::string_view run_id);
  /// The same by the name of the run's journal beside a database.
  [[nodiscard]] static Result<RunLock> take_for_journal(const std::filesystem::path& journal);
  RunLock(RunLock&& other) noexcept;
  RunLock& operator=(RunLock&& other) noexcept;
  /// Takes the file away, and the directory where nothing else is in it.
  ~RunLock();

 private:
  RunLock(std::filesystem::path path, int descriptor)
      : path_(std::move(path)), descriptor_(descriptor) {}
  [[nodiscard]] static Result<RunLock> take_file(const std::filesystem::path& path,
                                                 std::string_view run_id);
  void release() noexcept;

  std::filesystem::path path_;
  int descriptor_ = -1;
};

}  // namespace enprof
