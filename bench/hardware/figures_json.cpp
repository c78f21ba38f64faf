#include "figures_json.hpp"

#include <optional>

namespace enprof::hardware {
namespace {

using nlohmann::json;

json in_ms(const std::optional<Nanoseconds>& duration) {
  return duration ? json(to_ms(*duration)) : json();
}
json in_mj(const std::optional<Joules>& energy) { return energy ? json(to_mj(*energy)) : json(); }
json in_mw(const std::optional<Watts>& power) { return power ? json(to_mw(*power)) : json(); }
json number(const std::optional<double>& value) { return value ? json(*value) : json(); }

}  // namespace

json to_json(const WatchedValue& value, const StepFigures& figures) {
  return {{"name", value.name},
          {"unit", value.unit},
          {"is_counter", value.counts},
          {"reads", figures.reads},
          {"failed_reads", figures.failed_reads},
          {"watched_ms", to_ms(figures.watched)},
          {"read_us", to_ms(figures.read_time) * 1e3},
          {"steps", figures.steps},
          {"late_steps", figures.late_steps},
          {"period_ms", in_ms(figures.period)},
          {"period_p05_ms", in_ms(figures.period_p05)},
          {"period_p95_ms", in_ms(figures.period_p95)},
          {"quantum", number(figures.quantum)},
          {"smallest_step", figures.smallest_step},
          {"largest_step", figures.largest_step},
          {"periods_ms", figures.periods_ms}};
}

json to_json(const WaveFigures& figures) {
  json halves = json::array();
  for (const HalfEnergy& half : figures.halves) {
    halves.push_back({{"on", half.on},
                      {"begin_ms", to_ms(half.begin)},
                      {"duration_ms", to_ms(half.duration)},
                      {"energy_mj", in_mj(half.energy)},
                      {"standard_error_mj", in_mj(half.standard_error)}});
  }
  json folded = json::array();
  for (const auto& watts : figures.folded_watts) {
    folded.push_back(watts ? json(*watts * 1e3) : json());
  }
  return {{"hz", figures.hertz},
          {"on_mw", in_mw(figures.on)},
          {"off_mw", in_mw(figures.off)},
          {"on_windows_mw", in_mw(figures.on_windows)},
          {"off_windows_mw", in_mw(figures.off_windows)},
          {"coverage", figures.coverage},
          {"conservation", number(figures.conservation)},
          {"window_ms", in_ms(figures.window)},
          {"windows", figures.windows},
          {"worst_edge_ms", to_ms(figures.worst_edge)},
          {"folded_mw", folded},
          {"halves", halves},
          {"warnings", to_json(figures.warnings)}};
}

json to_json(const std::vector<MeasuredEnergy>& energies) {
  json list = json::array();
  for (const MeasuredEnergy& each : energies) {
    list.push_back(
        {{"name", each.name}, {"energy_mj", to_mj(each.energy)}, {"readings", each.readings}});
  }
  return list;
}

json to_json(const std::vector<Warning>& warnings) {
  json list = json::array();
  for (const Warning& warning : warnings) {
    list.push_back({{"code", warning.code}, {"message", warning.message}, {"hint", warning.hint}});
  }
  return list;
}

json to_json(const Error& error) { return {{"message", error.message}, {"hint", error.hint}}; }

}  // namespace enprof::hardware
