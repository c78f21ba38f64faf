// The metrics that Prometheus reads from GET /metrics.
#pragma once

#include "enprof/model/profiled_run.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace enprof {

/// Counters and gauges in base units, named by Prometheus' rules, without labels for runs or
/// tokens:
///   enprof_energy_joules_total{domain,phase,model}   root domains only: they may be summed
///   enprof_power_watts                               present power, summed over the root domains
///   enprof_run_energy_joules                         histogram
///   enprof_run_duration_seconds                      histogram
///   enprof_tokens_total{kind}                        input, output
///   enprof_decode_tokens_total                       output tokens that decode makes: all but the
///                                                    first of each run, which prefill makes
///   enprof_runs_total{status}
///   enprof_run_verdicts_total{verdict}               how far runs may be quoted
///   enprof_errors_total{component,code}              warnings and errors of runs
///   enprof_stream_clients, enprof_dropped_clients_total, enprof_dropped_events_total,
///   enprof_queued_runs
///   enprof_component_up{component}                   1: it works; 0: see GET /api/health
///   enprof_sensor_info{domain,source,method}         1
///   enprof_sensor_read_errors_total{source}          readings that failed
///   enprof_captures_total                            captures that have ended: enprof exec
///   enprof_captured_requests_total{model}            requests in them
///   enprof_capture_energy_joules_total{model,phase}  phase: prefill and decode of requests, by
///                                                    their model; idle_while_loaded, loading,
///                                                    warm_up, cache_moves, unassigned, by the
///                                                    program. They add up to the captures
///   enprof_pass_sequences                            histogram: sequences in a pass (occupancy)
/// The energy of a domain in a phase is the phase's energy × the domain's share of the run's
/// energy. Threads: any thread may call anything.
class ServerMetrics {
 public:
  ServerMetrics();
  ServerMetrics(const ServerMetrics&) = delete;
  ServerMetrics& operator=(const ServerMetrics&) = delete;
  ~ServerMetrics();

  /// A run has ended.
  void count(const ProfiledRun& run);
  /// What the requests of a capture used.
  struct Captured {
    struct Energy {
      std::string model;
      Phase phase = Phase::decode;
      Joules energy;
    };
    std::vector<Energy> energies;
    std::vector<std::pair<std::string, std::size_t>> requests;  ///< by model
  };
  /// A capture has ended, with these requests.
  void count_capture(const ProfiledRun& capture, const Captured& requests);
  /// Something failed outside a run.
  void count_error(const std::string& component, const std::string& code);

  struct Gauges {
    std::optional<Watts> power{};  ///< sum of the root domains; empty while unknown
    std::size_t stream_clients = 0;
    std::size_t dropped_clients = 0;   ///< since the start
    std::uint64_t dropped_events = 0;  ///< since the start
    std::size_t queued_runs = 0;
    std::vector<std::pair<std::string, bool>> components{};  ///< and whether they work
    /// Power sources, and how many of their readings have failed since the start.
    std::vector<std::pair<std::string, std::size_t>> read_errors{};
  };
  /// The text exposition format, version 0.0.4.
  [[nodiscard]] std::string text(const Gauges& gauges);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace enprof
