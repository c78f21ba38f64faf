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
#include "record/pass_recorder.hpp"
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
/// program leaves all but its last second. A step that the database refuses goes into the journal
/// beside it; a step that the journal refuses too is kept in memory and retried with the next. The
/// database is tried first every time. If both refuse a finished run, it goes into a file
/// elsewhere, and ProfileDatabase keeps it in memory and retries.
/// Threads: the run's thread calls everything; the recorders push into spans() and passes().
class RunSaver {
 public:
  /// Gets a warning when something fails, once per code; on the saver's thread or in finish().
  using Listener = std::function<void(const Warning&)>;

  struct Options {
    /// Between steps. With the time to write a step, at most a second of the run is unsaved.
    Nanoseconds period = std::chrono::milliseconds{700};
    /// The clock of the run.
    const Clock* clock = &monotonic_clock();
    /// How long a step waits while another program locks the database.
    Nanoseconds patience = std::chrono::milliseconds{200};
    /// Size of the steps kept in memory; beyond it the oldest are dropped and counted, but never
    /// the run's first.
    std::size_t most_pending_bytes = std::size_t{64} << 20U;
    /// Null: standstills of the program are not looked for.
    StandstillWatch* standstills = nullptr;
    /// The folder for a finished run that both the database and the journal refuse.
    std::filesystem::path elsewhere = temporary_directory();
  };

  /// All that is passed must outlive it; `monitor` may be null.
  RunSaver(ProfileDatabase& database, const PowerMonitor* monitor, Listener listener,
           Options options);
  RunSaver(const RunSaver&) = delete;
  RunSaver& operator=(const RunSaver&) = delete;

  [[nodiscard]] SpanRing* spans() { return &spans_; }
  [[nodiscard]] PassRing* passes() { return &passes_; }

  /// Starts the saver's thread; call it after the run's clock has started. `memory` is the pass
  /// recorder's; both recorders outlive the saver's thread.
  void begin(const ProfiledRun& run, const RunRecorder& recorder, const PassRecordingView& memory);
  /// Hand over what the next step will write. These allocate.
  void set_facts(const ProfiledRun& run);
  void add_sampled(SampledValues values);
  void add_plan(std::uint32_t index, SharedPlan plan);

  /// Everything before this instant is in the database or the journal. Threads: any.
  [[nodiscard]] Instant saved_until() const {
    return Instant{Nanoseconds{saved_until_.load(std::memory_order_acquire)}};
  }

  /// Ends the thread. After it only finish() saves.
  void stop();
  /// Saves the finished run: in the database, or else its recording and evidence in the journal.
  /// The first `facts` of its warnings existed before its figures were computed; those from `late`
  /// on were added afterwards. A run that is not in the database gets a warning that says where it
  /// is: `journaled`, `saved_elsewhere`, or `not_saved`; in the last case the steps saved so far
  /// stay.
  void finish(const RecordingView& recording, const PowerEvidence& power, ProfiledRun& run,
              std::size_t facts, std::size_t late);
  /// Deletes what was saved: the run should not have begun.
  void abandon();

 private:
  void save_step();
  [[nodiscard]] RunStepData collect();
  void collect_spans(RunStepData& data);
  void collect_power(RunStepData& data);
  void sample_cpu();
  void write_steps(RunStep step);
  [[nodiscard]] Result<void> to_database();
  [[nodiscard]] Result<void> to_journal(const std::vector<std::string>& lines);
  void warn_once(std::string code, std::string message, const Error& error);
  void trim_pending();
  /// Returns the file that holds the run; empty if no file does.
  std::filesystem::path to_journal_whole(const Error& refusal, const RunStepData& whole,
                                         ProfiledRun& run);
  [[nodiscard]] std::optional<std::filesystem::path> to_file_elsewhere(const std::string& line,
                                                                       const std::string& run_id);
  void keep_in_memory(const ProfiledRun& run, std::filesystem::path journal);
  void drop_journal();
  [[nodiscard]] Result<void> lock();

  ProfileDatabase& database_;
  const PowerMonitor* monitor_;
  Listener listener_;
  Options options_;
  SpanRing spans_;
  PassRing passes_;
  const RunRecorder* recorder_ = nullptr;
  PassRecordingView pass_memory_;
  CpuTimes cpu_;
  std::vector<CpuSample> cpu_samples_;  // since the last step

  std::atomic<Nanoseconds::rep> saved_until_{0};
  std::mutex mutex_;               // of what follows, up to the plans
  std::optional<StepJson> facts_;  // not written by a step yet
  SampledValues values_;
  std::map<std::uint32_t, SharedPlan> plans_;

  // Only the saver's thread uses these, and the run's thread after that has ended.
  ProfiledRun header_;  // the run as begin_run() wants it
  std::optional<RunLock> lock_;
  std::optional<RunJournal> journal_;
  std::string first_line_;  // of the journal: identifies the run
  bool is_journal_empty_ = false;
  std::vector<RunStep> pending_;
  std::int64_t next_step_ = 0;
  bool begun_ = false;
  std::map<std::int32_t, std::uint16_t> written_names_;
  std::vector<Instant> windows_until_;  // by domain
  Instant readings_until_;
  std::size_t written_warnings_ = 0;
  std::map<std::string, bool> warned_;  // by code

  PeriodicThread thread_;
};

}  // namespace enprof
