#include "session/run_session.hpp"

#include "base/last_words.hpp"
#include "base/log.hpp"
#include "profile/run_id.hpp"
#include "profile/save/run_attempt.hpp"

#include <fmt/format.h>

#include <exception>
#include <filesystem>
#include <utility>

namespace enprof {
namespace {

constexpr Logger kLog{"session"};
constexpr const char* kFailed = "error";          // as a finish reason
constexpr const char* kRunFailed = "run_failed";  // as a warning

RunRequest request_of(const RunTask& task, std::size_t most_output_tokens) {
  return {.run_id = task.run_id,
          .prompt = task.generate.prompt,
          .model_name = std::filesystem::path{task.model}.filename().string(),
          .tags = task.tags,
          .experiment = task.experiment,
          .depth = task.depth,
          .max_output_tokens = most_output_tokens};
}

/// Marks an attempt, so that if the model ends the program, the next program can name it. Empty if
/// runs are not saved.
std::optional<RunAttempt> begin_attempt(const ProfileDatabase* store, const RunTask& task) {
  if (store == nullptr) {
    return std::nullopt;
  }
  auto attempt = RunAttempt::begin(store->path(), request_of(task, 0));
  if (!attempt) {  // such as on a full disk, which the run reports if it lasts
    kLog.warning("{}", attempt.error().message);
    return std::nullopt;
  }
  return *std::move(attempt);
}

/// Whether the engine refused the request, rather than failing at the work.
bool is_refusal(const Error& error) {
  return error.code == ErrorCode::invalid_argument || error.code == ErrorCode::too_large ||
         error.code == ErrorCode::unsupported;
}

}  // namespace

/// The scope of a run refers to its profiler.
struct RunSession::Running {
  Running(PowerMonitor* power, ProfileDatabase* store, ProfilerOptions options)
      : profiler(power, store, std::move(options)) {}

