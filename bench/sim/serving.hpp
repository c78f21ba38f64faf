// A simulated server that computes several requests in one pass, and whose energy is known.
#pragma once

#include "enprof/base/units.hpp"

#include "bench/sim/power_trace.hpp"
#include "bench/sim/program.hpp"
#include "record/capture_recording.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace enprof::sim {

struct ServingOptions {
  ModelShape model;
  Machine machine;
  Disturbance disturbance;
  int requests = 24;
  int slots = 4;               ///< requests that are computed at once; others wait
  int most_tokens = 256;       ///< of a pass: a longer prompt takes several
  double mean_pause_s = 0.15;  ///< between two arrivals
  int mean_prompt = 120;       ///< tokens; drawn from an exponential distribution
  int mean_output = 60;        ///<
  double cached = 0.3;         ///< chance that a slot's prompt continues what is in its cache
  Nanoseconds idle_around = std::chrono::milliseconds{400};  ///< before and after the program
  std::uint64_t seed = 1;
};

/// What a request truly took. A pass's energy is shared as enprof says that it shares it, but with
/// the energies and the times that the simulation knows: of each operation's true energy a sequence
/// has the part of its tokens or outputs; of attention's, the part of the time that its own queries
/// and keys take on the machine, which is not in proportion to their number.
struct ServedRequest {
  double true_j = 0.0;
  /// The Shapley value of the passes' modelled cost, scaled to their true energy: what is fair
  /// without a rule for each operation.
  double shapley_j = 0.0;
  double evenly_j = 0.0;  ///< each pass divided evenly among the sequences in it
  std::size_t prompt_tokens = 0;
  std::size_t cached_tokens = 0;
  std::size_t output_tokens = 0;
};

struct Served {
  CaptureRecording recording;
  std::vector<ServedRequest> requests;  ///< in the order of their first tokens
  PowerTrace trace{Instant{}};
  double idle_j = 0.0;  ///< while no request was in flight, the model was loaded
};

[[nodiscard]] Served serve(const ServingOptions& options);

/// Servers with 4 and 8 slots, of small and larger models.
[[nodiscard]] std::vector<ServingOptions> sample_servers(std::uint64_t seed);

}  // namespace enprof::sim
