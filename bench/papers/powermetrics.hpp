// powermetrics of macOS, after its manual page: every N ms (-i) it writes a sample with the time
// that it covers (elapsed_ns, a little more than N ms, as the timer that wakes it is late) and the
// mean power of the CPU in that time, in whole mW. Samples follow one another without a gap.
#pragma once

#include "bench/papers/dice.hpp"
#include "bench/papers/power_course.hpp"
#include "bench/papers/readings.hpp"

namespace enprof::papers {

struct Powermetrics {
  double interval_s = 0.1;
  double late_s = 1.5e-3;   ///< chosen: mean delay of the timer
  double write_s = 0.4e-3;  ///< chosen: mean time from the end of a sample until it is read
};
/// The reader takes a sample's arrival for its end.
[[nodiscard]] Readings read_powermetrics(const PowerCourse& course, const Powermetrics& tool,
                                         Dice& dice);

}  // namespace enprof::papers
