// The library's face: profiles whatever inference is wrapped in its scopes. It knows no engine.
//
//   auto database = enprof::ProfileDatabase::connect("profiles.db");
//   auto monitor  = enprof::PowerMonitor::detect();
//   enprof::InferencePipelineProfiler profiler{monitor, database};
//
//   auto run = profiler.run({.prompt = prompt, .model_name = "my-model"});
//   { auto section = run.section(enprof::Phase::prefill, "forward"); engine.prefill(prompt); }
//   while (engine.more()) {
//     auto token = run.token(enprof::Phase::decode);
//     token.set_text(engine.step());
//   }
//   const enprof::ProfiledRun& result = run.finish();
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/base/error.hpp"
#include "enprof/base/export.hpp"
#include "enprof/model/calibration.hpp"
#include "enprof/model/event.hpp"
#include "enprof/model/operation.hpp"
#include "enprof/model/profiled_run.hpp"
#include "enprof/power/power_monitor.hpp"
#include "enprof/store/profile_database.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

class PassRecorder;
class RunForwarder;
class RunIntake;
class RunRecorder;
struct CaptureRecording;

/// What is to be profiled.
struct RunRequest {
  std::string run_id{};  ///< empty: a new one
  std::string prompt{};
  std::string model_name{};
  std::vector<std::string> tags{};
  std::string experiment{};
  Depth depth = Depth::minimal;
  /// Sizes the memory that the run writes into; beyond it spans are dropped, and counted.
  std::size_t max_output_tokens = 4096;
};

struct ProfilerOptions {
  /// What runs are timed by; it outlives them. The monitor must read the same one. The wall clock
  /// time of a run's begin is the system's in any case, and the periods below are of real time.
  const Clock* clock = &monotonic_clock();
  Economics economics{};
  /// What is known of the power of the model's components; null: nothing. The caller has checked
  /// that it fits the runs.
  std::shared_ptr<const Calibration> calibration{};
  std::optional<Nanoseconds> power_interval{};  ///< see PowerMonitor::start
  /// Spans that one output token may make: itself and the sections in it.
  std::size_t spans_per_token = 8;
  /// The most operations that a run keeps: 4 bytes each during the run, 32 in its result. Of a pass
  /// beyond them only the duration is known.
  std::size_t max_operations = std::size_t{1} << 21U;
  /// Time between two steps in which a run is saved while it goes on.
  Nanoseconds save_period = std::chrono::milliseconds{700};
  /// Time between two events of each kind that give the energies so far (energy_settled and the
  /// metrics events); 0: such events come only at the run's end. A thread of the profiler computes
  /// them, and does so less often if it would take more than 1 % of a CPU.
  Nanoseconds settle_period{0};
  /// Time between two deliveries of events to the listeners; at least 1 ms.
  Nanoseconds event_period = std::chrono::milliseconds{100};
  /// Called at each delivery: whether the run is watched. If so, an event is delivered at once when
  /// 33 ms have passed since the last delivery: at most 30 times a second, each for a system call
  /// by the run's thread. Null means no.
  std::function<bool()> is_watched{};
  /// Where what disturbs a run is looked for (memory pressure, throttling, …), unless `clock` is a
  /// simulated one, or the first is empty. Other directories are for tests.
  std::filesystem::path procfs_root = "/proc";
  std::filesystem::path sysfs_root = "/sys";
  /// How long a run's end waits for a listener that does not return from an event. Then it leaves
  /// the listener behind, and the run has the warning listener_left.
  Nanoseconds listener_patience = std::chrono::seconds{2};
  /// Called each time energies are computed in a deep run: whether operation_metrics are wanted.
  /// They multiply the cost.
  std::function<bool()> wants_operations{};
  /// The CPU time that other processes have used for the runs so far, if they do the work instead
  /// of this one: it counts as the runs' own. What this process itself waited for then says nothing
  /// of them. Called five times a second on a thread of the profiler. Null: this process works.
  std::function<Nanoseconds()> programs_cpu_time{};
  /// Called on a thread of the profiler when a run cannot be saved into the database. Codes:
  /// journal_in_use (the run is saved into a file beside the database), memory_only. A run that is
  /// not in the database at its end has a warning that says so, `journaled` or `not_saved`.
  std::function<void(const Warning&)> on_trouble{};
};

