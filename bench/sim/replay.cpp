#include "bench/sim/replay.hpp"

#include "attribution/replay_schedule.hpp"
#include "bench/sim/power_writer.hpp"
#include "bench/sim/random.hpp"

namespace enprof::sim {
namespace {

/// Operations are written together until they fill this time: there are millions of them.
constexpr double kPiece = 250e-6;

Disturbance without_others(Disturbance disturbance) {
  disturbance.second_process_w = 0.0;
  return disturbance;
}

class Replaying {
 public:
  Replaying(const Program& program, const ProgramOptions& run, const ReplayOptions& options)
      : program_(program),
        run_(run),
        options_(options),
        disturbance_(without_others(run.disturbance)),
        random_(options.seed),
        power_(run_.machine, disturbance_, random_) {
    for (std::uint32_t work = 0; work < program.classes.size(); ++work) {
      const ReplayDifference& difference = options.difference;
      const double cached = random_.uniform(-difference.cached, difference.cached);
      const double power = random_.factor(difference.power);
      if (!program.work[work].pass.empty()) {
        classes_.push_back(work);
        alone_.push_back({.cached = cached, .power = power});
      }
    }
    next_.resize(classes_.size());
  }

  Replay perform() {
    const std::vector<double> alike(classes_.size(), 1.0);  // all of them fit
    const auto turns = schedule_replay(alike, options_.budget, options_.window).turns;
    for (const ReplayTurn& turn : turns) {  // the machine gets as warm as it will be
      if (power_.now() - Instant{} >= options_.warm_up) {
        break;
      }
      take_turn(turn);
    }
    Replay result;
    for (const ReplayTurn& turn : turns) {
      result.slices.push_back(take_turn(turn));
    }
    result.trace = power_.take();
    return result;
  }

 private:
  struct Alone {
    double cached;
    double power;
  };

  ReplaySlice take_turn(const ReplayTurn& turn) {
    const ClassWork& work = program_.work[classes_[turn.work]];
    const Alone& alone = alone_[turn.work];
    ReplaySlice slice{.work = classes_[turn.work], .begin = power_.now()};
    while (power_.now() - slice.begin < turn.length) {
      double time_s = 0.0;
      double joules = 0.0;
      while (time_s < kPiece) {
        OperationCost cost = work.pass[next_[turn.work]++ % work.pass.size()];
        cost.bytes_s *= 1.0 - alone.cached;
        const double length_s =
            duration_s(run_.machine, cost) * random_.factor(disturbance_.time_noise);
        joules += length_s * dynamic_w(run_.machine, cost) * work.factor * alone.power *
                  random_.factor(disturbance_.operation_noise);
        time_s += length_s;
        ++slice.operations;
      }
      power_.spend(from_ms(time_s * 1e3), run_.machine.idle_w + joules / time_s);
    }
    slice.end = power_.now();
    return slice;
  }

  const Program& program_;
  const ProgramOptions& run_;
  const ReplayOptions& options_;
  Disturbance disturbance_;
  Random random_;
  PowerWriter power_;
  std::vector<std::uint32_t> classes_;  // of operations
  std::vector<Alone> alone_;            // as classes_
  std::vector<std::size_t> next_;       // as classes_: the operation with which it goes on
};

}  // namespace

Replay replay(const Program& program, const ProgramOptions& run, const ReplayOptions& options) {
  return Replaying(program, run, options).perform();
}

}  // namespace enprof::sim
