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

bool has_power(const CalibratedClass& one) {
  return std::ranges::any_of(one.powers, [](const auto& power) { return power.has_value(); });
}

std::string calibration_summary(const Calibration& calibration) {
  std::size_t measured = 0;
  double all_s = 0.0;
  double left_out_s = 0.0;
  for (const CalibratedClass& one : calibration.classes) {
    const bool is_measured = has_power(one);
    measured += is_measured ? 1 : 0;
    all_s += seconds(one.pass_time);
    left_out_s += is_measured ? 0.0 : seconds(one.pass_time);
  }
  std::string text = fmt::format("Calibrated: {} of work, in {:.1f} s\n", counted(measured, "kind"),
                                 seconds(calibration.duration));
  if (const std::size_t left_out = calibration.classes.size() - measured; left_out > 0) {
    text += fmt::format(
        "Left out: {} of work, which take {:.1f} % of the passes' time; to measure them, pass a "
        "longer "
        "--seconds\n",
        counted(left_out, "kind"), all_s > 0.0 ? 100.0 * left_out_s / all_s : 0.0);
  }
  return text;
}

}  // namespace

Result<CalibrationFolder> calibration_folder() {
  const auto database = ProfileDatabase::default_path();
  if (!database) {
    return std::unexpected(database.error());
  }
  return CalibrationFolder(database->parent_path() / "calibration");
}

std::optional<Nanoseconds> budget_of(const std::optional<double>& time_s) {
  return time_s ? std::optional{from_ms(1e3 * *time_s)} : std::nullopt;
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

std::unique_ptr<CalibrationFinder> calibration_finder() {
  auto folder = calibration_folder();
  if (!folder) {
    print_note("no calibration is used: " + folder.error().message);
    return nullptr;
  }
  return std::make_unique<CalibrationFinder>(*std::move(folder), print_note);
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
  return text + calibration_summary(calibration);
}

}  // namespace enprof