/// A section of the run, open until the object ends. Sections and tokens close in the reverse of
/// the order in which they were opened. Move-only. Threads: the run's one thread.
class ENPROF_API SectionScope {
 public:
  SectionScope(SectionScope&& other) noexcept;
  SectionScope& operator=(SectionScope&&) = delete;
  ~SectionScope();
  /// Closes it before the object ends.
  void end() noexcept;

 private:
  friend class RunScope;
  SectionScope(RunRecorder* recorder, std::int32_t span) noexcept;
  RunRecorder* recorder_;
  std::int32_t span_;
};

/// One output token in the making, open until the object ends. Threads: the run's one thread.
class ENPROF_API TokenScope {
 public:
  TokenScope(TokenScope&& other) noexcept;
  TokenScope& operator=(TokenScope&&) = delete;
  ~TokenScope();
  /// Copies the token's text into the run's memory; does not allocate.
  void set_text(std::string_view text) noexcept;
  /// Forgets the token: it ended the generation and is not part of the response. Its time stays
  /// with the phase.
  void discard() noexcept;
  void end() noexcept;

 private:
  friend class RunScope;
  TokenScope(RunRecorder* recorder, std::int32_t span) noexcept;
  RunRecorder* recorder_;
  std::int32_t span_;
};

/// One evaluation of an engine's graph, open until the object ends: the operations of a plan, each
/// stamped as it ends. Operations follow each other without gaps: each begins where the one before
/// it ended. Move-only. One at a time: opening the next ends the one before.
/// Threads: the run's one thread; stamp() costs one clock read and one store.
class ENPROF_API PassScope {
 public:
  PassScope(PassScope&& other) noexcept;
  PassScope& operator=(PassScope&&) = delete;
  ~PassScope();
  /// The first operation begins now; without this it begins with the pass. After a stamp it means
  /// nothing.
  void start() noexcept;
  /// The next operation of the plan has ended.
  void stamp() noexcept;
  /// Keeps the pass's duration, but not its operations: they did not follow the plan, or their
  /// values were read, which made them take longer.
  void discard() noexcept;
  /// Ends it before the object ends. A pass with another number of stamps than its plan has
  /// operations is discarded, and counted.
  void end() noexcept;

 private:
  friend class RunScope;
  PassScope(PassRecorder* recorder, std::int32_t pass) noexcept;
  PassRecorder* recorder_;
  std::int32_t pass_;
};

/// One run in the making. A run that is destroyed before finish() is finished then: completed, or
/// failed where an exception is on its way. Move-only.
/// Threads: one thread opens and closes scopes; they neither allocate, lock, log nor throw.
class ENPROF_API RunScope {
 public:
  RunScope(RunScope&& other) noexcept;
  RunScope& operator=(RunScope&&) = delete;
  ~RunScope();

  [[nodiscard]] const std::string& id() const noexcept;

  /// Opens a section in a phase, inside the token or section that is open. Entering a phase ends
  /// the one before it, and with it all that is open in that, which the run says in a warning; a
  /// phase earlier than the present one is recorded as the present one. At
  /// most 48 bytes of the name and 64 names a run are kept apart.
  [[nodiscard]] SectionScope section(Phase phase, std::string_view name) noexcept;
  /// Opens the next output token.
  [[nodiscard]] TokenScope token(Phase phase) noexcept;
  /// Enters a phase without opening anything in it.
  void enter(Phase phase) noexcept;
  /// The thread is between two operations, at this instant. Where the power sensor is a counter, it
  /// may be read here: a read takes about a microsecond and nothing has to be woken up for it, so
  /// that this costs less than readings by another thread, and more of them can be made. Call it
  /// every 20 to 200 µs while the thread computes; what it returns is the instant before which
  /// another call does nothing. Not calling it costs accuracy, nothing else.
  [[nodiscard]] Instant at_border(Instant now) noexcept;

