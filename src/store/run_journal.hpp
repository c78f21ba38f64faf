// A file of JSON lines beside the database, for a run that the database cannot take.
#pragma once

#include "enprof/base/error.hpp"

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

/// The path of a run's journal beside a database, whether or not it exists.
[[nodiscard]] std::filesystem::path journal_path(const std::filesystem::path& database,
                                                 std::string_view run_id);

/// The file `<db>.journal/RUN.jsonl`. The caller decides what a line contains; it has no line
/// break. Threads: one at a time.
class RunJournal {
 public:
  /// Creates the journal, or opens an existing one to append to it. Errors: those of the file.
  [[nodiscard]] static Result<RunJournal> open(const std::filesystem::path& database,
                                               std::string_view run_id);
  /// Creates a journal for a whole run in another directory: `enprof-RUN.jsonl`, which must not
  /// exist yet. Errors: those of the file.
  [[nodiscard]] static Result<RunJournal> create_in(const std::filesystem::path& directory,
                                                    std::string_view run_id);
  /// The path that create_in() uses.
  [[nodiscard]] static std::filesystem::path path_in(const std::filesystem::path& directory,
                                                     std::string_view run_id);
  RunJournal(RunJournal&& other) noexcept;
  RunJournal& operator=(RunJournal&& other) noexcept;
  ~RunJournal();

  /// Appends lines and returns when they are on disk. If that fails, the file is as it was before.
  /// Errors: those of the file.
  [[nodiscard]] Result<void> append(std::span<const std::string> lines);
  /// Replaces the whole content by these lines: all of them or nothing. Errors: those of the file.
  [[nodiscard]] Result<void> replace(std::span<const std::string> lines);

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  RunJournal(std::filesystem::path path, int descriptor)
      : path_(std::move(path)), descriptor_(descriptor) {}

  std::filesystem::path path_;
  int descriptor_ = -1;
};

/// The journals beside a database, by name.
[[nodiscard]] std::vector<std::filesystem::path> list_journals(
    const std::filesystem::path& database);

/// The complete lines of a journal: a last line that was cut off is left out. Errors: those of the
/// file.
[[nodiscard]] Result<std::vector<std::string>> read_journal(const std::filesystem::path& path);

/// Removes a journal, and its directory if that is empty then.
[[nodiscard]] Result<void> remove_journal(const std::filesystem::path& path);

}  // namespace enprof
