// Where a run goes that the database does not take: a file of JSON lines beside it.
#pragma once

#include "enprof/base/error.hpp"

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

/// Where a run's journal beside a database is, or would be.
[[nodiscard]] std::filesystem::path journal_path(const std::filesystem::path& database,
                                                 std::string_view run_id);

/// `<db>.journal/RUN.jsonl`. What a line says is the caller's; it holds no line break. Threads: one
/// at a time.
class RunJournal {
 public:
  /// Makes it, or goes on with one that is there. Errors: those of the file.
  [[nodiscard]] static Result<RunJournal> open(const std::filesystem::path& database,
                                               std::string_view run_id);
  /// Makes one for a whole run in another directory: `enprof-RUN.jsonl`, which is not there yet.
  /// Errors: those of the file.
  [[nodiscard]] static Result<RunJournal> create_in(const std::filesystem::path& directory,
                                                    std::string_view run_id);
  /// How create_in() calls it.
  [[nodiscard]] static std::filesystem::path path_in(const std::filesystem::path& directory,
                                                     std::string_view run_id);
  RunJournal(RunJournal&& other) noexcept;
  RunJournal& operator=(RunJournal&& other) noexcept;
  ~RunJournal();

  /// Adds lines and returns when they are on disk. Where that fails the file is as it was before.
  /// Errors: those of the file.
  [[nodiscard]] Result<void> append(std::span<const std::string> lines);
  /// Puts lines in the place of all that was there: all of them or none. Errors: those of the file.
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

/// The lines of a journal that are whole: a last one that was cut off is left out. Errors: those of
/// the file.
[[nodiscard]] Result<std::vector<std::string>> read_journal(const std::filesystem::path& path);

/// Takes a journal away, and the directory where it was the last.
[[nodiscard]] Result<void> remove_journal(const std::filesystem::path& path);

}  // namespace enprof
