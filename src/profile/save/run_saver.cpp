#include "profile/save/run_saver.hpp"

#include "base/log.hpp"
#include "base/shell_quote.hpp"
#include "profile/assemble/standstills.hpp"
#include "profile/save/run_facts.hpp"
#include "store/step_store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <utility>

namespace enprof {
namespace {

constexpr Logger kLog{"saver"};

/// Records that may wait for the saver: ten thousand tokens a second with three sections each, over
/// the time between two steps.
constexpr std::size_t kSpanCapacity = 1U << 16U;
constexpr std::size_t kPassCapacity = 1U << 13U;
/// How far before a step its windows may begin; a sensor may be silent for longer.
constexpr Nanoseconds kLookBack = std::chrono::seconds{30};

/// The command that imports journals.
std::string import_command(const ProfileDatabase& database) {
  return fmt::format("enprof db import --db {}", shell_quote(database.path().string()));
}

/// The hint with a period at its end, so that another sentence can follow.
std::string sentence(std::string hint) {
  if (!hint.empty() && !hint.ends_with('.')) {
    hint += '.';
  }
  return hint;
}

/// All of a run's recording in one step.
RunStepData step_of(const RecordingView& recording) {
  RunStepData whole{.step = 0,
                    .origin = recording.spans.front().begin,
                    .at = recording.spans.front().end,
                    .pass_memory = recording.passes,
                    .plans = {},
                    .dropped_spans = recording.dropped_spans,
                    .dropped_text_bytes = recording.dropped_text_bytes,
                    .cut_spans = recording.cut_spans,
                    .lost_passes = recording.passes.lost_passes,
                    .lost_sequences = recording.passes.lost_sequences};
  for (const Span& span : recording.spans) {
    whole.spans.push_back(
        {.index = static_cast<std::int32_t>(whole.spans.size()), .open = false, .span = span});
  }
  for (std::size_t index = 0; index < recording.names.size(); ++index) {
    whole.names[static_cast<std::uint16_t>(index)] = recording.names[index];
  }
  for (std::size_t token = 0; token < recording.token_texts.size(); ++token) {
    whole.texts[static_cast<std::int32_t>(token)] = recording.token_texts[token];
  }
  for (const SharedPlan& plan : recording.passes.plans) {
    whole.plans[static_cast<std::uint32_t>(whole.plans.size())] = plan;
  }
  for (const PassRecord& pass : recording.passes.passes) {
    whole.passes.push_back({.pass = pass, .index = static_cast<std::int32_t>(whole.passes.size())});
  }
  return whole;
}

}  // namespace

RunSaver::RunSaver(ProfileDatabase& database, const PowerMonitor* monitor, Listener listener,
                   Options options)
    : database_(database),
      monitor_(monitor),
      listener_(std::move(listener)),
      options_(std::move(options)),
      spans_(kSpanCapacity),
      passes_(kPassCapacity) {}

void RunSaver::begin(const ProfiledRun& run, const RunRecorder& recorder,
                     const PassRecordingView& memory) {
  recorder_ = &recorder;
  pass_memory_ = memory;
  sample_cpu();
  header_ = run;
  readings_until_ = recorder.begin_time();
  if (monitor_ != nullptr) {
    windows_until_.assign(monitor_->domains().size(), recorder.begin_time() - kOutsideReach);
  }
  set_facts(run);
  const auto started = thread_.start({.name = "enprof-saver",
                                      .purpose = "save a step of run " + run.run_id,
                                      .period = options_.period,
                                      .clock = options_.clock},
                                     [this] { save_step(); });
  if (!started) {
    kLog.error("Run {} is saved only at its end: {}", run.run_id, started.error().message);
  }
}

void RunSaver::set_facts(const ProfiledRun& run) {
  StepJson facts = facts_to_json(run);
  const std::lock_guard lock(mutex_);
  facts_ = std::move(facts);
}

void RunSaver::add_sampled(SampledValues values) {
  const std::lock_guard lock(mutex_);
  add_values(values_, std::move(values));
}

void RunSaver::add_plan(std::uint32_t index, SharedPlan plan) {
  const std::lock_guard lock(mutex_);
  plans_[index] = std::move(plan);
}

void RunSaver::stop() { thread_.stop(); }

void RunSaver::save_step() {
  const RunStepData data = collect();
  RunStep step{.step = data.step, .content = step_to_json(data)};
  if (first_line_.empty()) {
    first_line_ = step.content;
  }
  write_steps(std::move(step));
  if (pending_.empty()) {
    saved_until_.store(data.at.time_since_epoch().count(), std::memory_order_release);
  }
}

RunStepData RunSaver::collect() {
  RunStepData data{.step = next_step_++, .origin = recorder_->begin_time(), .at = {}};
  {
    const std::lock_guard lock(mutex_);
    data.facts = std::exchange(facts_, std::nullopt);
    data.values = std::exchange(values_, {});
    data.plans = std::exchange(plans_, {});
  }
  data.at = options_.clock->now();
  collect_spans(data);
  PassEntry entry;
  while (passes_.pop(entry)) {
    data.passes.push_back(entry);
  }
  data.pass_memory = pass_memory_;
  data.lost_passes = passes_.dropped();
  if (monitor_ != nullptr) {
    collect_power(data);
  }
  sample_cpu();
  data.cpu = std::exchange(cpu_samples_, {});
  return data;
}

void RunSaver::sample_cpu() {
  if (const auto times = cpu_.read()) {
    cpu_samples_.push_back({.at = options_.clock->now(), .times = *times});
  }
}

void RunSaver::collect_spans(RunStepData& data) {
  SpanRecord record;
  while (spans_.pop(record)) {
    data.spans.push_back(record);
    const Span& span = record.span;
    if (written_names_.emplace(span.name, span.name).second) {
      data.names[span.name] = recorder_->name(span.name);
    }
    if (span.level == Level::token && !record.open && span.token != Span::kNone) {
      data.texts[span.token] = recorder_->token_text(span.token);
    }
  }
  data.dropped_spans = spans_.dropped();
}

void RunSaver::collect_power(RunStepData& data) {
  if (data.step == 0) {
    data.sensors = sensors_to_json({.sources = monitor_->sources(),
                                    .domains = monitor_->domains(),
                                    .windows = {},
                                    .readings = {},
                                    .baseline = monitor_->baseline(),
                                    .interval = monitor_->interval(),
                                    .cpu = {}});
  }
  // Standstills are collected after the windows, so that they cover all of them.
  WindowsByDomain windows;
  if (!windows_until_.empty()) {
    // A slow sensor's window may begin long before the last one of a fast one.
    const Instant from = std::max(std::ranges::min(windows_until_), data.at - kLookBack);
    windows = monitor_->windows(from, data.at);
  }
  std::vector<Standstill> standstills;
  if (options_.standstills != nullptr) {
    standstills = options_.standstills->found();
    windows = without_standstills(std::move(windows), standstills);
  }
  std::vector<Warning> warnings = warnings_of_power(*monitor_, data.origin, standstills);
  if (auto warning = standstill_warning(standstills, data.origin, data.at)) {
    warnings.push_back(*std::move(warning));
  }
  if (warnings.size() + standstills.size() != written_warnings_) {
    written_warnings_ = warnings.size() + standstills.size();
    data.power_warnings = std::move(warnings);
  }
  if (windows_until_.empty()) {
    return;
  }
  for (std::size_t domain = 0; domain < windows.size(); ++domain) {
    Instant& until = windows_until_[domain];
    std::erase_if(windows[domain], [&](const EnergyWindow& window) {
      // The first window may have begun before.
      const bool is_new =
          window.begin >= until || (until == data.origin - kOutsideReach && window.end > until);
      if (is_new) {
        until = window.end;
      }
      return !is_new;
    });
  }
  data.windows = std::move(windows);
  data.readings = monitor_->readings(readings_until_, data.at);
  readings_until_ = data.at + Nanoseconds{1};
}

void RunSaver::write_steps(RunStep step) {
  pending_.push_back(std::move(step));
  const Result<void> stored = to_database();
  if (stored) {
    pending_.clear();
    return;
  }
  std::vector<std::string> lines;
  lines.reserve(pending_.size());
  for (const RunStep& waiting : pending_) {
    lines.push_back(waiting.content);
  }
  const Result<void> written = to_journal(lines);
  if (written) {
    pending_.clear();
    warn_once(
        "journal_in_use",
        fmt::format("The database cannot save run {} at the moment; the run is saved in {}: {}",
                    header_.run_id, journal_->path().string(), stored.error().message),
        {.code = stored.error().code,
         .message = {},
         .hint = sentence(stored.error().hint) +
                 " Nothing of the run is lost: enprof imports the file by itself."});
  } else {
    trim_pending();
    warn_once(
        "memory_only",
        fmt::format("Run {} can be saved neither in the database ({}) nor in a journal ({}): it is "
                    "in memory only until one of them works",
                    header_.run_id, stored.error().message, written.error().message),
        {.code = written.error().code,
         .message = {},
         .hint =
             sentence(written.error().hint) + " To save the run elsewhere, run with --json FILE."});
  }
}

Result<void> RunSaver::lock() {
  if (!lock_) {
    auto taken = RunLock::acquire(database_.path(), header_.run_id);
    if (!taken) {
      return std::unexpected(std::move(taken.error()));
    }
    lock_ = *std::move(taken);
  }
  return {};
}

Result<void> RunSaver::to_database() {
  // Without the lock another program would treat the run as abandoned.
  if (auto locked = lock(); !locked) {
    return locked;
  }
  if (!begun_) {
    if (auto entered = StepStore(database_).begin_run(header_, options_.patience); !entered) {
      return entered;
    }
    begun_ = true;
  }
  auto appended = StepStore(database_).append_steps(header_.run_id, pending_, options_.patience);
  if (!appended && appended.error().code == ErrorCode::not_found) {
    begun_ = false;  // the run was deleted or the file replaced: the next step enters it again
  }
  return appended;
}

Result<void> RunSaver::to_journal(const std::vector<std::string>& lines) {
  if (!journal_) {
    auto opened = RunJournal::open(database_.path(), header_.run_id);
    if (!opened) {
      return std::unexpected(std::move(opened.error()));
    }
    journal_ = *std::move(opened);
    is_journal_empty_ = true;
  }
  Result<void> written;
  if (is_journal_empty_ && (lines.empty() || lines.front() != first_line_)) {
    written = journal_->append(std::span(&first_line_, 1));
    is_journal_empty_ = !written;
  }
  if (written) {
    written = journal_->append(lines);
  }
  if (written) {
    is_journal_empty_ = false;
  } else if (is_journal_empty_) {
    drop_journal();  // without its first line it does not identify its run
  }
  return written;
}

void RunSaver::drop_journal() {
  if (const auto removed = remove_journal(journal_->path()); !removed) {
    kLog.warning("{}", removed.error().message);
  }
  journal_.reset();
}

void RunSaver::trim_pending() {
  std::size_t bytes = 0;
  for (const RunStep& step : pending_) {
    bytes += step.content.size();
  }
  // The run's first step identifies the run, so it is kept.
  const std::size_t kept = pending_.front().step == 0 ? 1 : 0;
  while (bytes > options_.most_pending_bytes && pending_.size() > kept + 1) {
    const auto oldest = pending_.begin() + static_cast<std::ptrdiff_t>(kept);
    bytes -= oldest->content.size();
    pending_.erase(oldest);
  }
}

void RunSaver::warn_once(std::string code, std::string message, const Error& error) {
  if (!warned_.emplace(code, true).second) {
    return;
  }
  kLog.error("{}", message);
  if (listener_) {
    try {
      listener_({"store", std::move(code), std::move(message), error.hint});
    } catch (const std::exception& thrown) {
      kLog.error("A listener failed on a warning: {}", thrown.what());
    } catch (...) {
      kLog.error("A listener failed on a warning with an exception of unknown type");
    }
  }
}

void RunSaver::finish(const RecordingView& recording, const PowerEvidence& power, ProfiledRun& run,
                      std::size_t facts, std::size_t late) {
  stop();
  if (const auto saved = database_.save_run(run); !saved) {
    ProfiledRun before = run;
    before.warnings.resize(facts);
    RunStepData whole = step_of(recording);
    whole.windows = power.windows;
    whole.readings = power.readings;
    whole.cpu = power.cpu;
    whole.facts = facts_to_json(before);
    whole.values = run.values;
    whole.sensors = sensors_to_json(power);
    whole.complete = true;
    whole.warnings.assign(run.warnings.begin() + static_cast<std::ptrdiff_t>(late),
                          run.warnings.end());
    keep_in_memory(run, to_journal_whole(saved.error(), whole, run));
  } else if (journal_) {
    kLog.info("Run {} is in the database: its journal is removed", run.run_id);
    drop_journal();
  }
  journal_.reset();
  lock_.reset();
}

void RunSaver::keep_in_memory(const ProfiledRun& run, std::filesystem::path journal) {
  std::unique_ptr<RunLock> kept_lock;
  // Any program may import a journal beside the database. In all other cases the lock is kept, so
  // that no program treats the run's steps in the database as abandoned.
  if (journal != journal_path(database_.path(), run.run_id)) {
    if (const auto locked = lock(); !locked) {
      kLog.debug("{}", locked.error().message);
    }
    if (lock_) {
      kept_lock = std::make_unique<RunLock>(*std::move(lock_));
      lock_.reset();
    }
  }
  if (StepStore(database_).keep_run(run, std::move(kept_lock), std::move(journal))) {
    kLog.warning("Run {} is kept in memory until the database can save it", run.run_id);
  }
}

std::filesystem::path RunSaver::to_journal_whole(const Error& refusal, const RunStepData& whole,
                                                 ProfiledRun& run) {
  const std::string line = step_to_json(whole);
  const bool has_steps = journal_.has_value();
  Result<void> written;
  if (!journal_) {
    if (auto opened = RunJournal::open(database_.path(), run.run_id)) {
      journal_ = *std::move(opened);
    } else {
      written = std::unexpected(std::move(opened.error()));
    }
  }
  if (journal_) {
    written = journal_->replace(std::span(&line, 1));
  }
  if (!written && has_steps) {  // a reader uses the line of the whole run instead of the others
    written = journal_->append(std::span(&line, 1));
  }
  if (written) {
    run.warnings.push_back(
        {"store", "journaled",
         fmt::format("The run is not in the database yet, but in {}: {}", journal_->path().string(),
                     refusal.message),
         refusal.code == ErrorCode::corrupt
             ? fmt::format("{} Nothing of the run is lost: import it into that "
                           "file with: enprof db import --db FILE {}",
                           sentence(refusal.hint), shell_quote(journal_->path().string()))
             : fmt::format("{} Nothing of the run is lost: enprof imports the "
                           "run when it starts next, or at once with: {}",
                           sentence(refusal.hint), import_command(database_))});
    kLog.warning("Run {} is in {}", run.run_id, journal_->path().string());
    return journal_->path();
  }
  if (journal_ && !has_steps) {  // an empty one
    drop_journal();
  }
  if (const auto place = to_file_elsewhere(line, run.run_id)) {
    run.warnings.push_back({"store", "saved_elsewhere",
                            fmt::format("The run is not in the database, but in {}: {}",
                                        place->string(), refusal.message),
                            fmt::format("{} Nothing of the run is lost: as soon as the database "
                                        "can be written, import the run with: {} {}",
                                        sentence(refusal.hint), import_command(database_),
                                        shell_quote(place->string()))});
    kLog.warning("Run {} is in {}", run.run_id, place->string());
    return *place;
  }
  // The steps saved so far stay; one more step may fit where a second copy of the run does not.
  save_step();
  run.warnings.push_back(
      {"store", "not_saved",
       fmt::format("The run is not saved: {}. Nor can a journal be written: {}", refusal.message,
                   written.error().message),
       fmt::format("{} While this program runs, it keeps the run in memory and retries.",
                   sentence(refusal.hint))});
  kLog.error("Run {} is in memory only: {}", run.run_id, written.error().message);
  return {};
}

std::optional<std::filesystem::path> RunSaver::to_file_elsewhere(const std::string& line,
                                                                 const std::string& run_id) {
  auto file = RunJournal::create_in(options_.elsewhere, run_id);
  if (!file) {
    kLog.debug("{}", file.error().message);
    return std::nullopt;
  }
  if (const auto written = file->append(std::span(&line, 1)); !written) {
    kLog.debug("{}", written.error().message);
    static_cast<void>(remove_journal(file->path()));
    return std::nullopt;
  }
  return file->path();
}

void RunSaver::abandon() {
  stop();
  lock_.reset();  // a locked run cannot be deleted
  if (begun_) {
    if (const auto deleted = database_.delete_run(header_.run_id); !deleted) {
      kLog.warning("{}", deleted.error().message);
    }
  }
  if (journal_) {
    drop_journal();
  }
}

}  // namespace enprof
