// Saves a run while it goes on.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/model/profiled_run.hpp"
#include "enprof/power/power_monitor.hpp"
#include "enprof/store/profile_database.hpp"

#include "base/cpu_times.hpp"
#include "base/periodic_thread.hpp"
#include "base/standstill_watch.hpp"
#include "profile/assemble/run_assembler.hpp"
#include "profile/save/run_elsewhere.hpp"
#include "profile/save/run_step_data.hpp"
#include "store/run_journal.hpp"
#include "store/run_lock.hpp"
#include "store/step_store.hpp"

#include <atomic>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace enprof {

/// Writes a run into the database in steps, on a thread of its own, so that whatever ends the
/// program leaves all but its last second. A step that the database does not take goes into the
/// journal beside it; one that the journal does not take either is kept in memory and tried again
/// with the next. The database is tried first every time. A run that is over and that neither takes
/// goes into a file elsewhere, and is kept in memory by the database, which tries again.
/// Threads: the run's thread calls everything; the recorders push into spans() and passes().
class RunSaver {
 public:
  /// Told of trouble at once, on the saver's thread or in finish(), and of each kind of it once.
  using Listener = std::function<void(const Warning&)>;

  struct Options {
    /// Between steps: with the time that a step takes, a run is less than a second behind.
    Nanoseconds period = std::chrono::milliseconds{700};
    /// The run's.
    const Clock* clock = &monotonic_clock();
    /// How long a step waits for another program to let go of the database.
    Nanoseconds patience = std::chrono::milliseconds{200};
    /// Of steps that neither takes, kept in memory; beyond it the oldest but the run's first are
    /// dropped, and counted.
    std::size_t most_pending_bytes = std::size_t{64} << 20U;
    /// Null: the program never stands still.
    StandstillWatch* standstills = nullptr;
    /// Where a run that is over goes that neither takes.
    std::filesystem::path elsewhere = temporary_directory();
  };

  /// All that is passed must outlive it; `monitor` may be null.
  RunSaver(ProfileDatabase& database, const PowerMonitor* monitor, Listener listener,
           Options options);
  RunSaver(const RunSaver&) = delete;
  RunSaver& operator=(const RunSaver&) = delete;

  [[nodiscard]] SpanRing* spans() { return &spans_; }
  [[nodiscard]] PassRing* passes() { return &passes_; }

  /// Begins to save: after the run's clock has started.
  void begin(const ProfiledRun& run, const RunRecorder& recorder);
  /// What has become known of the run, of its values, or of its graphs. These allocate.
  void note_facts(const ProfiledRun& run);
  void note_values(SampledValues values);
  void note_plan(std::uint32_t index, SharedPlan plan);

  /// All that happened up to then is in the database or the journal. Any thread may ask.
  [[nodiscard]] Instant saved_until() const {
    return Instant{Nanoseconds{saved_until_.load(std::memory_order_acquire)}};
  }

  /// Ends the thread. Nothing is saved any more but by finish().
  void stop();
  /// Saves the run that is over: in the database, else in the journal, from what its figures were
  /// worked out from. Of its warnings the first `facts` were there before that, and those from
  /// `late` on came up after it. A run that is not in the database gets one more that says where it
  /// is: `journaled`, `saved_elsewhere`, or `not_saved`; of the latter, what steps have saved
  /// stays.
  void finish(const Recording& recording, const PowerEvidence& power, ProfiledRun& run,
              std::size_t facts, std::size_t late);
  /// Takes away what was saved: the run should not have begun.
  void abandon();

 private:
  void save_step();
  [[nodiscard]] RunStepData collect();
  void collect_spans(RunStepData& data);
  void collect_power(RunStepData& data);
  void sample_cpu();
  void put(RunStep step);
  [[nodiscard]] Result<void> to_database();
  [[nodiscard]] Result<void> to_journal(const std::vector<std::string>& lines);
  void tell(std::string code, std::string message, const Error& error);
  void trim_pending();
  /// Where the run is then; empty: nowhere on disk.
  std::filesystem::path to_journal_whole(const Error& refusal, const RunStepData& whole,
                                         ProfiledRun& run);
  [[nodiscard]] std::optional<std::filesystem::path> to_file_elsewhere(const std::string& line,
                                                                       const std::string& run_id);
  void keep(const ProfiledRun& run, std::filesystem::path journal);
  void drop_journal();
  [[nodiscard]] Result<void> lock();

  ProfileDatabase& database_;
  const PowerMonitor* monitor_;
  Listener listener_;
  Options options_;
  SpanRing spans_;
  PassRing passes_;
  const RunRecorder* recorder_ = nullptr;
  CpuTimes cpu_;
  std::vector<CpuSample> cpu_samples_;  // since the last step

  std::atomic<Nanoseconds::rep> saved_until_{0};
  std::mutex mutex_;               // of what follows, up to the plans
  std::optional<StepJson> facts_;  // that no step has said yet
  SampledValues values_;
  std::map<std::uint32_t, SharedPlan> plans_;

  // The saver's thread's own; the run's, once that has ended.
  ProfiledRun header_;  // the run as begin_run() wants it
  std::optional<RunLock> lock_;
  std::optional<RunJournal> journal_;
  std::string first_line_;  // of the journal: who the run is
  bool is_journal_empty_ = false;
  std::vector<RunStep> pending_;
  std::int64_t next_step_ = 0;
  bool begun_ = false;
  std::map<std::int32_t, std::uint16_t> told_names_;
  std::vector<Instant> windows_until_;  // by domain
  Instant readings_until_;
  std::size_t told_warnings_ = 0;
  std::map<std::string, bool> told_;  // trouble, by code

  PeriodicThread thread_;
};

}  // namespace enprof
