// Where a writer takes a run from: from memory, or from the database, a few rows at a time.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/model/profiled_run.hpp"
#include "enprof/store/profile_database.hpp"
#include "enprof/store/run_query.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace enprof {

/// Some rows of one list: those of `run` from `begin` to before `end`.
struct RunSlice {
  const ProfiledRun* run = nullptr;
  std::size_t begin = 0;
  std::size_t end = 0;

  [[nodiscard]] bool empty() const { return begin == end; }
};

/// A run whose long lists are given away row by row. Threads: one at a time.
class RunSource {
 public:
  RunSource() = default;
  RunSource(const RunSource&) = delete;
  RunSource& operator=(const RunSource&) = delete;
  virtual ~RunSource() = default;

  /// All but the lists of RunRows, which may be there or not.
  [[nodiscard]] virtual const ProfiledRun& head() const = 0;
  /// The rows of a list that follow those of the last call, none at its end; valid until the next
  /// call. Another list begins at its start. Errors: as ProfileDatabase::read_page().
  [[nodiscard]] virtual Result<RunSlice> next(RunRows list) = 0;
};

/// A run in memory, which outlives it.
class RunInMemory final : public RunSource {
 public:
  explicit RunInMemory(const ProfiledRun& run) : run_(run) {}

  [[nodiscard]] const ProfiledRun& head() const override { return run_; }
  [[nodiscard]] Result<RunSlice> next(RunRows list) override;

 private:
  const ProfiledRun& run_;
  std::optional<RunRows> list_;
  std::size_t at_ = 0;
};

/// A run in the database, of which a few rows are in memory at a time.
class RunInStore final : public RunSource {
 public:
  /// The database outlives it. Empty where there is no such run. Errors: as
  /// ProfileDatabase::run_head().
  [[nodiscard]] static Result<std::unique_ptr<RunInStore>> open(ProfileDatabase& store,
                                                                const std::string& run_id);

  /// From now on the table of operations, sampled values, and what power was when are empty.
  void leave_out_details();

  [[nodiscard]] const ProfiledRun& head() const override { return head_.run; }
  [[nodiscard]] Result<RunSlice> next(RunRows list) override;

 private:
  RunInStore(ProfileDatabase& store, RunHead head) : store_(store), head_(std::move(head)) {}

  ProfileDatabase& store_;
  RunHead head_;
  bool has_details_ = true;
  std::optional<RunRows> list_;
  RunPage page_{.run = {}, .rows = 0, .next = {}};
};

}  // namespace enprof
