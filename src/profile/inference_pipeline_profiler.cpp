#include "enprof/profile/inference_pipeline_profiler.hpp"

#include "base/cpu_times.hpp"
#include "base/log.hpp"
#include "base/standstill_watch.hpp"
#include "base/stepped_clock.hpp"
#include "base/thread_time.hpp"
#include "power/counter/border_reader.hpp"
#include "power/idle_baseline.hpp"
#include "profile/assemble/machine_warnings.hpp"
#include "profile/assemble/run_assembler.hpp"
#include "profile/assemble/standstills.hpp"
#include "profile/capture/capture_assembler.hpp"
#include "profile/cpu_load_recorder.hpp"
#include "profile/event_dispatcher.hpp"
#include "profile/machine_watch.hpp"
#include "profile/meter/run_meter.hpp"
#include "profile/run_forwarder.hpp"
#include "profile/run_id.hpp"
#include "profile/save/run_facts.hpp"
#include "profile/save/run_recovery.hpp"
#include "profile/save/run_saver.hpp"
#include "record/pass_recorder.hpp"
#include "record/run_recorder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <expected>
#include <functional>
#include <iterator>
#include <string>
#include <utility>

namespace enprof {
namespace {

constexpr Logger kLog{"profile"};

/// Bytes of text kept for one output token, on average: the longest pieces of usual vocabularies
/// are far longer, the mean is about 4.
constexpr std::size_t kTextBytesPerToken = 32;
/// Spans of a run beside its tokens: phases, sections of prompt and clean-up.
constexpr std::size_t kFixedSpans = 256;
/// Events that may wait for the dispatcher: a second's worth of tokens at any speed of today.
constexpr std::size_t kEventCapacity = 1U << 16U;
/// Passes of a run beside one for each output token: the prompt's chunks.
constexpr std::size_t kPassesBeforeDecode = 256;
/// Windows kept before a run begins: one of them covers its first moment.
constexpr Nanoseconds kLookBack = std::chrono::seconds{1};

/// A clock that stands still while a thread works knows no CPU time.
std::function<Nanoseconds()> cpu_time_by(const Clock& clock) {
  if (dynamic_cast<const SteppedClock*>(&clock) != nullptr) {
    return [] { return Nanoseconds{0}; };
  }
  return thread_cpu_time;
}

Warning warning_from(std::string component, std::string code, const Error& error) {
  return {std::move(component), std::move(code), error.message, error.hint};
}

}  // namespace

// ---- profiler ----------------------------------------------------------------------------------

class InferencePipelineProfiler::Impl {
 public:
  Impl(PowerMonitor* monitor, ProfileDatabase* database, ProfilerOptions profiler_options)
      : power(monitor),
        store(database),
        options(std::move(profiler_options)),
        dispatcher(monitor, {.period = options.event_period,
                             .clock = options.clock,
                             .is_watched = options.is_watched,
                             .patience = options.listener_patience}) {
    if (store != nullptr) {
      static_cast<void>(recover_runs(*store));  // it logs what it does
    }
  }

  /// Starts the monitor if it does not run yet; a failure becomes a warning of the run.
  void start_power(std::vector<Warning>& warnings) {
    if (power == nullptr || power->is_running()) {
      return;
    }
    if (const auto started = power->start(options.power_interval); !started) {
      kLog.error("Failed to start power monitoring: {}", started.error().message);
      warnings.push_back(warning_from("power", "power_failed", started.error()));
      return;
    }
    started_power = true;
  }

