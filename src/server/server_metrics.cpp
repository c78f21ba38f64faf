#include "server/server_metrics.hpp"

#include <algorithm>
#include <mutex>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>
#include <sstream>
#include <string>
#include <vector>

namespace enprof {
namespace {

const prometheus::Histogram::BucketBoundaries kJoules{0.1, 1, 10, 100, 1'000, 10'000, 100'000};
const prometheus::Histogram::BucketBoundaries kSequences{1, 2, 4, 8, 16, 32, 64};
const prometheus::Histogram::BucketBoundaries kSeconds{0.1, 0.3, 1, 3, 10, 30, 100, 300, 1'000};

}  // namespace

class ServerMetrics::Impl {
 public:
  prometheus::Registry registry;
  prometheus::Family<prometheus::Counter>& energy =
      prometheus::BuildCounter()
          .Name("enprof_energy_joules_total")
          .Help("Energy of runs, by root power domain, phase and model.")
          .Register(registry);
  prometheus::Family<prometheus::Gauge>& power =
      prometheus::BuildGauge()
          .Name("enprof_power_watts")
          .Help("Power of the root domains together; absent while unknown.")
          .Register(registry);
  prometheus::Histogram& run_energy = prometheus::BuildHistogram()
                                          .Name("enprof_run_energy_joules")
                                          .Help("Energy of a run.")
                                          .Register(registry)
                                          .Add({}, kJoules);
  prometheus::Histogram& run_duration = prometheus::BuildHistogram()
                                            .Name("enprof_run_duration_seconds")
                                            .Help("Duration of a run.")
                                            .Register(registry)
                                            .Add({}, kSeconds);
  prometheus::Family<prometheus::Counter>& tokens = prometheus::BuildCounter()
                                                        .Name("enprof_tokens_total")
                                                        .Help("Tokens read and generated.")
                                                        .Register(registry);
  prometheus::Counter& decode_tokens = prometheus::BuildCounter()
                                           .Name("enprof_decode_tokens_total")
                                           .Help("Output tokens made by decode.")
                                           .Register(registry)
                                           .Add({});
  prometheus::Family<prometheus::Counter>& runs = prometheus::BuildCounter()
                                                      .Name("enprof_runs_total")
                                                      .Help("Runs that have ended, by status.")
                                                      .Register(registry);
  prometheus::Family<prometheus::Counter>& verdicts =
      prometheus::BuildCounter()
          .Name("enprof_run_verdicts_total")
          .Help("Runs that have ended, by how far their energies may be quoted.")
          .Register(registry);
  prometheus::Family<prometheus::Counter>& errors =
      prometheus::BuildCounter()
          .Name("enprof_errors_total")
          .Help("Errors and warnings, by component and code.")
          .Register(registry);
  prometheus::Family<prometheus::Gauge>& sensors = prometheus::BuildGauge()
                                                       .Name("enprof_sensor_info")
                                                       .Help("Power domains of the latest run.")
                                                       .Register(registry);
  prometheus::Family<prometheus::Gauge>& components =
      prometheus::BuildGauge()
          .Name("enprof_component_up")
          .Help("Whether a part of the server works: power, store, engine.")
          .Register(registry);
  prometheus::Family<prometheus::Counter>& read_errors =
      prometheus::BuildCounter()
          .Name("enprof_sensor_read_errors_total")
          .Help("Failed readings of power sources.")
          .Register(registry);
  prometheus::Gauge& clients = prometheus::BuildGauge()
                                   .Name("enprof_stream_clients")
                                   .Help("WebSocket clients connected.")
                                   .Register(registry)
                                   .Add({});
  prometheus::Gauge& queued = prometheus::BuildGauge()
                                  .Name("enprof_queued_runs")
                                  .Help("Runs that wait for their turn.")
                                  .Register(registry)
                                  .Add({});
  prometheus::Counter& dropped = prometheus::BuildCounter()
                                     .Name("enprof_dropped_clients_total")
                                     .Help("WebSocket clients that were dropped for being slow.")
                                     .Register(registry)
                                     .Add({});
  prometheus::Counter& dropped_events =
      prometheus::BuildCounter()
          .Name("enprof_dropped_events_total")
          .Help("Events that WebSocket clients missed because they were too slow.")
          .Register(registry)
          .Add({});
  prometheus::Counter& captures = prometheus::BuildCounter()
                                      .Name("enprof_captures_total")
                                      .Help("Captures of programs that have ended.")
                                      .Register(registry)
                                      .Add({});
  prometheus::Family<prometheus::Counter>& captured_requests =
      prometheus::BuildCounter()
          .Name("enprof_captured_requests_total")
          .Help("Requests in captures, by model.")
          .Register(registry);
  prometheus::Family<prometheus::Counter>& capture_energy =
      prometheus::BuildCounter()
          .Name("enprof_capture_energy_joules_total")
          .Help("Energy of captures, by model and what it was used for.")
          .Register(registry);
  prometheus::Histogram& pass_sequences = prometheus::BuildHistogram()
                                              .Name("enprof_pass_sequences")
                                              .Help("Sequences that a pass computed at once.")
                                              .Register(registry)
                                              .Add({}, kSequences);
  std::mutex mutex;  // guards what follows
  prometheus::Gauge* power_now = nullptr;
};

ServerMetrics::ServerMetrics() : impl_(std::make_unique<Impl>()) {
  // Series start at 0: rate() and increase() do not see the first failure of a series that starts
  // with it.
  for (const RunStatus status : {RunStatus::completed, RunStatus::failed, RunStatus::cancelled}) {
    impl_->runs.Add({{"status", std::string(to_string(status))}});
  }
  for (const VerdictLevel level :
       {VerdictLevel::quotable, VerdictLevel::with_caution, VerdictLevel::not_comparable}) {
    impl_->verdicts.Add({{"verdict", std::string(to_string(level))}});
  }
}
ServerMetrics::~ServerMetrics() = default;

void ServerMetrics::count(const ProfiledRun& run) {
  impl_->runs.Add({{"status", std::string(to_string(run.status))}}).Increment();
  if (run.verdict) {
    impl_->verdicts.Add({{"verdict", std::string(to_string(*run.verdict))}}).Increment();
  }
  impl_->tokens.Add({{"kind", "input"}}).Increment(static_cast<double>(run.totals.prompt_tokens));
  impl_->tokens.Add({{"kind", "output"}}).Increment(static_cast<double>(run.totals.output_tokens));
  impl_->decode_tokens.Increment(
      static_cast<double>(std::ranges::count(run.tokens, Phase::decode, &TokenFigure::phase)));
  impl_->run_duration.Observe(seconds(run.totals.figure.duration));
  if (run.totals.figure.total) {
    impl_->run_energy.Observe(run.totals.figure.total->value());
  }
  for (const Warning& warning : run.warnings) {
    count_error(warning.component, warning.code);
  }
  for (const DomainFigure& domain : run.power.domains) {
    impl_->sensors
        .Add({{"domain", domain.domain.name},
              {"source", domain.domain.source},
              {"method", std::string(to_string(domain.domain.method))}})
        .Set(1);
    if (!domain.domain.is_root() || !domain.figure.total || !run.totals.figure.total ||
        run.totals.figure.total->value() <= 0.0) {
      continue;
    }
    const double share = *domain.figure.total / *run.totals.figure.total;
    for (const PhaseFigure& phase : run.phases) {
      if (phase.figure.total) {
        impl_->energy
            .Add({{"domain", domain.domain.name},
                  {"phase", std::string(to_string(phase.phase))},
                  {"model", run.model.name}})
            .Increment(std::max(0.0, share * phase.figure.total->value()));
      }
    }
  }
}

void ServerMetrics::count_capture(const ProfiledRun& capture, const Captured& requests) {
  if (!capture.capture) {
    return;
  }
  impl_->captures.Increment();
  for (const auto& [model, count] : requests.requests) {
    impl_->captured_requests.Add({{"model", model}}).Increment(static_cast<double>(count));
  }
  const auto add = [this](const std::string& model, std::string_view phase, Joules energy) {
    impl_->capture_energy.Add({{"model", model}, {"phase", std::string(phase)}})
        .Increment(std::max(0.0, energy.value()));
  };
  for (const Captured::Energy& energy : requests.energies) {
    add(energy.model, to_string(energy.phase), energy.energy);
  }
  for (const CapturePart& part : capture.capture->parts) {
    if (part.kind != CapturePartKind::requests && part.figure.total) {
      add(capture.model.name, to_string(part.kind), *part.figure.total);
    }
  }
  std::vector<double> passes(kSequences.size() + 1);
  double sequences = 0.0;
  for (const CaptureOccupancy& row : capture.capture->occupancy) {
    const auto size = static_cast<double>(row.sequences);
    const auto bucket = std::ranges::lower_bound(kSequences, size) - kSequences.begin();
    passes[static_cast<std::size_t>(bucket)] += static_cast<double>(row.passes);
    sequences += size * static_cast<double>(row.passes);
  }
  impl_->pass_sequences.ObserveMultiple(passes, sequences);
}

void ServerMetrics::count_error(const std::string& component, const std::string& code) {
  impl_->errors.Add({{"component", component}, {"code", code}}).Increment();
}

std::string ServerMetrics::text(const Gauges& gauges) {
  const std::lock_guard lock(impl_->mutex);
  if (gauges.power) {
    impl_->power_now = &impl_->power.Add({});
    impl_->power_now->Set(gauges.power->value());
  } else if (impl_->power_now != nullptr) {  // absent is never zero
    impl_->power.Remove(impl_->power_now);
    impl_->power_now = nullptr;
  }
  impl_->clients.Set(static_cast<double>(gauges.stream_clients));
  impl_->queued.Set(static_cast<double>(gauges.queued_runs));
  impl_->dropped.Increment(static_cast<double>(gauges.dropped_clients) - impl_->dropped.Value());
  impl_->dropped_events.Increment(static_cast<double>(gauges.dropped_events) -
                                  impl_->dropped_events.Value());
  for (const auto& [source, failed] : gauges.read_errors) {
    prometheus::Counter& counter = impl_->read_errors.Add({{"source", source}});
    counter.Increment(static_cast<double>(failed) - counter.Value());
  }
  for (const auto& [name, works] : gauges.components) {
    impl_->components.Add({{"component", name}}).Set(works ? 1.0 : 0.0);
  }
  std::ostringstream out;
  out.imbue(std::locale::classic());
  prometheus::TextSerializer{}.Serialize(out, impl_->registry.Collect());
  return std::move(out).str();
}

}  // namespace enprof
