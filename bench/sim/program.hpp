// An inference whose energy is known: what it did when, and what power it drew meanwhile.
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
  double weight_bytes = 34.0 / 32.0;  ///< of an element
};

/// What a machine can do and what it draws: an operation takes the longer of its arithmetic and its
/// traffic, and draws idle + active + arithmetic × (FLOP/s ÷ peak) + traffic × (bytes/s ÷ peak).
struct Machine {
  double peak_flops = 2e11;  ///< 1/s
  double peak_bytes = 2e10;  ///< 1/s
  double idle_w = 15.0;
  double active_w = 18.0;      ///< all cores
  double arithmetic_w = 30.0;  ///< at peak
  double traffic_w = 14.0;     ///< at peak
  Nanoseconds overhead{2000};  ///< of starting an operation on all cores
};

/// How far the world is from the formula. Relative standard deviations, unless said otherwise.
struct Disturbance {
  double class_spread = 0.15;      ///< of an operation class's power, fixed for the run
  double operation_noise = 0.05;   ///< power from one operation to the next
  double chunk_noise = 0.03;       ///< power from one quarter of a millisecond to the next
  double token_noise = 0.01;       ///< power from one token to the next
  double time_noise = 0.03;        ///< duration from one operation to the next
  double drift = 0.02;             ///< slow wandering of all power, over drift_time
  double drift_time_s = 2.0;       ///<
  double settling = 0.06;          ///< extra power at the begin that fades over settling_time
  double settling_time_s = 3.0;    ///<
  double preemptions = 0.002;      ///< chance, an operation, of being held up for 60 µs on average
  double second_process_w = 0.0;   ///< what another process draws when it runs
  double second_process_s = 0.15;  ///< how long it does on average; it rests three times as long
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

struct Program {
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  std::vector<Span> spans;              ///< run, phases, tokens, sections, layers, components, …
  std::vector<std::string> names;       ///< of Span::name
  std::vector<WorkClass> classes;       ///<
  std::vector<std::uint32_t> class_of;  ///< by span: index into classes; kNone above operations
  std::vector<std::int32_t> layer_of;   ///< by span: −1 outside the layers
  PowerTrace trace{Instant{}};

  [[nodiscard]] Joules truth(const Span& span) const { return trace.energy(span.begin, span.end); }
};

[[nodiscard]] Program simulate(const ProgramOptions& options);

/// Shapes and machines that a benchmark or test goes through: tokens of about 4, 7, 14 and 180 ms.
[[nodiscard]] std::vector<ProgramOptions> sample_programs(std::uint64_t seed);

}  // namespace enprof::sim
