#include "cli/calibration.hpp"

#include "enprof/store/profile_database.hpp"

#include "base/counted.hpp"
#include "cli/console.hpp"
#include "report/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

namespace enprof {
namespace {

constexpr std::size_t kMostLines = 12;  // of a phase

std::string format_deviation(double deviation) {
  return fmt::format("{:.1f} %", 100.0 * deviation);
}

/// The time that an operation took alone, over that in a pass.
std::string format_speed(const CalibratedClass& one) {
  if (one.replayed_time <= Nanoseconds{0} || one.pass_time <= Nanoseconds{0}) {
    return "-";
  }
  return fmt::format("{:.2f}", seconds(one.replayed_time) / seconds(one.pass_time));
}

}  // namespace

Result<CalibrationFolder> calibration_folder() {
  const auto database = ProfileDatabase::default_path();
  if (!database) {
    return std::unexpected(database.error());
  }
  return CalibrationFolder(database->parent_path() / "calibration");
}

Result<Calibration> calibrate_and_keep(LoadedModel& model, PowerMonitor& power,
                                       CalibrationOptions options, const CalibrationFolder& folder,
                                       const std::stop_token& stop) {
  StatusLine status;
  status.show("Preparing the calibration");
  options.progress = [&](double share, Nanoseconds left) {
    status.show_progress(fmt::format("Calibrating, {:.0f} s left", std::ceil(seconds(left))),
                         share);
  };
  Result<Calibration> made = calibrate_components(model, power, options, stop);
  status.clear();
  if (!made) {
    return made;
  }
  if (const auto kept = folder.keep(*made); !kept) {
    return std::unexpected(kept.error());
  }
  return made;
}

std::shared_ptr<const Calibration> find_calibration(const LoadedModel& model, int threads,
                                                    const PowerMonitor& power,
                                                    const CalibrationFolder& folder) {
  const CalibrationKey key = calibration_key(model, threads, power);
  if (key.domains.empty()) {
    return nullptr;
  }
  CalibrationFolder::Found found = folder.find(key);
  if (!found.why_not.empty()) {
    print_note(fmt::format("no calibration is used: {}\n  To make another one: enprof calibrate",
                           found.why_not));
  }
  return std::move(found.calibration);
}

std::string calibration_report(const Calibration& calibration, const Terminal& terminal) {
  std::string text;
  const auto& domains = calibration.key.domains;
  for (const Phase phase : {Phase::prefill, Phase::decode}) {
    std::vector<const CalibratedClass*> classes;
    for (const CalibratedClass& one : calibration.classes) {
      if (one.phase == phase) {
        classes.push_back(&one);
      }
    }
    if (classes.empty()) {
      continue;
    }
    std::ranges::stable_sort(classes, std::ranges::greater{}, &CalibratedClass::pass_time);
    using Align = TextTable::Align;
    std::vector<Align> columns{Align::left, Align::left, Align::right, Align::right};
    std::vector<std::string> head{std::string{to_string(phase)}, "operation", "time a pass",
                                  "alone/pass"};
    for (const std::string& domain : domains) {
      columns.insert(columns.end(), {Align::right, Align::right});
      head.insert(head.end(), {domain, "±"});
    }
    TextTable table(columns);
    table.row(std::move(head), Style::dim);
    for (std::size_t index = 0; index < std::min(classes.size(), kMostLines); ++index) {
      const CalibratedClass& one = *classes[index];
      std::vector<std::string> cells{one.component, one.op, format_duration(one.pass_time),
                                     format_speed(one)};
      for (const auto& power : one.powers) {
        cells.push_back(power ? format_power(power->power) : "-");
        cells.push_back(power ? format_deviation(power->deviation) : "-");
      }
      table.row(std::move(cells));
    }
    text += table.text(terminal);
    if (classes.size() > kMostLines) {
      text += fmt::format("  {} more\n", classes.size() - kMostLines);
    }
    text += "\n";
  }
  return text;
}

}  // namespace enprof