  PowerMonitor* power;
  ProfileDatabase* store;
  ProfilerOptions options;
  EventDispatcher dispatcher;
  std::vector<Warning> standing_warnings;  // what failed before any run
  CpuTimes cpu{"/proc", options.programs_cpu_time};
  bool started_power = false;
  RunScope::Impl* present = nullptr;  // the run that is not over yet
};

InferencePipelineProfiler::InferencePipelineProfiler(PowerMonitor* monitor,
                                                     ProfileDatabase* database,
                                                     ProfilerOptions options)
    : impl_(std::make_unique<Impl>(monitor, database, std::move(options))) {}

InferencePipelineProfiler::InferencePipelineProfiler(Result<PowerMonitor>& monitor,
                                                     Result<ProfileDatabase>& database,
                                                     ProfilerOptions options)
    : InferencePipelineProfiler(monitor ? &*monitor : nullptr, database ? &*database : nullptr,
                                std::move(options)) {
  if (!monitor) {
    kLog.error("Failed to start power monitoring: {}", monitor.error().message);
    impl_->standing_warnings.push_back(warning_from("power", "power_failed", monitor.error()));
  }
  if (!database) {
    impl_->standing_warnings.push_back(warning_from("store", "not_saved", database.error()));
  }
}

InferencePipelineProfiler::~InferencePipelineProfiler() {
  if (!impl_->started_power) {
    return;
  }
  try {
    impl_->power->stop();
  } catch (const std::exception& error) {  // out of memory
    kLog.error("Power monitoring could not be stopped in order: {}", error.what());
  }
}

void InferencePipelineProfiler::on(Listener listener) {
  impl_->dispatcher.add(std::move(listener));
}

// ---- run ---------------------------------------------------------------------------------------

class RunScope::Impl {
 public:
  /// `forwarder` is null where this process keeps the run.
  Impl(InferencePipelineProfiler::Impl& profiler, RunRequest request,
       RunForwarder* forwarder = nullptr)
      : profiler_(profiler),
        forwarder_(forwarder),
        saver_(profiler.store == nullptr
                   ? nullptr
                   : std::make_unique<RunSaver>(
                         *profiler.store, profiler.power, profiler.options.on_trouble,
                         RunSaver::Options{.period = profiler.options.save_period,
                                           .clock = profiler.options.clock,
                                           .standstills = &standstills_})),
        meter_(profiler.options.settle_period <= Nanoseconds{0}
                   ? nullptr
                   : std::make_unique<RunMeter>(
                         profiler.power,
                         [&profiler](Event event) { profiler.dispatcher.post(std::move(event)); },
                         RunMeter::Options{.period = profiler.options.settle_period,
                                           .clock = profiler.options.clock,
                                           .depth = request.depth,
                                           .wants_operations = profiler.options.wants_operations,
                                           .standstills = &standstills_,
                                           .cpu_time = cpu_time_by(*profiler.options.clock)})),
        capacity_(forwarder != nullptr ? forwarder->capacity()
                                       : capacity_for(request, profiler.options)),
        recorder_(capacity_.spans, profiler.dispatcher.make_ring(kEventCapacity),
                  *profiler.options.clock,
                  forwarder != nullptr ? &forwarder->records().spans()
                  : saver_             ? saver_->spans()
                                       : nullptr,
                  meter_ ? meter_->spans() : nullptr,
                  forwarder != nullptr ? &forwarder->records().texts() : nullptr),
        passes_(capacity_.passes, *profiler.options.clock,
                forwarder != nullptr ? &forwarder->records().passes()
                : saver_             ? saver_->passes()
                                     : nullptr,
                meter_ ? meter_->passes() : nullptr,
                forwarder != nullptr ? &forwarder->records().pass_memory() : nullptr),
        cpu_load_(profiler.cpu, *profiler.options.clock),
        machine_({.procfs_root = profiler.options.procfs_root,
                  .sysfs_root = profiler.options.sysfs_root}) {
    run_.run_id = request.run_id.empty() ? make_run_id() : std::move(request.run_id);
    run_.started_at =
        std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
    run_.depth = request.depth;
    run_.experiment = std::move(request.experiment);
    run_.tags = std::move(request.tags);
    run_.prompt = std::move(request.prompt);
    run_.model.name = std::move(request.model_name);
    run_.totals.economics = profiler.options.economics;
    run_.warnings = profiler.standing_warnings;
    profiler.start_power(run_.warnings);
    if (profiler.store != nullptr) {
      static_cast<void>(profiler.store->save_unsaved_runs());  // while no clock runs
    }
    kLog.info("Starting profiling run {} for model {}", run_.run_id, run_.model.name);
    if (watches_machine() && !profiler.options.procfs_root.empty()) {
      machine_.start();
    }
    if (profiler.power != nullptr) {
      profiler.power->sync();
      claim_border_readers(*profiler.power);
    }
    if (forwarder_ != nullptr) {
      border_readers_ = forwarder_->border_readers();
    }
    profiler_.present = this;
    if (watches_machine()) {
      cpu_load_.start();
      standstills_.start();
    }
    recorder_.begin();
    try {
      follow();
    } catch (...) {
      let_go();
      throw;
    }
  }

  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() { let_go(); }

