// A simulated inference whose energy is known: its spans, and the power at each time.
#pragma once

#include "enprof/base/units.hpp"
#include "enprof/model/span.hpp"

#include "bench/sim/power_trace.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace enprof::sim {

/// A decoder of the llama family.
struct ModelShape {
  std::string name;
  int layers = 8;
  int width = 512;
  int ff_width = 2048;
  int heads = 8;
  int kv_heads = 4;
  int vocabulary = 32000;
  int experts = 0;  ///< 0: one feed-forward block
  int experts_used = 0;
  double weight_bytes = 34.0 / 32.0;  ///< per element
};

/// A machine's speed and power: an operation takes the longer of its arithmetic and its traffic,
/// and draws idle + active + arithmetic × (FLOP/s ÷ peak) + traffic × (bytes/s ÷ peak).
struct Machine {
  double peak_flops = 2e11;  ///< 1/s
  double peak_bytes = 2e10;  ///< 1/s
  double idle_w = 15.0;
  double active_w = 18.0;      ///< all cores
  double arithmetic_w = 30.0;  ///< at peak
  double traffic_w = 14.0;     ///< at peak
  Nanoseconds overhead{2000};  ///< time to start an operation on all cores
};

/// An operation's arithmetic and traffic, each as the time that it would take at the peak.
struct OperationCost {
  double flops_s = 0.0;
  double bytes_s = 0.0;
};
[[nodiscard]] double duration_s(const Machine& machine, const OperationCost& cost);
/// Power above idle.
[[nodiscard]] double dynamic_w(const Machine& machine, const OperationCost& cost);

/// Deviations from that formula. Relative standard deviations, unless stated otherwise.
struct Disturbance {
  double class_spread = 0.15;      ///< of an operation class's power, fixed for the run
  double operation_noise = 0.05;   ///< power from one operation to the next
  double chunk_noise = 0.03;       ///< power from one quarter of a millisecond to the next
  double token_noise = 0.01;       ///< power from one token to the next
  double time_noise = 0.03;        ///< duration from one operation to the next
  double drift = 0.02;             ///< slow drift of all power, over drift_time
  double drift_time_s = 2.0;       ///<
  double settling = 0.06;          ///< extra power at the begin that decays over settling_time
  double settling_time_s = 3.0;    ///<
  double preemptions = 0.002;      ///< chance per operation of a delay of 60 µs on average
  double second_process_w = 0.0;   ///< power of another process while it runs
  double second_process_s = 0.15;  ///< mean time that it runs; it rests three times as long
};

struct ProgramOptions {
  ModelShape model;
  Machine machine;
  Disturbance disturbance;
  int prompt_tokens = 64;
  int output_tokens = 100;
  Nanoseconds idle_around = std::chrono::milliseconds{400};  ///< before and after the run
  std::uint64_t seed = 1;
};

/// One kind of work: phase × component × operation.
struct WorkClass {
  std::string phase;
  std::string component;
  std::string operation;
};

/// What running a class alone takes.
struct ClassWork {
  double factor = 1.0;              ///< the class's power over the formula's
  std::vector<OperationCost> pass;  ///< its operations in the prefill, or in the decode's middle
};

struct Program {
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  std::vector<Span> spans;              ///< run, phases, tokens, sections, layers, components, …
  std::vector<std::string> names;       ///< of Span::name
  std::vector<WorkClass> classes;       ///<
  std::vector<ClassWork> work;          ///< by class
  std::vector<std::uint32_t> class_of;  ///< by span: index into classes; kNone above operations
  std::vector<std::int32_t> layer_of;   ///< by span: −1 outside the layers
  PowerTrace trace{Instant{}};

  [[nodiscard]] Joules truth(const Span& span) const { return trace.energy(span.begin, span.end); }
};

[[nodiscard]] Program simulate(const ProgramOptions& options);

/// The programs for benchmarks and tests: tokens of about 4, 7, 14 and 180 ms.
[[nodiscard]] std::vector<ProgramOptions> sample_programs(std::uint64_t seed);

}  // namespace enprof::sim
