// From a run's events to the hub's.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/model/event.hpp"
#include "enprof/model/profiled_run.hpp"

#include "live/event_hub.hpp"

#include <mutex>
#include <optional>
#include <string>

namespace enprof {

/// Tells a hub what happens in runs. Energies of tokens go out twice: at once with what is known by
/// then (the latest power × the token's time, marked "provisional"), and in energy_settled, with
/// what attribution says, once the run has ended.
/// Threads: any thread may call anything.
class LivePublisher {
 public:
  explicit LivePublisher(EventHub& hub) : hub_(&hub) {}

  /// An event of a run, as a profiler's listener gets it.
  void publish(const Event& event);
  /// A model is being loaded: 0–1.
  void model_loading(const std::string& run_id, const std::string& model, double share);
  /// The final figures of a run: energy_settled for its tokens, layer_metrics, component_metrics
  /// and operation_metrics where there are any, and its warnings.
  void settle(const ProfiledRun& run);
  /// A run that could not be done.
  void failed(const std::string& run_id, const Error& error);

  /// Tokens in one energy_settled event.
  static constexpr std::size_t kSettledAtOnce = 256;

 private:
  EventHub* hub_;
  std::mutex mutex_;                 // guards what follows
  std::optional<Watts> last_power_;  // of the run under way
  std::string unfinished_;           // the begin of a character whose rest the next token brings
};

}  // namespace enprof
