#include "bench/sim/replay.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace enprof::sim {
namespace {

/// Mean power of each class in a program.
std::vector<double> powers_in_run(const Program& program) {
  std::vector<double> joules(program.classes.size());
  std::vector<double> time_s(program.classes.size());
  for (std::size_t index = 0; index < program.spans.size(); ++index) {
    if (const std::uint32_t work = program.class_of[index]; work != Program::kNone) {
      joules[work] += program.truth(program.spans[index]).value();
      time_s[work] += seconds(program.spans[index].duration());
    }
  }
  for (std::size_t work = 0; work < joules.size(); ++work) {
    joules[work] /= time_s[work];
  }
  return joules;
}

struct Replayed {
  Program program;
  Replay replay;
};

Replayed replayed(const ReplayDifference& difference) {
  ProgramOptions options = sample_programs(3)[0];
  options.disturbance.preemptions = 0.0;
  options.disturbance.drift = 0.0;
  options.disturbance.settling = 0.0;
  options.output_tokens = 100;
  Program program = simulate(options);
  Replay replay =
      sim::replay(program, options,
                  {.difference = difference,
                   .budget = std::chrono::seconds{20},  // a turn for each of its classes
                   .warm_up = std::chrono::milliseconds{100},
                   .seed = 5});
  return {.program = std::move(program), .replay = std::move(replay)};
}

/// Root mean square of the relative differences between the power of classes alone and in the run.
double spread(const Replayed& what) {
  const std::vector<double> in_run = powers_in_run(what.program);
  double squares = 0.0;
  for (const ReplaySlice& slice : what.replay.slices) {
    const double alone =
        what.replay.trace.energy(slice.begin, slice.end).value() / seconds(slice.end - slice.begin);
    squares += std::pow(alone / in_run[slice.work] - 1.0, 2);
  }
  return std::sqrt(squares / static_cast<double>(what.replay.slices.size()));
}

TEST(Replay, EachClassOfOperationsHasItsTurns) {
  const Replayed what = replayed({});
  std::vector<int> turns(what.program.classes.size());
  for (const ReplaySlice& slice : what.replay.slices) {
    EXPECT_GT(slice.operations, 0U);
    EXPECT_GT(slice.end, slice.begin);
    ++turns[slice.work];
  }
  for (std::size_t work = 0; work < turns.size(); ++work) {
    EXPECT_EQ(turns[work] > 0, !what.program.work[work].pass.empty()) << work;
  }
}

TEST(Replay, WithoutADifferenceAClassDrawsWhatItDrawsInTheRun) {
  EXPECT_LT(spread(replayed({.cached = 0.0, .power = 0.0})), 0.03);
}

TEST(Replay, ADifferenceIsSeenInThePower) {
  EXPECT_GT(spread(replayed({.cached = 0.0, .power = 0.10})), 0.04);
}

}  // namespace
}  // namespace enprof::sim
