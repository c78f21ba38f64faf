#include "cli/calibrate_command.hpp"

#include "base/printable.hpp"
#include "cli/calibration.hpp"
#include "cli/console.hpp"
#include "cli/interrupt.hpp"
#include "cli/model_file.hpp"
#include "cli/option_values.hpp"
#include "cli/output_file.hpp"
#include "engines/registry/engine_registry.hpp"
#include "session/model_keeper.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <utility>

namespace enprof {

void CalibrateCommand::declare(CLI::App& program) {
  app_ = program.add_subcommand(
      "calibrate", "Measure the power of a model's components, each alone, for the runs after it");
  app_->add_option("MODEL", model_word_, "Model file (GGUF), or a part of its name, as for run");
  app_->add_option("-m,--model", model_, "The same as MODEL")
      ->type_name("FILE|NAME")
      ->check(not_empty());
  app_->add_option("--threads", threads_, "CPU threads, as for the runs; 0: one per available CPU")
      ->type_name("N")
      ->transform(whole_number(0, 512))
      ->capture_default_str();
  engine_settings_.declare(*app_, "Options");
  app_->add_option("--power", power_, "Power source: " + PowerMonitor::source_names())
      ->type_name("SOURCE")
      ->capture_default_str();
  power_interval_.declare(*app_);
  app_->add_option("--seconds", seconds_,
                   "Time for all components together; without it 45, or less where preparing them "
                   "takes long: a minute in all. Small components are left out if it is too short")
      ->type_name("S")
      ->transform(number(0.1, 3600.0));
  app_->add_flag("--baseline-force", force_, "Calibrate even if the machine is not idle");
  app_->footer(
      "A calibration is kept by model, CPU, threads and sensors in "
      "$XDG_DATA_HOME/enprof/calibration, "
      "and enprof run uses the one that fits.\n"
      "Example:\n"
      "  enprof calibrate model.gguf && enprof run model.gguf \"Hello\"\n");
}

Result<void> CalibrateCommand::assign_words() {
  if (!model_.empty() && !model_word_.empty()) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("The model is named twice: {} and {}", model_, model_word_),
                "Leave one of them out.");
  }
  if (model_.empty()) {
    model_ = std::exchange(model_word_, {});
  }
  if (model_.empty()) {
    return fail(ErrorCode::invalid_argument, "No model is named: MODEL or --model is missing",
                "For example: enprof calibrate model.gguf");
  }
  return {};
}

int CalibrateCommand::run() {
  const auto wrong = [](const Error& error) {
    print_error(error);
    return error.code == ErrorCode::invalid_argument ? exit_usage : exit_failed;
  };
  if (const auto words = assign_words(); !words) {
    return wrong(words.error());
  }
  const auto model = find_model(model_, usual_model_places());
  if (!model) {
    return wrong(model.error());
  }
  if (*model != model_) {
    model_ = model->string();
    print_note("model: " + model_);
  }
  const auto folder = calibration_folder();
  if (!folder) {
    return wrong(folder.error());
  }
  const Interrupt interrupt;
  auto power = PowerMonitor::open(power_, power_environment());
  if (!power) {
    return wrong(power.error());
  }
  ModelKeeper models(
      {.threads = threads_, .settings = engine_settings_.values(), .engine_for = engine_for});
  Result<ModelKeeper::Ready> ready;
  {
    StatusLine status;
    ready = models.make_ready(model_, interrupt.token(), [&](double share) {
      status.show_progress("Loading " + std::filesystem::path{model_}.filename().string(), share);
    });
  }
  const auto cancelled = [&] {
    print_note("cancelled; nothing was kept");
    return interrupt.exit_code();
  };
  if (interrupt.requested()) {
    return cancelled();
  }
  if (!ready) {
    return wrong(ready.error());
  }
  if (const auto started = power->start(power_interval_.interval()); !started) {
    return wrong(started.error());
  }
  const auto made =
      calibrate_and_keep(*ready->model, *power,
                         {.threads = threads_,
                          .budget = budget_of(seconds_),
                          .busy = force_ ? BusyMachine::measure : BusyMachine::refuse},
                         *folder, interrupt.token());
  power->stop();
  if (interrupt.requested()) {
    return cancelled();
  }
  if (!made) {
    return wrong(made.error());
  }
  const auto written =
      write_output("-", calibration_report(*made, stdout_terminal()) +
                            fmt::format("Kept in {}\n", printable(folder->path().string())));
  if (!written) {
    print_error(written.error());
    return exit_failed;
  }
  return exit_done;
}

}  // namespace enprof
