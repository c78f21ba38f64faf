// From a run's events to the hub's.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/model/event.hpp"
#include "enprof/model/profiled_run.hpp"

#include "live/event_hub.hpp"

#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace enprof {

/// Tells a hub what happens in runs. Energies of tokens go out three times: at once with what is
/// known by then (the latest power × the token's time, marked "provisional"); a moment later in
/// energy_settled with what attribution says of the windows that have come, "final": false; and
/// once the run has ended, with the values that are saved, "final": true. What layers, components
/// and operations used goes out as sums so far, and at the end.
/// Threads: any thread may call anything.
class LivePublisher {
 public:
  explicit LivePublisher(EventHub& hub) : hub_(&hub) {}

  /// An event of a run, as a profiler's listener gets it.
  void publish(const Event& event);
  /// A model is being loaded: 0–1.
  void model_loading(const std::string& run_id, const std::string& model, double share);
  /// The final figures of a run: energy_settled for its tokens, layer_metrics, component_metrics
  /// and operation_metrics where there are any, and its warnings but those that warn() or failed()
  /// has told.
  void settle(const ProfiledRun& run);
  /// Something goes wrong in a run that goes on; `at` is since it began. Each kind of it is told
  /// once.
  void warn(const std::string& run_id, Nanoseconds at, const Warning& warning);
  /// A run that could not be done, or not to its end.
  void failed(const std::string& run_id, const Error& error);

  /// Tokens in one energy_settled event.
  static constexpr std::size_t kSettledAtOnce = 256;
  /// Sums so far are left out where they would make more than this of each type: a model of many
  /// layers would push everything else out of the hub's memory.
  static constexpr double kSumBytesPerSecond = 64.0 * 1024.0;

 private:
  void begin_run();
  [[nodiscard]] std::string token_text(const events::TokenComplete& token);
  [[nodiscard]] std::string power_text(const events::PowerSample& sample);
  /// Whether sums of this type may go out again.
  [[nodiscard]] bool is_time_for_sums(const Event& event);
  /// After sums of so many bytes.
  void rest_after_sums(const Event& event, std::size_t bytes);
  void publish_warning(const std::string& run_id, Nanoseconds at, const Warning& warning);

  EventHub* hub_;
  std::mutex mutex_;                                                 // guards what follows
  std::optional<Watts> last_power_;                                  // of the run under way
  std::map<std::pair<std::string, std::string>, std::string> told_;  // by component and code
  std::string told_error_;                                           // of failed()
  std::map<EventType, Nanoseconds> quiet_until_;  // by type, since that run began
  std::string unfinished_;  // the begin of a character whose rest the next token brings
};

}  // namespace enprof
