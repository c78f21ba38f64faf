// What happened when in a run, in order of time: for traces.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/base/units.hpp"
#include "enprof/model/figure.hpp"
#include "enprof/model/names.hpp"

#include "report/run_source.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

namespace enprof {

/// A slice of time that has others within it.
struct TimelineSlice {
  Level level = Level::run;
  std::string_view name;
  const Figure* figure = nullptr;      ///< of run, phase, section and token; else null
  std::optional<std::size_t> token{};  ///< index of the token
  const ProfiledRun* run = nullptr;    ///< of the outermost slice
};

/// A series of values: power of a domain, or another reading of its device.
struct TimelineCounter {
  std::size_t number = 0;  ///< from 0, in order of first use
  std::string_view name;   ///< "package-0 power"
  std::string_view unit;   ///< "W"; empty if the name says it: "gpu-0 clock_hz"
};

/// Receives a run's events. Times count from the run's begin and are never negative.
class TimelineWriter {
 public:
  TimelineWriter() = default;
  TimelineWriter(const TimelineWriter&) = delete;
  TimelineWriter& operator=(const TimelineWriter&) = delete;
  virtual ~TimelineWriter() = default;

  // Slices come in order of time, and each ends within the one around it.
  virtual void begin(Nanoseconds at, const TimelineSlice& slice) = 0;
  /// `energy` is that of a layer or component, which is known only now; empty if it, or a part of
  /// it, was not measured, and for other levels.
  virtual void end(Nanoseconds at, Level level, const std::optional<Joules>& energy) = 0;
  /// A slice without others in it.
  virtual void operation(Nanoseconds begin, Nanoseconds end, std::string_view name,
                         const std::optional<Joules>& energy) = 0;

  /// From now on a counter has this value. Each counter's values come in order of time.
  virtual void count(Nanoseconds at, const TimelineCounter& counter, double value) = 0;
  /// A domain's power was not measured: its counter says nothing about this time.
  virtual void not_measured(Nanoseconds begin, Nanoseconds end, std::size_t domain,
                            std::string_view name) = 0;
};

/// Reads a run and tells it to a writer: the run, its phases, sections and tokens, and within them
/// layers, components and operations; then power and other readings. A section that ran several
/// times is left out, since only its first begin and its sum are stored. Memory grows with the
/// model, not with the run's length.
class RunTimeline {
 public:
  explicit RunTimeline(std::unique_ptr<RunSource> source);
  ~RunTimeline();

  [[nodiscard]] const ProfiledRun& head() const;
  /// Tells some events; false if there are no more. Errors: those of the source.
  [[nodiscard]] Result<bool> next(TimelineWriter& writer);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace enprof
