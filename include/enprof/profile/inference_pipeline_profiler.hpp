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
#include "enprof/model/event.hpp"
#include "enprof/model/operation.hpp"
#include "enprof/model/profiled_run.hpp"
#include "enprof/power/power_monitor.hpp"
#include "enprof/store/profile_database.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

class PassRecorder;
class RunRecorder;

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
  /// time of a run's begin is the system's in any case.
  const Clock* clock = &monotonic_clock();
  Economics economics{};
  std::optional<Nanoseconds> power_interval{};  ///< see PowerMonitor::start
  /// Spans that one output token may make: itself and the sections in it.
  std::size_t spans_per_token = 8;
  /// Operations that a run keeps at most, 8 bytes each while it goes on and 32 in its result. What
  /// a pass beyond them took is known, but not what its operations did.
  std::size_t max_operations = std::size_t{1} << 21U;
  /// Between two steps in which a run is saved while it goes on.
  Nanoseconds save_period = std::chrono::milliseconds{700};
  /// Between two looks at what the energy went into so far, told in energy_settled and the
  /// metrics events; 0: only the run's end tells. A thread of the profiler's own looks, and does so
  /// less often where it would take more than 1 % of a CPU.
  Nanoseconds settle_period{0};
  /// Between two deliveries of events to the listeners; at least 1 ms.
  Nanoseconds event_period = std::chrono::milliseconds{100};
  /// Asked at each delivery: whether somebody waits to see what happens. An event is then delivered
  /// at once, as long as 33 ms have passed since the last delivery: at most 30 times a second, each
  /// for a system call by the run's thread. Null: nobody does.
  std::function<bool()> is_watched{};
  /// How long a run's end waits for a listener that does not come back from an event. Then it is
  /// left behind, and the run says so.
  Nanoseconds listener_patience = std::chrono::seconds{2};
  /// Asked at each look of a deep run: whether operation_metrics are wanted. They multiply its
  /// cost.
  std::function<bool()> wants_operations{};
  /// Told at once, on a thread of the profiler's own, where a run cannot be saved as it should:
  /// journal_in_use (it goes on in a file beside the database), memory_only. A run that is not in
  /// the database when it is over has a warning that says so, `journaled` or `not_saved`.
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
  /// The pass keeps its time, but its operations are not told apart: they did not follow the plan,
  /// or they were looked at and took longer for it.
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

  /// What was asked for. Below module no pass needs to be made: it would not be kept.
  [[nodiscard]] Depth depth() const noexcept;
  /// Makes a graph's operations known, once for each kind of graph; gives its id. Allocates.
  [[nodiscard]] std::uint32_t add_plan(OperationPlan plan);
  /// The same, without a copy, for those who look at the plan themselves. Not null.
  [[nodiscard]] std::uint32_t add_plan(SharedPlan plan);
  /// Opens a pass of a plan, inside the section or token that is open.
  [[nodiscard]] PassScope pass(std::uint32_t plan) noexcept;
  /// A pass that ends now, for those who learn its plan only by watching it: it began at `begin`,
  /// in the section or token that is still open, its first operation at `start`, and its operations
  /// ended at `ends`. Without `ends` it counts as discarded.
  void add_pass(std::uint32_t plan, Instant begin, Instant start,
                std::span<const Instant> ends) noexcept;

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

  /// Ends the run: takes the last reading, attributes, saves. Later calls give the same result. A
  /// run whose figures cannot be worked out is `failed`, and says why in a warning.
  const ProfiledRun& finish(RunStatus status = RunStatus::completed);
  /// Ends the run without a result and without saving it: it should not have begun.
  void abandon();

 private:
  friend class InferencePipelineProfiler;
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

  /// Adds a listener. It hears each event as it happens; one that throws is logged, and the next
  /// still hears it. One that hangs is left behind with its thread at the run's end, so what it
  /// uses must live as long as it runs: own it, or share it. Call it before run().
  void on(Listener listener);

  /// Begins a run. One that is not over yet ends before it, as `failed` with the warning
  /// run_overlapped: two at once would be in each other's energy. The monitor forgets the windows
  /// that ended more than a second before the run: who else reads them does so earlier.
  /// Its clock starts once the last reading of power is in, memory is laid out and
  /// the machine's load is known; the start of the threads that follow the run, a fraction of a
  /// millisecond, belongs to its pre_inference.
  [[nodiscard]] RunScope run(RunRequest request);

 private:
  friend class RunScope;
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace enprof
