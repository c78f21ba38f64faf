// Makes the runs that documentation's pictures show (web/screenshots.mjs): scripts played against
// recordings of power, on a simulated clock, so that they are the same each time.
//
//     enprof_pictures ORDERS.json DATABASE
//
// ORDERS is a list of {"run_id", "started_at_ms", "script", "recording", "idle_s", "prompt",
// "depth", "tags", "experiment"}. With "live": FILE the events of a run are written there, as a
// watcher would have received them up to its last token; the energies of the last "provisional"
// tokens are not settled.

#include "enprof/model/names.hpp"
#include "enprof/store/profile_database.hpp"

#include "bench/pictures/live_events.hpp"
#include "support/simulated_run.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <fstream>
#include <limits>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace enprof::pictures {
namespace {

using Json = nlohmann::json;

testing::SimulatedRun read_order(const Json& order) {
  testing::SimulatedRun result{
      .order = {.run_id = order.at("run_id"),
                .model = order.at("script"),
                .depth = depth_from_string(order.at("depth").get<std::string>()).value(),
                .tags = order.at("tags"),
                .experiment = order.at("experiment")},
      .recording = order.at("recording").get<std::string>(),
      .idle = std::chrono::duration_cast<Nanoseconds>(
          std::chrono::duration<double>(order.at("idle_s").get<double>())),
      .started_at =
          WallTime{std::chrono::milliseconds{order.at("started_at_ms").get<std::int64_t>()}}};
  result.order.generate.prompt = order.at("prompt");
  result.order.generate.max_tokens = std::numeric_limits<int>::max();
  return result;
}

/// No picture shows what physics forbids. The peak is a mean over an interval: what is short
/// against it may draw more.
void check_power(const ProfiledRun& run) {
  if (!run.power.peak) {
    throw std::runtime_error(fmt::format("Run {} has no peak power", run.run_id));
  }
  const auto check = [&](const std::string& name, const Figure& figure, double allowed = 1.0) {
    const std::optional<Watts> power = figure.mean_power;
    // Within twice its length lies an interval between edges of windows, whatever its place.
    const bool is_long = figure.duration >= 2 * run.power.peak->window;
    if (power && is_long && *power > allowed * run.power.peak->power) {
      throw std::runtime_error(fmt::format("Run {}: {} draws {} W, more than the peak of {} W",
                                           run.run_id, name, power->value(),
                                           run.power.peak->power.value()));
    }
  };
  check("it", run.totals.figure);
  for (const PhaseFigure& phase : run.phases) {
    check(std::string{to_string(phase.phase)}, phase.figure);
  }
  // A section is not all that its windows hold: it may draw a little more than any of them.
  constexpr double kBesideGaps = 1.001;
  for (const SectionFigure& section : run.sections) {
    check(section.name, section.figure, kBesideGaps);
  }
  for (const TokenFigure& token : run.tokens) {
    check(fmt::format("token {}", token.index), token.figure);
  }
  for (const OperationFigure& operation : run.operations) {
    check(operation.component, operation.figure);
  }
  if (!run.warnings.empty()) {
    throw std::runtime_error(
        fmt::format("Run {} warns: {}", run.run_id, run.warnings.front().message));
  }
}

int make(const std::string& orders, const std::string& file) {
  std::ifstream in(orders);
  auto database = ProfileDatabase::connect(file);
  if (!database) {
    throw std::runtime_error(database.error().message);
  }
  for (const Json& order : Json::parse(in)) {
    const ProfiledRun run = testing::simulate(read_order(order));
    check_power(run);
    if (const auto saved = database->save_run(run); !saved) {
      throw std::runtime_error(saved.error().message);
    }
    if (const auto live = order.find("live"); live != order.end()) {
      std::ofstream out(live->get<std::string>());
      out << live_events(run, order.at("provisional").get<std::size_t>());
      if (!out.flush()) {
        throw std::runtime_error("Cannot write " + live->get<std::string>());
      }
    }
  }
  return 0;
}

}  // namespace
}  // namespace enprof::pictures

int main(int count, char** words) {
  const std::span<char*> arguments(words, static_cast<std::size_t>(count));
  if (arguments.size() != 3) {
    std::fputs("usage: enprof_pictures ORDERS.json DATABASE\n", stderr);
    return 2;
  }
  try {
    return enprof::pictures::make(arguments[1], arguments[2]);
  } catch (const std::exception& error) {
    fmt::print(stderr, "enprof_pictures: error: {}\n", error.what());
    return 1;
  }
}
