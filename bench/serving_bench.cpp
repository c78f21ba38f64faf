// Measures the error of requests' energies, on servers whose energy is known (bench/sim/serving),
// through the models of sensors of bench/sim and the real making of captures.
//
// Error: mean absolute error over the requests, as a share of their mean true energy, in per cent.
// Within: share of requests whose true energy lies within two standard errors.
// By tokens: a pass's energy by the tokens of its sequences. Evenly: by time, each sequence of a
// pass alike (with the true energy of the pass). Fair: the same against the Shapley value.
#include "serving_bench.hpp"

#include "bench/sim/sensor.hpp"
#include "bench/sim/serving.hpp"
#include "figure.hpp"
#include "profile/capture/capture_assembler.hpp"

#include <array>
#include <cmath>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace enprof::bench {
namespace {

struct Sensor {
  std::string name;
  std::function<sim::SensorView(const sim::PowerTrace&, std::uint64_t seed)> read;
};

std::vector<Sensor> sensors() {
  return {{"rapl_locked",
           [](const auto& trace, std::uint64_t seed) {
             return sim::read_counter(trace, sim::CounterModel{}, sim::LockedReads{}, seed);
           }},
          {"rapl_locked_10ms",
           [](const auto& trace, std::uint64_t seed) {
             return sim::read_counter(trace, sim::CounterModel{}, sim::LockedReads{.every = 10},
                                      seed);
           }},
          {"means_100ms",
           [](const auto& trace, std::uint64_t seed) { return sim::read_means(trace, {}, seed); }}};
}

PowerEvidence evidence_of(const sim::SensorView& view) {
  PowerEvidence power;
  power.domains = {domain_from_name("package-0")};
  power.domains[0].source = "sim";
  power.domains[0].stamp_error = view.stamp_error;
  power.windows = {view.windows};
  return power;
}

std::vector<ProfiledRun> requests_of(const CaptureRecording& recording, const PowerEvidence& power,
                                     Depth depth) {
  std::vector<ProfiledRun> requests;
  ProfiledRun capture;
  capture.depth = depth;
  const Span whole{.begin = recording.begin, .end = recording.end, .level = Level::run};
  assemble_capture(recording, whole, power, capture,
                   [&](ProfiledRun request) { requests.push_back(std::move(request)); });
  return requests;
}

struct Errors {
  double absolute = 0.0;
  double truth = 0.0;
  std::size_t items = 0;
  std::size_t within = 0;

  void add(double true_j, double found_j, double error_j = 0.0) {
    absolute += std::abs(found_j - true_j);
    truth += true_j;
    ++items;
    within += std::abs(found_j - true_j) <= 2.0 * error_j ? 1U : 0U;
  }
};
using Table = std::map<std::tuple<std::string, std::string, std::string>, Errors>;

struct Counts {
  std::size_t requests = 0;
  std::size_t found = 0;  // as many, with the same tokens
};

bool is_same(const sim::ServedRequest& served, const ProfiledRun& found) {
  return found.totals.prompt_tokens == served.prompt_tokens + served.cached_tokens &&
         found.totals.output_tokens == served.output_tokens;
}

double joules(const std::optional<Joules>& energy) { return energy.value_or(Joules{0}).value(); }

void measure(const sim::Served& served, const Sensor& sensor, std::uint64_t seed, Table& table,
             Counts& counts) {
  const PowerEvidence power = evidence_of(sensor.read(served.trace, seed));
  CaptureRecording unknown = served.recording;
  for (CapturedModel& model : unknown.models) {
    model.facts = {};
  }
  const std::vector<ProfiledRun> by_tokens = requests_of(unknown, power, Depth::minimal);
  for (const auto& [name, depth] :
       {std::pair{"operations", Depth::deep}, std::pair{"components", Depth::module},
        std::pair{"passes", Depth::minimal}}) {
    const std::vector<ProfiledRun> found = requests_of(served.recording, power, depth);
    counts.requests += served.requests.size();
    if (found.size() != served.requests.size() || by_tokens.size() != found.size()) {
      continue;
    }
    for (std::size_t index = 0; index < found.size(); ++index) {
      const sim::ServedRequest& truth = served.requests[index];
      const Figure& figure = found[index].totals.figure;
      counts.found += is_same(truth, found[index]) ? 1U : 0U;
      const auto add = [&](const char* method, double true_j, double found_j,
                           double error_j = 0.0) {
        table[{sensor.name, name, method}].add(true_j, found_j, error_j);
      };
      const double tokens_j = joules(by_tokens[index].totals.figure.total);
      add("ours", truth.true_j, joules(figure.total), joules(figure.quality.standard_error));
      add("by_tokens", truth.true_j, tokens_j);
      add("evenly", truth.true_j, truth.evenly_j);
      add("fair_ours", truth.shapley_j, joules(figure.total));
      add("fair_by_tokens", truth.shapley_j, tokens_j);
      add("fair_evenly", truth.shapley_j, truth.evenly_j);
    }
  }
}

}  // namespace

void bench_serving(const SeedRange& seeds) {
  Table table;
  std::map<std::string, Counts> counts;
  for (std::uint64_t seed = seeds.first; seed < seeds.first + seeds.count; ++seed) {
    for (const sim::ServingOptions& options : sim::sample_servers(seed)) {
      const sim::Served served = sim::serve(options);
      for (const Sensor& sensor : sensors()) {
        measure(served, sensor, options.seed + 7, table, counts[sensor.name]);
      }
    }
  }
  for (const auto& [key, errors] : table) {
    const auto& [sensor, depth, method] = key;
    const std::string name = fmt::format("requests.{}.{}.{}", sensor, depth, method);
    figure(name, 100.0 * errors.absolute / errors.truth, "%");
    if (method == "ours") {
      figure(name + "_within_2se",
             100.0 * static_cast<double>(errors.within) / static_cast<double>(errors.items), "%");
    }
  }
  for (const auto& [sensor, count] : counts) {
    figure(fmt::format("requests.{}.found.ours", sensor),
           100.0 * static_cast<double>(count.found) / static_cast<double>(count.requests), "%");
  }
}

}  // namespace enprof::bench
