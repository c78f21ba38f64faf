#include "server/capture_watch.hpp"

#include "base/log.hpp"
#include "model/command_engine.hpp"

#include <chrono>
#include <map>
#include <utility>
#include <vector>

namespace enprof {
namespace {

constexpr Logger kLog{"server"};

/// A capture that began longer ago is not looked for.
constexpr std::chrono::days kLongestCapture{30};
constexpr std::size_t kMostCaptures = 1000;
constexpr std::size_t kRequestsAtOnce = 500;

constexpr RunParts kHead{
    .tokens = false, .layers = false, .operations = false, .values = false, .power_samples = false};

}  // namespace

void CaptureWatch::look() {
  RunFilter filter;
  filter.engine = kCommandEngine;
  filter.from = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now()) -
                kLongestCapture;
  filter.limit = kMostCaptures;
  const auto list = store_.list_runs(filter);
  if (!list) {
    kLog.debug("Captures are not counted now: {}", list.error().message);
    return;
  }
  for (const RunSummary& run : list->runs) {
    if (!run.requests || run.status == RunStatus::running || seen_.contains(run.run_id)) {
      continue;
    }
    if (has_looked_) {
      if (const auto counted = count(run); !counted) {
        kLog.debug("Capture {} is not counted now: {}", run.run_id, counted.error().message);
        continue;
      }
    }
    seen_.insert(run.run_id);
  }
  has_looked_ = true;
}

Result<void> CaptureWatch::count(const RunSummary& found) {
  const auto capture = store_.get_run(found.run_id, kHead);
  if (!capture) {
    return std::unexpected(capture.error());
  }
  if (!*capture) {
    return {};  // it was deleted meanwhile
  }
  std::map<std::pair<std::string, Phase>, Joules> energies;
  std::map<std::string, std::size_t> requests;
  RunFilter filter;
  filter.capture = found.run_id;
  filter.limit = kRequestsAtOnce;
  for (std::size_t total = 1; filter.offset < total; filter.offset += kRequestsAtOnce) {
    const auto list = store_.list_runs(filter);
    if (!list) {
      return std::unexpected(list.error());
    }
    total = list->total;
    for (const RunSummary& request : list->runs) {
      ++requests[request.model];
      const auto pipeline = store_.pipeline(request.run_id);
      if (!pipeline) {
        return std::unexpected(pipeline.error());
      }
      for (const PhaseFigure& phase :
           *pipeline ? (*pipeline)->phases : std::vector<PhaseFigure>{}) {
        if (phase.figure.total) {
          energies[{request.model, phase.phase}] += *phase.figure.total;
        }
      }
    }
  }
  ServerMetrics::Captured counted;
  for (const auto& [key, energy] : energies) {
    counted.energies.push_back({.model = key.first, .phase = key.second, .energy = energy});
  }
  counted.requests.assign(requests.begin(), requests.end());
  metrics_.count_capture(**capture, counted);
  return {};
}

}  // namespace enprof
