#include "profile/meter/run_meter.hpp"

#include "base/log.hpp"
#include "profile/assemble/run_assembler.hpp"
#include "profile/assemble/standstills.hpp"

#include <algorithm>
#include <utility>

namespace enprof {
namespace {

constexpr Logger kLog{"meter"};

/// Records that may wait for the meter: those of ten thousand tokens a second with three sections
/// each between two of its turns.
constexpr std::size_t kSpanCapacity = 1U << 15U;
constexpr std::size_t kPassCapacity = 1U << 12U;
/// After a turn the meter rests for this many times the CPU time that it took: it takes less than
/// one percent of one CPU from an inference.
constexpr int kRest = 100;
/// The time at the end of the run so far that decides which domains are added up.
constexpr Nanoseconds kTrustedTime = std::chrono::seconds{10};

}  // namespace

RunMeter::RunMeter(const PowerMonitor* monitor, Sink sink, Options options)
    : monitor_(monitor),
      sink_(std::move(sink)),
      options_(std::move(options)),
      spans_(kSpanCapacity),
      passes_(kPassCapacity) {}

void RunMeter::begin(std::string run_id, Instant begin, const PassRecordingView& memory) {
  run_id_ = std::move(run_id);
  begin_ = begin;
  slicer_.begin(begin, memory);
  const auto started = thread_.start({.name = "enprof-meter",
                                      .purpose = "work out the figures so far of run " + run_id_,
                                      .period = options_.period,
                                      .first = options_.period,
                                      .clock = options_.clock},
                                     [this] { look(); });
  if (!started) {
    kLog.error("The figures of run {} are known only at its end: {}", run_id_,
               started.error().message);
  }
}

void RunMeter::add_plan(std::uint32_t index, SharedPlan plan) {
  const std::lock_guard lock(mutex_);
  plans_[index] = std::move(plan);
}

void RunMeter::stop() { thread_.stop(); }

void RunMeter::look() {
  const Nanoseconds before = options_.cpu_time();
  read_records();
  settle();
  thread_.set_period(std::max(options_.period, kRest * (options_.cpu_time() - before)));
}

void RunMeter::read_records() {
  SpanRecord record;
  while (spans_.pop(record)) {
    slicer_.add(record);
  }
  PassEntry entry;
  while (passes_.pop(entry)) {
    slicer_.add(entry);
  }
  // After the passes: the plan of each of them is known by now.
  std::map<std::uint32_t, SharedPlan> plans;
  {
    const std::lock_guard lock(mutex_);
    plans.swap(plans_);
  }
  for (auto& [index, plan] : plans) {
    slicer_.add_plan(index, std::move(plan));
  }
}

void RunMeter::settle() {
  const Instant now = options_.clock->now();
  PowerEvidence power;
  if (monitor_ != nullptr) {
    power.domains = monitor_->trusted_domains(std::max(begin_, now - kTrustedTime), now).domains;
    power.windows = monitor_->windows(slicer_.begin_time(), now);
  }
  if (options_.standstills != nullptr) {  // asked after the windows, so that it covers them all
    power.standstills = options_.standstills->found();
    power.windows = without_standstills(std::move(power.windows), power.standstills);
  }
  if (!slicer_.cut(known_until(power, now))) {
    return;
  }
  const RecordingView slice = slicer_.slice();
  const Instant end = slice.spans.front().end;
  for (std::vector<EnergyWindow>& windows : power.windows) {
    std::erase_if(windows, [&](const EnergyWindow& window) { return window.begin >= end; });
  }
  ProfiledRun piece;
  piece.run_id = run_id_;
  piece.depth = options_.depth;
  if (piece.depth == Depth::deep && !(options_.wants_operations && options_.wants_operations())) {
    piece.depth = Depth::module;
  }
  assemble_run(slice, power, piece);
  publish_tokens(piece, now - begin_);
  publish_sums(piece, now - begin_);
}

Instant RunMeter::known_until(const PowerEvidence& power, Instant now) const {
  if (monitor_ == nullptr) {
    return now;
  }
  const std::vector<Domain>& domains = power.domains;
  Instant known = now;
  for (std::size_t index = 0; index < domains.size(); ++index) {
    if (!domains[index].is_root()) {
      continue;
    }
    Instant reached = begin_;
    for (const EnergyWindow& window : power.windows[index]) {
      reached = std::max(reached, window.end);
    }
    const Nanoseconds patience = std::max(options_.patience, 3 * domains[index].period);
    known = std::min(known, std::max(reached, now - patience));
  }
  return known;
}

void RunMeter::publish(Nanoseconds at, EventData data) {
  sink_({.run_id = run_id_, .at = at, .data = std::move(data)});
}

void RunMeter::publish_tokens(ProfiledRun& piece, Nanoseconds at) {
  events::EnergySettled settled{.tokens = std::move(piece.tokens)};
  for (TokenFigure& token : settled.tokens) {
    token.index += slicer_.first_token();
    token.begin += slicer_.slice().spans.front().begin - begin_;
  }
  if (!settled.tokens.empty()) {
    publish(at, std::move(settled));
  }
}

void RunMeter::publish_sums(const ProfiledRun& piece, Nanoseconds at) {
  for (const LayerFigure& layer : piece.layers) {
    Sum& sum = layers_[{layer.phase, layer.layer}];
    sum.count += layer.count;
    sum.figure.add(layer.figure, layer.count);
  }
  for (const ComponentFigure& component : piece.components) {
    Sum& sum = components_[{component.phase, component.layer, component.component}];
    sum.count += component.count;
    sum.figure.add(component.figure, component.count);
  }
  for (const OperationFigure& operation : piece.operations) {
    Sum& sum = operations_[{operation.phase, operation.component, operation.op}];
    sum.count += operation.count;
    sum.figure.add(operation.figure, operation.count);
  }
  if (!piece.layers.empty()) {
    events::LayerMetrics metrics;
    for (const auto& [key, sum] : layers_) {
      metrics.layers.push_back({.phase = key.first,
                                .layer = key.second,
                                .count = sum.count,
                                .figure = sum.figure.build()});
    }
    publish(at, std::move(metrics));
  }
  if (!piece.components.empty()) {
    events::ComponentMetrics metrics;
    for (const auto& [key, sum] : components_) {
      const auto& [phase, layer, component] = key;
      metrics.components.push_back({.phase = phase,
                                    .layer = layer,
                                    .component = component,
                                    .count = sum.count,
                                    .figure = sum.figure.build()});
    }
    publish(at, std::move(metrics));
  }
  if (!piece.operations.empty()) {
    events::OperationMetrics metrics;
    for (const auto& [key, sum] : operations_) {
      const auto& [phase, component, op] = key;
      metrics.operations.push_back({.phase = phase,
                                    .component = component,
                                    .op = op,
                                    .count = sum.count,
                                    .figure = sum.figure.build()});
    }
    publish(at, std::move(metrics));
  }
}

}  // namespace enprof