  const ProfiledRun& finish(RunStatus status) {
    if (recorder_.ended()) {
      return run_;
    }
    is_over();
    passes_.end();
    recorder_.end();
    run_.status = status;
    if (saver_) {
      saver_->stop();
    }
    RecordingView recording;
    PowerEvidence power;
    std::size_t facts = run_.warnings.size();
    const auto assembled = attempt([&] {
      recording = recorder_.recording();
      recording.passes = passes_.recording();
      power = evidence();
      facts = run_.warnings.size();
      if (meter_) {
        meter_->stop();
      }
      if (capture_) {
        assemble_capture(*capture_, recording.spans.front(), power, run_,
                         [this](ProfiledRun request) {
                           request.run_id = make_run_id();
                           requests_.push_back(std::move(request));
                         });
        return;
      }
      const std::size_t layer_timings = assemble_run(recording, power, run_);
      if (run_.depth != Depth::minimal) {
        kLog.debug("Captured {} layer timings during prefill", layer_timings);
      }
      if (run_.response.empty()) {
        for (const TokenFigure& token : run_.tokens) {
          run_.response += token.text;
        }
      }
    });
    if (meter_) {
      meter_->stop();
    }
    const std::size_t late = run_.warnings.size();
    if (!assembled) {
      forget_figures(assembled.error());
      requests_.clear();
    }
    if (const auto judged = attempt([&] { judge_run(run_); }); !judged) {
      kLog.error("Run {} has no verdict: {}", run_.run_id, judged.error());
    }
    add_end();
    if (saver_) {
      const Span whole{
          .begin = recorder_.begin_time(), .end = recorder_.end_time(), .level = Level::run};
      if (recording.spans.empty()) {
        recording.spans = std::span(&whole, 1);
      }
      const auto saved =
          attempt([&] { saver_->finish(recording, power, run_, std::min(facts, late), late); });
      if (!saved) {
        kLog.error("Failed to save run to database: {}", saved.error());
        run_.warnings.push_back(
            {"store", "not_saved", "The run is not saved: " + saved.error(), ""});
      }
      save_requests();
    }
    return run_;
  }

  /// After the capture itself, which they belong to.
  void save_requests() {
    std::size_t failed = 0;
    std::string why;
    for (const ProfiledRun& request : requests_) {
      if (const auto saved = profiler_.store->save_run(request); !saved) {
        ++failed;
        why = saved.error().message;
      }
    }
    if (failed > 0) {
      kLog.error("Failed to save {} of {} requests of capture {}: {}", failed, requests_.size(),
                 run_.run_id, why);
      run_.warnings.push_back(
          {"store", "requests_not_saved",
           fmt::format("{} of {} requests are not saved: {}", failed, requests_.size(), why),
           "Write the capture's requests to a file with --json."});
    }
  }

  /// The energy of two runs at once cannot be separated.
  void end_for_another() {
    kLog.error("Run {} ends: another one of the same profiler begins", run_.run_id);
    run_.warnings.push_back({"profile", "run_overlapped",
                             "Another run of the same profiler began before this one was over",
                             "Finish a run before the next one begins."});
    finish(RunStatus::failed);
  }

  void abandon() {
    if (!recorder_.ended()) {
      is_over();
      passes_.end();
      recorder_.end();
      if (meter_) {
        meter_->stop();
      }
      if (saver_) {
        saver_->abandon();
      }
      run_.status = RunStatus::failed;
      told_end_ = true;
      static_cast<void>(profiler_.dispatcher.end_run(
          run_.status, recorder_.end_time() - recorder_.begin_time(), std::nullopt));
    }
  }

