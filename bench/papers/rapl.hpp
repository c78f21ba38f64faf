// RAPL, after what is published about it.
//
// - Raffin and Trystram, "Dissecting the software-based measurement of CPU energy consumption"
//   (arXiv 2401.15985): a 32-bit register of energy in units of 2⁻¹⁴ J (61 µJ) or 2⁻¹⁶ J (15.3 µJ),
//   which the hardware updates about once a millisecond, and which goes around.
// - Hähnel, Döbel, Völp, Härtig, "Measuring energy consumption for short code paths using RAPL"
//   (SIGMETRICS Performance Evaluation Review 40(3), 2012): the updates do not come at exact
//   intervals; to measure a short piece of code, one waits in a loop for an update, and again after
//   the code; system management interrupts delay what is measured.
//
// Where they give no number, this file chooses one, and says so.
#pragma once

#include "bench/papers/dice.hpp"
#include "bench/papers/power_course.hpp"
#include "bench/papers/readings.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace enprof::papers {

/// The register. Each interval between updates varies by itself, so the updates wander: they keep
/// to no grid.
class RaplRegister {
 public:
  struct Facts {
    double interval_s = 1e-3;
    double jitter_s = 7e-6;            ///< chosen: 20 000 cycles at 2.8 GHz
    double unit_j = 1.0 / 16384;       ///< 61 µJ
    double delayed = 5e-4;             ///< chosen: chance that an interrupt delays an update
    double delay_s = 150e-6;           ///< chosen: mean of that delay
    std::uint32_t start = 4294900000;  ///< it goes around within a run
  };

  RaplRegister(const PowerCourse& course, const Facts& facts, Dice& dice);

  struct Update {
    double at_s = 0.0;
    std::uint32_t value = 0;
  };
  /// Each update of the course's time.
  [[nodiscard]] const std::vector<Update>& updates() const { return updates_; }
  [[nodiscard]] double joules(std::uint32_t from, std::uint32_t to) const {
    return static_cast<double>(to - from) * facts_.unit_j;  // modulo 2³²
  }
  [[nodiscard]] const Facts& facts() const { return facts_; }

 private:
  Facts facts_;
  std::vector<Update> updates_;
};

/// Hähnel's way: sleeps until an update is due, then reads in a loop until the value changes.
struct AlignedReader {
  int updates = 1;            ///< from one reading to the next
  double look_s = 1.2e-6;     ///< chosen: one read of the register in the loop
  double early_s = 80e-6;     ///< chosen: wakes up this much before the update is due
  double late_s = 30e-6;      ///< chosen: mean delay of waking up
  double interrupted = 2e-3;  ///< chosen: chance that an interrupt falls between the last two reads
  double interrupt_s = 20e-6;  ///< chosen: its mean length
};
[[nodiscard]] Readings read_rapl(const RaplRegister& source, const AlignedReader& reader,
                                 Dice& dice);

/// As most tools do: sleeps, reads, sleeps again. The value is of the last update, whenever it was:
/// it is stamped half an interval before it was read, which is its mean age.
struct PacedReader {
  double sleep_s = 1e-3;
  double late_s = 60e-6;  ///< chosen: mean delay of waking up, which adds to each round
};
[[nodiscard]] Readings read_rapl(const RaplRegister& source, const PacedReader& reader, Dice& dice);

}  // namespace enprof::papers
