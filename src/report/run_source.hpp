// The source from which a writer reads a run: memory or the database, a few rows at a time.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/model/profiled_run.hpp"
#include "enprof/store/profile_database.hpp"
#include "enprof/store/run_query.hpp"

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <utility>

namespace enprof {

/// Some rows of one list of `run`: from `begin` to before `end`.
struct RunSlice {
  const ProfiledRun* run = nullptr;
  std::size_t begin = 0;
  std::size_t end = 0;

  [[nodiscard]] bool empty() const { return begin == end; }
};

/// A run whose long lists are read row by row. Threads: one at a time.
class RunSource {
 public:
  RunSource() = default;
  RunSource(const RunSource&) = delete;
  RunSource& operator=(const RunSource&) = delete;
  virtual ~RunSource() = default;

  /// Everything but the lists in RunRows, which may be filled or empty.
  [[nodiscard]] virtual const ProfiledRun& head() const = 0;
  /// The next rows of a list, empty at its end, after which the list begins anew. Valid until the
  /// next call for the same list: each list has a place of its own. Errors: as
  /// ProfileDatabase::read_page().
  [[nodiscard]] virtual Result<RunSlice> next(RunRows list) = 0;
};

/// A run in memory, which must outlive this object.
class RunInMemory final : public RunSource {
 public:
  explicit RunInMemory(const ProfiledRun& run) : run_(run) {}

  [[nodiscard]] const ProfiledRun& head() const override { return run_; }
  [[nodiscard]] Result<RunSlice> next(RunRows list) override;

 private:
  const ProfiledRun& run_;
  std::map<RunRows, std::size_t> places_;
};

/// A run in the database; only a few rows of each list are in memory at a time.
class RunInStore final : public RunSource {
 public:
  /// The database must outlive it. Null if there is no such run. Errors: as
  /// ProfileDatabase::run_head().
  [[nodiscard]] static Result<std::unique_ptr<RunInStore>> open(ProfileDatabase& store,
                                                                const std::string& run_id);

  /// Makes the operation table, sampled values and power samples read as empty from now on.
  void leave_out_details();

  [[nodiscard]] const ProfiledRun& head() const override { return head_.run; }
  [[nodiscard]] Result<RunSlice> next(RunRows list) override;

 private:
  RunInStore(ProfileDatabase& store, RunHead head) : store_(store), head_(std::move(head)) {}

  ProfileDatabase& store_;
  RunHead head_;
  bool has_details_ = true;
  std::map<RunRows, RunPage> pages_;  // of the lists that are being read
  ProfiledRun nothing_;               // what a list has at its end
};

}  // namespace enprof