  Instant at_border(Instant now) noexcept {
    Instant next = Instant::max();
    for (const auto& reader : border_readers_) {
      next = std::min(next, reader->at_border(now));
    }
    return next;
  }

  [[nodiscard]] const SharedRecords::Capacity& capacity() const { return capacity_; }
  [[nodiscard]] std::span<const std::shared_ptr<BorderReader>> border_readers() const {
    return border_readers_;
  }
  RunRecorder& recorder() { return recorder_; }
  PassRecorder& passes() { return passes_; }
  void set_capture(std::shared_ptr<const CaptureRecording> capture) {
    capture_ = std::move(capture);
  }
  [[nodiscard]] std::vector<ProfiledRun> take_requests() { return std::exchange(requests_, {}); }
  /// Whether an exception that was thrown since the run began is propagating.
  [[nodiscard]] bool unwinding() const { return std::uncaught_exceptions() > exceptions_; }

  /// The run in the making. The scope fills in facts and then calls save_facts().
  [[nodiscard]] ProfiledRun& result() { return run_; }
  void save_facts() {
    if (recorder_.ended()) {
      return;
    }
    if (saver_) {
      saver_->set_facts(run_);
    }
    if (forwarder_ != nullptr) {
      forwarder_->set_facts(run_);
    }
  }
  void add(SampledValues values) {
    if (saver_) {
      saver_->add_sampled(values);
    }
    if (forwarder_ != nullptr) {
      forwarder_->add_values(values);
    }
    enprof::add_values(run_.values, std::move(values));
  }
  [[nodiscard]] std::uint32_t add_plan(SharedPlan plan) {
    const std::uint32_t index = passes_.add_plan(plan);
    if (forwarder_ != nullptr) {
      forwarder_->add_plan(index, *plan);
    }
    if (saver_) {
      saver_->add_plan(index, plan);
    }
    if (meter_) {
      meter_->add_plan(index, std::move(plan));
    }
    return index;
  }

 private:
  [[nodiscard]] static SharedRecords::Capacity capacity_for(const RunRequest& request,
                                                            const ProfilerOptions& options) {
    const std::size_t tokens = request.max_output_tokens;
    return {.spans = {.spans = kFixedSpans + tokens * options.spans_per_token,
                      .tokens = tokens,
                      .text_bytes = tokens * kTextBytesPerToken},
            .passes = {.passes = request.depth == Depth::minimal ? 0 : tokens + kPassesBeforeDecode,
                       .operations = options.max_operations}};
  }

  /// Runs what may throw; the error says what was thrown.
  template <class Body>
  static std::expected<void, std::string> attempt(Body&& body) {
    try {
      std::forward<Body>(body)();
      return {};
    } catch (const std::exception& error) {
      return std::unexpected(std::string{error.what()});
    } catch (...) {
      return std::unexpected(std::string{"an exception of unknown type"});
    }
  }

  /// Starts everything that follows the run.
  void follow() {
    profiler_.dispatcher.begin_run(run_.run_id, recorder_);
    if (saver_) {
      saver_->begin(run_, recorder_, passes_.memory());
    }
    if (meter_) {
      meter_->begin(run_.run_id, recorder_.begin_time(), passes_.memory());
    }
    if (profiler_.power != nullptr) {
      profiler_.power->forget_before(recorder_.begin_time() - kLookBack);
    }
  }

  /// Another run on another thread may have them: then they are not ours.
  void claim_border_readers(const PowerMonitor& power) {
    for (auto& reader : power.border_readers()) {
      if (reader->claim()) {
        border_readers_.push_back(std::move(reader));
      }
    }
  }

  /// The recorders are no longer read, however the run ended.
  void is_over() noexcept {
    for (const auto& reader : std::exchange(border_readers_, {})) {
      reader->release();
    }
    if (profiler_.present == this) {
      profiler_.present = nullptr;
    }
  }

