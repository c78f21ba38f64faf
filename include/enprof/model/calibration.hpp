// The power of a model's components, each measured while it ran alone.
#pragma once

#include "enprof/base/units.hpp"
#include "enprof/model/names.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace enprof {

/// What a calibration is valid for.
struct CalibrationKey {
  std::string model;         ///< its name
  std::string architecture;  ///< llama, qwen2, …
  std::string quantization;  ///< Q8_0, …
  std::uint64_t parameters = 0;
  std::uint64_t weight_bytes = 0;
  std::string cpu;  ///< the CPU's name
  int threads = 0;
  std::vector<std::string> domains;  ///< those whose power was measured: "package-0", …

  friend bool operator==(const CalibrationKey&, const CalibrationKey&) = default;
};

/// The operations of one phase, component and kind, in all layers.
struct CalibratedClass {
  /// The power of one domain while they ran alone.
  struct Power {
    Watts power;
    double deviation = 0.0;  ///< relative standard error of this measurement
    std::size_t windows = 0;

    friend bool operator==(const Power&, const Power&) = default;
  };
  Phase phase = Phase::decode;
  std::string component;                     ///< as in OperationInfo, as is `op`
  std::string op;                            ///<
  std::size_t operations = 0;                ///< in one pass
  Nanoseconds pass_time{0};                  ///< of them together in a real pass
  Nanoseconds replayed_time{0};              ///< of as many that ran alone; 0: none did
  std::vector<std::optional<Power>> powers;  ///< by CalibrationKey::domains; empty: not measured

  friend bool operator==(const CalibratedClass&, const CalibratedClass&) = default;
};

struct Calibration {
  CalibrationKey key;
  std::chrono::sys_time<std::chrono::milliseconds> made_at;
  Nanoseconds duration{0};  ///< of the replay
  std::vector<CalibratedClass> classes;

  friend bool operator==(const Calibration&, const Calibration&) = default;
};

/// How a run used a calibration.
struct CalibrationUse {
  std::chrono::sys_time<std::chrono::milliseconds> made_at;
  std::size_t classes = 0;  ///< kinds of work of the run whose power it gives
  /// Share of the passes' time that is work of these classes, 0–1.
  double time_share = 0.0;
  /// Power of these classes in the run over that in the calibration: a factor that they have in
  /// common (clock, temperature). The largest domain's; empty if no window could tell.
  std::optional<double> power_ratio;

  friend bool operator==(const CalibrationUse&, const CalibrationUse&) = default;
};

}  // namespace enprof
