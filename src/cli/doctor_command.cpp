#include "cli/doctor_command.hpp"

#include "enprof/base/clock.hpp"
#include "enprof/base/version.hpp"

#include "base/counted.hpp"
#include "base/json_text.hpp"
#include "base/printable.hpp"
#include "cli/console.hpp"
#include "cli/machine_diagnosis.hpp"
#include "cli/output_file.hpp"
#include "engines/llama/llama_backends.hpp"
#include "report/format.hpp"
#include "store/database_glance.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <string_view>
#include <thread>
#include <unistd.h>
#include <utility>

namespace enprof {
namespace {

using State = DiagnosisState;

Diagnosis from_error(std::string what, const Error& error) {
  return {.what = std::move(what), .state = State::bad, .detail = error.message, .fix = error.hint};
}

Diagnosis diagnose_source(const SourceStatus& source) {
  Diagnosis result{.what = source.name,
                   .state = source.works ? State::good : State::bad,
                   .detail = source.detail,
                   .fix = source.fix};
  for (const Warning& warning : source.warnings) {
    result.state = State::limited;
    result.detail += fmt::format(". {}", warning.message);
    if (result.fix.empty()) {
      result.fix = warning.hint;
    }
  }
  return result;
}

Diagnosis diagnose_engine() {
  const std::string features = llama_cpu_features();
  return {.what = "llama.cpp",
          .state = State::good,
          .detail = fmt::format("{}; {} logical CPUs{}", describe_llama(),
                                std::thread::hardware_concurrency(),
                                features.empty() ? "" : "; built for " + features),
          .fix = ""};
}

Diagnosis diagnose_vocabulary() {
  const auto directory = vocabulary_directory();
  if (!directory) {
    return from_error("model synth", directory.error());
  }
  return {.what = "model synth",
          .state = State::good,
          .detail = fmt::format("vocabularies at {}", directory->string()),
          .fix = ""};
}

std::string_view state_name(State state) {
  switch (state) {
    case State::good:
      return "ok";
    case State::limited:
      return "limited";
    case State::bad:
      return "no";
  }
  return "no";
}

/// The sign at the beginning of a line: two columns wide, and distinguishable without colours.
std::string sign(const Terminal& terminal, State state) {
  switch (state) {
    case State::good:
      return styled(terminal, Style::good, "ok");
    case State::limited:
      return styled(terminal, Style::warning, "! ");
    case State::bad:
      break;
  }
  return styled(terminal, Style::bad, "no");
}

/// The fix below its detail. Lines to be copied are never wrapped.
std::string fix_text(const Terminal& terminal, std::string_view fix, std::size_t indent) {
  std::string result;
  for (bool first = true; !fix.empty(); first = false) {
    const std::string_view raw = fix.substr(0, fix.find('\n'));
    fix.remove_prefix(std::min(fix.size(), raw.size() + 1));
    const std::string line = printable(raw);
    result += std::string(indent, ' ') + (first ? "→ " : "  ");
    result += line.starts_with("  ") ? styled(terminal, Style::bold, line.substr(2))
                                     : wrap(line, terminal.width, indent + 2);
    result += "\n";
  }
  return result;
}

}  // namespace

void DoctorCommand::declare(CLI::App& program) {
  app_ = program.add_subcommand(
      "doctor", "Report what works on this machine, what does not, and what would fix it");
  app_->footer(
      "Exit codes: 0 whatever was found, 1 the output cannot be written, 2 usage, 3 under --strict "
      "if energy cannot be measured (an estimate does not count) or runs cannot be saved.\n"
      "Examples:\n"
      "  enprof doctor                                   what works, and what would fix the rest\n"
      "  enprof doctor --json | jq '.[].fix // empty'    only the fixes\n");
  database_.declare(*app_);
  app_->add_flag("--json", json_, "Print JSON");
  app_->add_flag("--strict", strict_,
                 "Exit with 3 if energy cannot be measured or runs cannot be saved");
}

Diagnosis DoctorCommand::diagnose_database() const {
  const auto path = database_.path();
  if (!path) {
    return from_error("database", path.error());
  }
  std::error_code failed;
  if (std::filesystem::exists(*path, failed)) {
    return diagnose_existing_database(*path);
  }
  // doctor must not create it, so the nearest existing directory decides.
  const auto parent = nearest_existing(*path);
  const bool works =
      std::filesystem::is_directory(parent, failed) && access(parent.c_str(), W_OK) == 0;
  return {.what = "database",
          .state = works ? State::good : State::bad,
          .detail = works ? fmt::format("{} will be created", path->string())
                          : fmt::format("{} cannot be created: {} is not writable", path->string(),
                                        parent.string()),
          .fix = works ? "" : "Name another file with --db PATH."};
}

Diagnosis DoctorCommand::diagnose_existing_database(const std::filesystem::path& path) const {
  const auto glance = glance_at(path);
  if (!glance) {
    return from_error("database", glance.error());
  }
  Diagnosis result{.what = "database",
                   .state = State::good,
                   .detail = fmt::format("{}, {}, schema {}", path.string(),
                                         counted(glance->runs, "run"), glance->schema_version),
                   .fix = ""};
  if (glance->schema_version < ProfileDatabase::kSchemaVersion) {
    result.detail += fmt::format(", which will be migrated to {} when it is next opened",
                                 ProfileDatabase::kSchemaVersion);
  }
  // SQLite writes its log beside the file.
  for (const auto& place : {path, std::filesystem::absolute(path).parent_path()}) {
    if (access(place.c_str(), W_OK) != 0) {
      result.state = State::bad;
      result.detail += fmt::format("; {} is not writable: runs cannot be saved", place.string());
      result.fix = fmt::format("sudo chown \"$USER\" '{}', or name another file with --db PATH",
                               place.string());
      break;
    }
  }
  return result;
}

std::string DoctorCommand::text(const std::vector<Group>& groups, const std::string& verdict) {
  const Terminal terminal = stdout_terminal();
  std::size_t width = 0;
  for (const Group& group : groups) {
    for (const Diagnosis& diagnosis : group.diagnoses) {
      width = std::max(width, diagnosis.what.size());
    }
  }
  const std::size_t indent = width + 6;  // the margin, the sign, and two gaps
  std::string result;
  for (const Group& group : groups) {
    result += styled(terminal, Style::bold, group.title) + "\n";
    for (const Diagnosis& diagnosis : group.diagnoses) {
      result += fmt::format("{}  {}{}  {}\n", sign(terminal, diagnosis.state), diagnosis.what,
                            std::string(width - diagnosis.what.size(), ' '),
                            wrap(printable(diagnosis.detail), terminal.width, indent));
      result += fix_text(terminal, diagnosis.fix, indent);
    }
    result += "\n";
  }
  return result + wrap(verdict, terminal.width, 0) + "\n";
}

std::string DoctorCommand::json(const std::vector<Group>& groups) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Group& group : groups) {
    for (const Diagnosis& diagnosis : group.diagnoses) {
      // Mark sources: one may have the same name as another finding.
      const bool is_source = &group == &groups.front();
      list.push_back({{"what", (is_source ? "power: " : "") + diagnosis.what},
                      {"works", diagnosis.works()},
                      {"state", state_name(diagnosis.state)},
                      {"detail", diagnosis.detail},
                      {"fix", diagnosis.fix.empty() ? nlohmann::ordered_json(nullptr)
                                                    : nlohmann::ordered_json(diagnosis.fix)}});
    }
  }
  return indented(list) + "\n";
}