  void let_go() noexcept {
    is_over();
    if (meter_) {
      meter_->stop();
    }
    if (saver_) {
      saver_->stop();
    }
    if (!std::exchange(told_end_, true)) {
      try {
        static_cast<void>(
            profiler_.dispatcher.end_run(RunStatus::failed, Nanoseconds{0}, std::nullopt));
      } catch (...) {
        kLog.error("Listeners of run {} did not get its end", run_.run_id);
      }
    }
  }

  /// Removes the figures; facts and duration stay.
  void forget_figures(const std::string& reason) {
    kLog.error("The figures of run {} could not be worked out: {}", run_.run_id, reason);
    run_.status = RunStatus::failed;
    run_.phases.clear();
    run_.sections.clear();
    run_.tokens.clear();
    run_.layers.clear();
    run_.components.clear();
    run_.operations.clear();
    run_.operation_table = {};
    run_.power = {};
    Totals totals;
    totals.prompt_tokens = run_.totals.prompt_tokens;
    totals.economics = run_.totals.economics;
    totals.figure.duration = recorder_.end_time() - recorder_.begin_time();
    run_.totals = totals;
    run_.warnings.push_back({"profile", "figures_failed",
                             "The run's figures could not be worked out: " + reason,
                             "Please report it, with the log of the same run and -vv."});
  }

  void add_end() {
    told_end_ = true;
    EventDispatcher::Outcome outcome;
    const auto sent = attempt([&] {
      outcome = profiler_.dispatcher.end_run(run_.status, run_.totals.figure.duration,
                                             run_.totals.figure.total);
    });
    if (!sent) {
      kLog.error("Listeners of run {} did not get its end: {}", run_.run_id, sent.error());
    }
    if (outcome.left_listener_behind) {
      run_.warnings.push_back(
          {"profile", "listener_left",
           fmt::format("A listener did not come back from an event within {:g} s, and was left "
                       "behind. The run itself is whole",
                       seconds(profiler_.options.listener_patience)),
           "It waits for something, such as a terminal that was stopped with Ctrl-S."});
    }
    if (outcome.lost > 0) {
      run_.warnings.push_back({"profile", "dropped_events",
                               "Listeners were too slow: they missed " +
                                   std::to_string(outcome.lost) +
                                   " events. The run itself is whole",
                               ""});
    }
  }

  /// Whether the run's clock goes on by itself. Another one stands still at will.
  [[nodiscard]] bool is_real_time() const { return profiler_.options.clock == &monotonic_clock(); }
  /// The machine's CPU times do not follow another clock; of a forwarded run, the process that
  /// keeps it watches the machine.
  [[nodiscard]] bool watches_machine() const { return is_real_time() && forwarder_ == nullptr; }

  [[nodiscard]] PowerEvidence evidence() {
    PowerEvidence result;
    result.cpu = cpu_load_.stop();
    PowerMonitor* power = profiler_.power;
    if (power != nullptr) {
      power->sync();
      if (is_real_time()) {
        power->wait_for_windows_after(recorder_.end_time());
      }
    }
    if (auto found = machine_.stop()) {
      if (profiler_.options.programs_cpu_time) {
        // They are this process's, which only waits for the one that works.
        found->stress.cpu_wait_share.reset();
        found->stress.disk_reads.reset();
        found->stress.swapped_before.reset();
        found->stress.swapped_after.reset();
      }
      std::ranges::move(machine_warnings(found->stress, found->slept, found->speeds),
                        std::back_inserter(run_.warnings));
    }
    result.standstills = standstills_.found();
    standstills_.stop();
    leave_out_others(result.cpu, result.standstills);
    if (power == nullptr) {
      return result;
    }
    result.sources = power->sources();
    TrustedDomains trusted = power->trusted_domains(recorder_.begin_time(), recorder_.end_time());
    result.domains = std::move(trusted.domains);
    result.windows = without_standstills(power->windows(recorder_.begin_time() - kOutsideReach,
                                                        recorder_.end_time() + kOutsideReach),
                                         result.standstills);
    result.readings = power->readings(recorder_.begin_time(), recorder_.end_time());
    result.baseline = power->baseline();
    if (result.baseline) {
      fit_to_roots(*result.baseline, result.domains);
    }
    result.interval = power->interval();
    result.calibration = profiler_.options.calibration;
    std::ranges::copy(warnings_of_power(*power, begun_, result.standstills),
                      std::back_inserter(run_.warnings));
    std::ranges::move(trusted.warnings, std::back_inserter(run_.warnings));
    return result;
  }

