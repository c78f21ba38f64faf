#include "cli/doctor_command.hpp"

#include "enprof/base/clock.hpp"

#include "cli/console.hpp"
#include "cli/output_file.hpp"
#include "engines/llama/llama_backends.hpp"
#include "report/format.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <thread>
#include <unistd.h>

namespace enprof {
namespace {

/// How far the clock's readings lie apart: spans cannot be finer.
Diagnosis diagnose_clock() {
  constexpr int kReadings = 1000;
  const Clock& clock = monotonic_clock();
  const Instant begin = clock.now();
  for (int reading = 0; reading < kReadings; ++reading) {
    static_cast<void>(clock.now());
  }
  const Nanoseconds cost = (clock.now() - begin) / kReadings;
  // More than a microsecond a reading means that each is a system call.
  const bool fast = cost < std::chrono::microseconds{1};
  return {.what = "clock",
          .works = true,
          .detail = fmt::format("monotonic, {} a reading", format_duration(cost)),
          .fix = fast ? ""
                      : "A slow clock source: see "
                        "/sys/devices/system/clocksource/clocksource0/available_clocksource"};
}

Diagnosis diagnose_engine() {
  return {.what = "llama.cpp",
          .works = true,
          .detail = fmt::format("{}; {} logical CPUs", describe_llama(),
                                std::thread::hardware_concurrency()),
          .fix = ""};
}

Diagnosis diagnose_vocabulary() {
  const auto directory = vocabulary_directory();
  if (!directory) {
    return {.what = "model synth",
            .works = false,
            .detail = directory.error().message,
            .fix = directory.error().hint};
  }
  return {.what = "model synth",
          .works = true,
          .detail = fmt::format("vocabularies at {}", directory->string()),
          .fix = ""};
}

int finish(const std::string& text) {
  if (const auto written = write_output("-", text); !written) {
    print_error(written.error());
    return exit_failed;
  }
  return exit_done;
}

}  // namespace

void DoctorCommand::declare(CLI::App& program) {
  app_ = program.add_subcommand("doctor",
                                "What works on this machine, what does not, and what would fix it");
  database_.declare(*app_);
  app_->add_flag("--json", json_, "Print JSON");
}

Diagnosis DoctorCommand::diagnose_database() const {
  Diagnosis result{.what = "database"};
  const auto path = database_.path();
  if (!path) {
    result.detail = path.error().message;
    result.fix = path.error().hint;
    return result;
  }
  std::error_code failed;
  if (!std::filesystem::exists(*path, failed)) {
    // Looking must not create it: the nearest directory that exists decides.
    auto parent = std::filesystem::absolute(*path, failed).parent_path();
    while (!parent.empty() && !std::filesystem::exists(parent, failed) &&
           parent != parent.parent_path()) {
      parent = parent.parent_path();
    }
    result.works =
        std::filesystem::is_directory(parent, failed) && access(parent.c_str(), W_OK) == 0;
    result.detail = result.works ? fmt::format("{} will be created", path->string())
                                 : fmt::format("{} cannot be created: {} is not writable",
                                               path->string(), parent.string());
    result.fix = result.works ? "" : "Name another file with --db PATH.";
    return result;
  }
  auto database = ProfileDatabase::connect(*path);
  if (!database) {
    result.detail = database.error().message;
    result.fix = database.error().hint;
    return result;
  }
  const auto list = database->list_runs({.limit = 1});
  result.works = list.has_value();
  result.detail =
      list ? fmt::format("{}, {} runs", path->string(), list->total) : list.error().message;
  result.fix = list ? "" : list.error().hint;
  return result;
}

int DoctorCommand::run() {
  std::vector<Diagnosis> diagnoses;
  bool measured = false;
  for (const SourceStatus& source : PowerMonitor::survey(power_environment())) {
    diagnoses.push_back({.what = "power: " + source.name,
                         .works = source.works,
                         .detail = source.detail,
                         .fix = source.fix});
    measured = measured || (source.works && source.name != "estimate");
  }
  diagnoses.push_back(diagnose_database());
  diagnoses.push_back(diagnose_engine());
  diagnoses.push_back(diagnose_vocabulary());
  diagnoses.push_back(diagnose_clock());

  if (json_) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const Diagnosis& diagnosis : diagnoses) {
      list.push_back({{"what", diagnosis.what},
                      {"works", diagnosis.works},
                      {"detail", diagnosis.detail},
                      {"fix", diagnosis.fix.empty() ? nlohmann::ordered_json(nullptr)
                                                    : nlohmann::ordered_json(diagnosis.fix)}});
    }
    return finish(list.dump(2) + "\n");
  }

  const Terminal terminal = stdout_terminal();
  std::size_t width = 0;
  for (const Diagnosis& diagnosis : diagnoses) {
    width = std::max(width, diagnosis.what.size());
  }
  std::string text;
  for (const Diagnosis& diagnosis : diagnoses) {
    const std::size_t indent = width + 6;  // "ok" and two gaps
    text += fmt::format(
        "{}  {}{}  {}\n",
        diagnosis.works ? styled(terminal, Style::good, "ok") : styled(terminal, Style::bad, "no"),
        diagnosis.what, std::string(width - diagnosis.what.size(), ' '),
        wrap(diagnosis.detail, terminal.width, indent));
    if (!diagnosis.fix.empty()) {
      text += fmt::format("{}→ {}\n", std::string(indent, ' '),
                          wrap(diagnosis.fix, terminal.width, indent + 2));
    }
  }
  text += measured ? "\nEnergy can be measured here.\n"
                   : "\nNo power sensor can be read here: energies will be estimates, and are "
                     "labelled so.\n";
  return finish(text);
}

}  // namespace enprof