int DoctorCommand::run() {
  const PowerEnvironment environment = power_environment();
  std::vector<Group> groups(3);
  groups[0].title = "Power sources";
  std::vector<std::string> measuring;
  for (const SourceStatus& source : PowerMonitor::survey(environment)) {
    groups[0].diagnoses.push_back(diagnose_source(source));
    if (source.works && source.name != "estimate") {
      measuring.push_back(source.name);
    }
  }
  groups[1] = {
      .title = "This machine",
      .diagnoses = {
          diagnose_virtualization(environment.sysfs_root, environment.procfs_root),
          diagnose_governor(environment.sysfs_root),
          diagnose_perf_events(environment.sysfs_root, environment.procfs_root, geteuid() == 0),
          diagnose_clock(environment.sysfs_root, *environment.clock),
      }};
  groups[2] = {.title = fmt::format("enprof {}", library_version()),
               .diagnoses = {diagnose_engine(), diagnose_vocabulary(), diagnose_database()}};
  if (const auto path = database_.path()) {
    groups[2].diagnoses.push_back(diagnose_disk(*path));
  }

  const std::string verdict =
      measuring.empty()
          ? "No power sensor can be read here: energies will be estimated, and labelled so."
          : fmt::format("Energy can be measured here: {}.", fmt::join(measuring, ", "));
  if (const auto written = write_output("-", json_ ? json(groups) : text(groups, verdict));
      !written) {
    print_error(written.error());
    return exit_failed;
  }
  const auto is_bad = [](const Diagnosis& diagnosis) {
    return !diagnosis.works() && (diagnosis.what == "database" || diagnosis.what == "disk space");
  };
  const bool lacks = measuring.empty() || std::ranges::any_of(groups[2].diagnoses, is_bad);
  return strict_ && lacks ? exit_degraded : exit_done;
}

}  // namespace enprof