  InferencePipelineProfiler::Impl& profiler_;
  RunForwarder* forwarder_;
  Instant begun_ =
      profiler_.options.clock->now();  // earlier warnings of the monitor do not belong to this run
  ProfiledRun run_;
  StandstillWatch standstills_;
  std::unique_ptr<RunSaver> saver_;  // null if the run is not to be saved
  std::unique_ptr<RunMeter> meter_;  // null if no figures are wanted before the end
  SharedRecords::Capacity capacity_;
  RunRecorder recorder_;
  PassRecorder passes_;
  CpuLoadRecorder cpu_load_;
  MachineWatch machine_;
  std::vector<std::shared_ptr<BorderReader>> border_readers_;  // shared with their sources
  int exceptions_ = std::uncaught_exceptions();
  bool told_end_ = false;
  std::shared_ptr<const CaptureRecording> capture_;  // what was seen of another program
  std::vector<ProfiledRun> requests_;                // in it
};

RunScope InferencePipelineProfiler::run(RunRequest request) {
  if (impl_->present != nullptr) {
    impl_->present->end_for_another();
  }
  return RunScope(std::make_unique<RunScope::Impl>(*impl_, std::move(request)));
}

RunScope RunForwarder::run(InferencePipelineProfiler& profiler, RunRequest request,
                           RunForwarder& forwarder) {
  return RunScope(
      std::make_unique<RunScope::Impl>(*profiler.impl_, std::move(request), &forwarder));
}

SharedRecords::Capacity RunIntake::capacity_for(const RunScope& run) {
  return run.impl_->capacity();
}

std::span<const std::shared_ptr<BorderReader>> RunIntake::border_readers(const RunScope& run) {
  return run.impl_->border_readers();
}

RunIntake::RunIntake(RunScope& run, SharedRecords& records)
    : feed_(records, run.impl_->recorder(), run.impl_->passes()) {}

RunScope::RunScope(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RunScope::RunScope(RunScope&& other) noexcept = default;

RunScope::~RunScope() {
  if (!impl_ || impl_->recorder().ended()) {
    return;
  }
  try {
    finish(impl_->unwinding() ? RunStatus::failed : RunStatus::completed);
  } catch (const std::exception& error) {
    kLog.error("Run {} could not be finished: {}", impl_->result().run_id, error.what());
  } catch (...) {
    kLog.error("Run {} could not be finished", impl_->result().run_id);
  }
}

const std::string& RunScope::id() const noexcept { return impl_->result().run_id; }

SectionScope RunScope::section(Phase phase, std::string_view name) noexcept {
  RunRecorder& recorder = impl_->recorder();
  return {&recorder, recorder.open_section(phase, name)};
}

TokenScope RunScope::token(Phase phase) noexcept {
  RunRecorder& recorder = impl_->recorder();
  return {&recorder, recorder.open_token(phase)};
}

void RunScope::enter(Phase phase) noexcept { impl_->recorder().enter(phase); }

Instant RunScope::at_border(Instant now) noexcept { return impl_->at_border(now); }

Depth RunScope::depth() const noexcept { return impl_->result().depth; }

std::uint32_t RunScope::add_plan(OperationPlan plan) {
  return add_plan(std::make_shared<const OperationPlan>(std::move(plan)));
}

std::uint32_t RunScope::add_plan(SharedPlan plan) { return impl_->add_plan(std::move(plan)); }

PassScope RunScope::pass(std::uint32_t plan, std::span<const BatchSequence> batch) noexcept {
  const RunRecorder& recorder = impl_->recorder();
  PassRecorder& passes = impl_->passes();
  return {&passes,
          recorder.ended() ? PassRecorder::kNone : passes.open(plan, recorder.place(), batch)};
}

void RunScope::add_pass(std::uint32_t plan, Instant begin, Instant start,
                        std::span<const Instant> ends,
                        std::span<const BatchSequence> batch) noexcept {
  if (const RunRecorder& recorder = impl_->recorder(); !recorder.ended()) {
    impl_->passes().add(plan, recorder.place(), begin, start, ends, batch);
  }
}

void RunScope::add_values(SampledValues values) { impl_->add(std::move(values)); }

void RunScope::fail_hooks(const Error& error) {
  kLog.error("Failed to register layer profiler hooks: {}", error.message);
  warn({"profile", "hooks_failed",
        "Layers and operations are not known: " + error.message + ". Tokens are", error.hint});
}

void RunScope::set_model(ModelFacts facts) {
  if (facts.name.empty()) {
    facts.name = impl_->result().model.name;
  }
  impl_->result().model = std::move(facts);
  impl_->save_facts();
}
void RunScope::set_prompt_tokens(std::size_t count) noexcept {
  impl_->result().totals.prompt_tokens = count;
  try {
    impl_->save_facts();
  } catch (const std::exception& error) {
    kLog.error("The number of prompt tokens is saved only at the end: {}", error.what());
  }
}
void RunScope::set_response(std::string text) {
  impl_->result().response = std::move(text);
  impl_->save_facts();
}
void RunScope::set_finish_reason(std::string reason) {
  impl_->result().finish_reason = std::move(reason);
  impl_->save_facts();
}
void RunScope::warn(Warning warning) {
  impl_->result().warnings.push_back(std::move(warning));
  impl_->save_facts();
}

void RunScope::set_capture(std::shared_ptr<const CaptureRecording> recording) {
  impl_->set_capture(std::move(recording));
}
std::vector<ProfiledRun> RunScope::take_requests() { return impl_->take_requests(); }
const ProfiledRun& RunScope::finish(RunStatus status) { return impl_->finish(status); }
void RunScope::abandon() { impl_->abandon(); }

// ---- scopes ------------------------------------------------------------------------------------

SectionScope::SectionScope(RunRecorder* recorder, std::int32_t span) noexcept
    : recorder_(recorder), span_(span) {}
SectionScope::SectionScope(SectionScope&& other) noexcept
    : recorder_(other.recorder_), span_(std::exchange(other.span_, Span::kNone)) {}
SectionScope::~SectionScope() { end(); }
void SectionScope::end() noexcept { recorder_->close(std::exchange(span_, Span::kNone)); }

TokenScope::TokenScope(RunRecorder* recorder, std::int32_t span) noexcept
    : recorder_(recorder), span_(span) {}
TokenScope::TokenScope(TokenScope&& other) noexcept
    : recorder_(other.recorder_), span_(std::exchange(other.span_, Span::kNone)) {}
TokenScope::~TokenScope() { end(); }
void TokenScope::end() noexcept { recorder_->close(std::exchange(span_, Span::kNone)); }
void TokenScope::set_text(std::string_view text) noexcept { recorder_->set_text(span_, text); }
void TokenScope::discard() noexcept { recorder_->discard_token(span_); }

PassScope::PassScope(PassRecorder* recorder, std::int32_t pass) noexcept
    : recorder_(recorder), pass_(pass) {}
PassScope::PassScope(PassScope&& other) noexcept
    : recorder_(other.recorder_), pass_(std::exchange(other.pass_, PassRecorder::kNone)) {}
PassScope::~PassScope() { end(); }
void PassScope::start() noexcept { recorder_->start(pass_); }
void PassScope::stamp() noexcept { recorder_->stamp(pass_); }
void PassScope::discard() noexcept { recorder_->discard(pass_); }
void PassScope::end() noexcept { recorder_->close(std::exchange(pass_, PassRecorder::kNone)); }

}  // namespace enprof