  /// What was asked for. Below module no pass needs to be made: it would not be kept.
  [[nodiscard]] Depth depth() const noexcept;
  /// Makes a graph's operations known, once for each kind of graph; gives its id. Allocates.
  [[nodiscard]] std::uint32_t add_plan(OperationPlan plan);
  /// The same without a copy. The plan must not be null.
  [[nodiscard]] std::uint32_t add_plan(SharedPlan plan);
  /// Opens a pass of a plan, inside the section or token that is open. `batch` says which sequences
  /// it computes; it is copied, and may be empty where that is not known.
  [[nodiscard]] PassScope pass(std::uint32_t plan,
                               std::span<const BatchSequence> batch = {}) noexcept;
  /// Adds a pass that ends now, for engines that learn its plan only while it runs. It began at
  /// `begin`, in the section or token that is still open; its first operation began at `start`, and
  /// its operations ended at `ends`. Without `ends` it counts as discarded.
  void add_pass(std::uint32_t plan, Instant begin, Instant start, std::span<const Instant> ends,
                std::span<const BatchSequence> batch = {}) noexcept;

  /// What is said of the run, at any time before finish(); not for the hot path: these allocate.
  void set_model(ModelFacts facts);
  void set_prompt_tokens(std::size_t count) noexcept;
  void set_response(std::string text);
  void set_finish_reason(std::string reason);
  void warn(Warning warning);
  /// Values that were looked at, all or some of them: added to those given before.
  void add_values(SampledValues values);
  /// The engine could not set up what passes are made with: logged, and a warning. The run goes on
  /// without layers.
  void fail_hooks(const Error& error);

  /// The run is the life of another program, of which this was seen: finish() then makes a capture
  /// of it, and a run of each request. Its instants are those of the clock. Call it before
  /// finish().
  void set_capture(std::shared_ptr<const CaptureRecording> recording);
  /// The requests of a capture, in the order in which they began: saved by finish(), unless it says
  /// otherwise in a warning. Call it once, after finish().
  [[nodiscard]] std::vector<ProfiledRun> take_requests();

  /// Ends the run: takes the last reading, attributes, saves. Later calls give the same result. A
  /// run whose figures cannot be worked out is `failed`, and says why in a warning.
  const ProfiledRun& finish(RunStatus status = RunStatus::completed);
  /// Ends the run without a result and without saving it: it should not have begun.
  void abandon();

 private:
  friend class InferencePipelineProfiler;
  friend class RunForwarder;
  friend class RunIntake;
  class Impl;
  explicit RunScope(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Makes runs. Must outlive them. A run is saved in steps while it goes on: one that is killed is
/// in the database, but for its last second. Runs that earlier programs left behind are closed when
/// a profiler is made. Threads: one run at a time; listeners are called on the profiler's own
/// thread.
class ENPROF_API InferencePipelineProfiler {
 public:
  using Listener = std::function<void(const Event&)>;

  /// Either may have failed: profiling goes on without it, and each run says so in a warning. Both
  /// must outlive the profiler. A monitor that does not run is started, and stopped at the end.
  InferencePipelineProfiler(Result<PowerMonitor>& monitor, Result<ProfileDatabase>& database,
                            ProfilerOptions options = {});
  /// The same with a null pointer for what is not wanted: no power, no saving, and no warning.
  InferencePipelineProfiler(PowerMonitor* monitor, ProfileDatabase* database,
                            ProfilerOptions options = {});
  InferencePipelineProfiler(const InferencePipelineProfiler&) = delete;
  InferencePipelineProfiler& operator=(const InferencePipelineProfiler&) = delete;
  ~InferencePipelineProfiler();

  /// Adds a listener, which is called with each event as it happens. An exception that it throws is
  /// logged, and the next listener is still called. A listener that hangs is left behind with its
  /// thread at the run's end, so it must own or share what it uses. Call on() before run().
  void on(Listener listener);

  /// Begins a run. If another run is not over yet, it ends first, as `failed` with the warning
  /// run_overlapped: the energy of two runs at once cannot be separated. The monitor removes the
  /// windows that ended more than a second before the run; read them earlier if you need them.
  /// The run's clock starts when power has been read, memory is allocated, and
  /// the machine's load is known. The start of the threads that follow the run, a fraction of a
  /// millisecond, belongs to its pre_inference phase.
  [[nodiscard]] RunScope run(RunRequest request);

 private:
  friend class RunForwarder;
  friend class RunScope;
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace enprof