  InferencePipelineProfiler profiler;
  std::optional<RunScope> scope;
};

RunSession::RunSession(Options options) : options_(std::move(options)) {
  if (options_.observer == nullptr) {
    options_.observer = &silent_;
  }
}

RunSession::~RunSession() = default;

RunOutcome RunSession::perform(RunTask task, const std::stop_token& stop) {
  running_.reset();
  const bool is_known = !task.run_id.empty();
  try {
    if (!is_known) {
      task.run_id = make_run_id();
    }
    return profile(task, is_known, stop);
  } catch (const std::exception& thrown) {
    const Error error{.code = ErrorCode::internal,
                      .message = fmt::format("Run {} ended: {}", task.run_id, thrown.what()),
                      .hint = "See the log: -v."};
    return running_ && running_->scope ? end_begun(error)
                                       : end_before(task, is_known, error, kRunFailed);
  }
}

RunOutcome RunSession::end_begun(const Error& error) {
  kLog.error("{}", error.message);
  RunScope& run = *running_->scope;
  run.set_finish_reason(kFailed);
  run.warn(
      {.component = "engine", .code = kRunFailed, .message = error.message, .hint = error.hint});
  return {.run = &run.finish(RunStatus::failed), .has_begun = true, .error = error};
}

RunOutcome RunSession::profile(const RunTask& task, bool is_known, const std::stop_token& stop) {
  std::optional<RunAttempt> attempt;
  std::optional<CrashContext> undertaking;
  const auto record_attempt = [&] {
    attempt = begin_attempt(options_.store, task);
    undertaking.reset();
    undertaking.emplace(task.model, attempt ? task.run_id : "",
                        attempt ? attempt->descriptor() : -1);
  };
  if (is_known) {
    record_attempt();
  } else {
    undertaking.emplace(task.model, "", -1);
  }
  if (options_.power != nullptr) {
    if (const auto ready = options_.power->get_ready(); !ready) {
      return end_before(task, is_known, ready.error(), "power_failed");
    }
  }
  const auto model = options_.models->make_ready(
      task.model, stop, [&](double share) { options_.observer->on_loading(task, share); });
  options_.observer->on_load_end(task, model ? Result<void>{} : std::unexpected(model.error()));
  if (!model && !stop.stop_requested()) {
    return end_before(task, is_known, model.error(), "model_not_loaded");
  }
  SessionPower::ForRun power;
  if (model && options_.power != nullptr) {
    power = options_.power->measure_idle(model->is_new, stop);
  }
  std::shared_ptr<const Calibration> calibration;
  if (options_.calibration && model && power.monitor != nullptr && task.depth != Depth::minimal &&
      !stop.stop_requested()) {
    calibration = options_.calibration(*model->model, task, *power.monitor, stop);
  }
  if (stop.stop_requested()) {
    return is_known ? cancel_before(task) : RunOutcome{};
  }

  if (!is_known) {
    record_attempt();  // from here on there is a run
  }
  ProfilerOptions options = options_.profiler;
  options.calibration = std::move(calibration);
  options.on_trouble = [this, task](const Warning& warning) {
    options_.observer->on_trouble(task, warning);
  };
  running_ = std::make_unique<Running>(power.monitor, options_.store, std::move(options));
  const std::size_t most_output = model->model->most_output_tokens(task.generate);
  options_.observer->on_begin(task, most_output, running_->profiler, power.monitor);
  RunScope& run = running_->scope.emplace(running_->profiler.run(request_of(task, most_output)));
  for (const Warning& warning : power.warnings) {
    run.warn(warning);
  }
  GenerateOptions generate = task.generate;
  generate.stop = stop;
  const auto generated = model->model->generate(run, generate);
  if (!generated && is_refusal(generated.error()) && !is_known && !stop.stop_requested()) {
    run.abandon();  // nothing was inferred: there is no run to save
    running_.reset();
    return {.run = nullptr, .has_begun = false, .error = generated.error()};
  }

  RunOutcome outcome{.run = nullptr, .has_begun = true, .error = std::nullopt};
  RunStatus status = RunStatus::completed;
  if (stop.stop_requested()) {
    status = RunStatus::cancelled;
  } else if (!generated) {
    status = RunStatus::failed;
    outcome.error = generated.error();
    kLog.error("Run {} failed: {}", task.run_id, generated.error().message);
    run.set_finish_reason(kFailed);
    run.warn({.component = "engine",
              .code = "generation_failed",
              .message = generated.error().message,
              .hint = generated.error().hint});
  }
  outcome.run = &run.finish(status);
  return outcome;
}

RunOutcome RunSession::cancel_before(const RunTask& task, const std::optional<Warning>& reason) {
  keep(task, RunStatus::cancelled, "cancelled", reason);
  return {.run = running_ && running_->scope ? &running_->scope->finish() : nullptr,
          .has_begun = false,
          .error = std::nullopt};
}

RunOutcome RunSession::end_before(const RunTask& task, bool is_known, const Error& error,
                                  const std::string& code) {
  kLog.error("Run {} failed: {}", task.run_id, error.message);
  if (is_known) {
    keep(task, RunStatus::failed, kFailed,
         Warning{.component = code == "power_failed" ? "power" : "engine",
                 .code = code,
                 .message = error.message,
                 .hint = error.hint});
  }
  return {.run = is_known && running_ && running_->scope ? &running_->scope->finish() : nullptr,
          .has_begun = false,
          .error = error};
}

void RunSession::keep(const RunTask& task, RunStatus status, const std::string& finish_reason,
                      const std::optional<Warning>& warning) {
  try {
    running_.reset();
    if (options_.store != nullptr) {
      if (const auto there = options_.store->summary(task.run_id); there && *there) {
        return;  // it had begun, and was saved when its scope ended
      }
    }
    running_ = std::make_unique<Running>(
        nullptr, options_.store,
        // Nothing runs that the machine could disturb.
        ProfilerOptions{.clock = options_.profiler.clock, .procfs_root = {}});
    RunScope& run = running_->scope.emplace(running_->profiler.run(request_of(task, 1)));
    run.set_finish_reason(finish_reason);
    if (warning) {
      run.warn(*warning);
    }
    static_cast<void>(run.finish(status));
  } catch (const std::exception& error) {
    // The caller reports the end to those who wait for the run.
    kLog.error("Run {} could not be kept: {}", task.run_id, error.what());
    running_.reset();
  }
}

}  // namespace enprof
