// Publishes a run's events in the hub.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/base/error.hpp"
#include "enprof/model/event.hpp"
#include "enprof/model/profiled_run.hpp"

#include "live/event_hub.hpp"
#include "session/live_requests.hpp"

#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace enprof {

/// The requests of a program that is measured, and how fast it serves them now.
struct RequestMetrics {
  Instant run_began;  ///< what the times of requests are relative to
  RequestNews news;
  std::optional<double> tokens_per_second{};
  std::optional<double> mean_sequences{};  ///< in a pass, by time
};

/// Publishes what happens in runs. Energies of tokens are published three times: immediately, with
/// what is known then (the latest power × the token's time, marked "provisional"); a moment later
/// in energy_settled, attributed with the windows so far ("final": false); and after the run, with
/// the stored values ("final": true). Figures of layers, components and operations are published as
/// sums so far, and at the end. Threads: any thread may call anything.
class LivePublisher {
 public:
  explicit LivePublisher(EventHub& hub) : hub_(&hub) {}

  /// Publishes an event of a run. To be called by a profiler's listener.
  void publish(const Event& event);
  /// The model is being loaded; `share` is 0–1.
  void publish_loading(const std::string& run_id, const std::string& model, double share);
  /// Publishes what the requests of a program do; `at` is since the run began. Their energy per
  /// token is that of the latest power sample over all output tokens so far.
  void publish_requests(const std::string& run_id, Nanoseconds at, const RequestMetrics& metrics);
  /// Publishes the final figures of a run: energy_settled for its tokens; layer_metrics,
  /// component_metrics and operation_metrics if it has any; and its warnings, except those that
  /// were published already.
  void publish_figures(const ProfiledRun& run);
  /// Publishes a warning of a run that goes on; `at` is since it began. Only the first of each
  /// component and code is published.
  void publish_warning(const std::string& run_id, Nanoseconds at, const Warning& warning);
  /// Publishes the error of a run that failed.
  void publish_failure(const std::string& run_id, const Error& error);

  /// The most tokens in one energy_settled event.
  static constexpr std::size_t kTokensPerEvent = 256;
  /// Sums so far are published less often if they would exceed this rate per type: those of a model
  /// with many layers would push all other events out of the hub's memory.
  static constexpr double kSumBytesPerSecond = 64.0 * 1024.0;

 private:
  void begin_run();
  [[nodiscard]] std::string token_text(const events::TokenComplete& token);
  [[nodiscard]] std::string power_text(const events::PowerSample& sample);
  /// Whether sums of this type may be published again.
  [[nodiscard]] bool may_publish_sums(const Event& event);
  /// Delays the next sums of this type after publishing so many bytes.
  void delay_sums(const Event& event, std::size_t bytes);
  void publish_new_warning(const std::string& run_id, Nanoseconds at, const Warning& warning);

  EventHub* hub_;
  std::mutex mutex_;                                                      // guards what follows
  std::optional<Watts> last_power_;                                       // of the present run
  std::optional<Joules> last_energy_;                                     // of it so far
  std::map<std::pair<std::string, std::string>, std::string> published_;  // by component and code
  std::string published_error_;                                           // by publish_failure()
  std::map<EventType, Nanoseconds> sums_paused_until_;  // by type, since the run began
  std::string unfinished_;  // the beginning of a character that the next token completes
};

}  // namespace enprof
