#include "power/rapl/mirrored_counters.hpp"

#include <algorithm>
#include <cstdint>

namespace enprof {
namespace {

/// How often two counters are looked at: about a step.
constexpr Nanoseconds kLook = std::chrono::milliseconds{1};

enum class Verdict : std::uint8_t { undecided, one, apart };

std::uint64_t distance(std::uint64_t one, std::uint64_t other) {
  return one > other ? one - other : other - one;
}

/// Watches two counters that may be one.
class Pair {
 public:
  Pair(CounterInput& one, CounterInput& other, bool from_zero)
      : one_(&one), other_(&other), from_zero_(from_zero) {}

  Verdict look() {
    const auto before = one_->read();
    const auto value = other_->read();
    const auto after = one_->read();
    if (!before || !value || !after) {
      return Verdict::apart;  // unreadable counters are reported elsewhere
    }
    if (*before != *after) {
      return Verdict::undecided;  // it stepped in between
    }
    if (!has_last_) {
      has_last_ = true;
      last_ = {.one = *before, .other = *value};
      return from_zero_ ? Verdict::undecided : compare_values(*before, *value);
    }
    if (*before == last_.one && *value == last_.other) {
      return Verdict::undecided;
    }
    const std::uint64_t step = distance(*before, last_.one);
    const std::uint64_t other_step = distance(*value, last_.other);
    last_ = {.one = *before, .other = *value};
    largest_step_ = std::max(largest_step_, step);
    ++steps_;
    return from_zero_ ? compare_steps(step, other_step) : compare_values(*before, *value);
  }

  /// Whether both were last seen at one value at which no counter begins, however few steps they
  /// took: a slow counter, or a busy machine.
  [[nodiscard]] bool ended_as_one() const {
    return !from_zero_ && last_.one == last_.other && last_.one > 0;
  }

 private:
  struct Values {
    std::uint64_t one = 0;
    std::uint64_t other = 0;
  };

  [[nodiscard]] Verdict compare_values(std::uint64_t one, std::uint64_t other) const {
    // Both may show one register at different times: no more than a step apart. Before the first
    // step nothing is known of how large one is: a socket at 1 kW counts 1 J in a millisecond.
    constexpr std::uint64_t kLargestFirstStep = 1'000'000;
    if (distance(one, other) > (steps_ == 0 ? kLargestFirstStep : largest_step_)) {
      return Verdict::apart;
    }
    return steps_ >= kMirrorSteps ? Verdict::one : Verdict::undecided;
  }

  Verdict compare_steps(std::uint64_t step, std::uint64_t other_step) {
    sum_ += step;
    other_sum_ += other_step;
    largest_step_ = std::max(largest_step_, other_step);
    if (distance(sum_, other_sum_) > 2 * largest_step_) {
      return Verdict::apart;
    }
    if (step == other_step) {
      ++equal_steps_;
      varies_ = varies_ || (equal_steps_ > 1 && first_step_ != step);
      first_step_ = equal_steps_ > 1 ? first_step_ : step;
    }
    return equal_steps_ >= kMirrorSteps && varies_ ? Verdict::one : Verdict::undecided;
  }

  CounterInput* one_;
  CounterInput* other_;
  bool from_zero_;
  bool has_last_ = false;
  Values last_;
  std::uint64_t first_step_ = 0;
  std::uint64_t largest_step_ = 0;
  std::size_t steps_ = 0;
  std::uint64_t sum_ = 0;
  std::uint64_t other_sum_ = 0;
  std::size_t equal_steps_ = 0;
  bool varies_ = false;
};

bool are_one(const RaplCounter& one, const RaplCounter& other, const Clock& clock,
             const Sleeper& sleeper) {
  Pair pair(*one.input, *other.input, one.begins_at_zero);
  const Instant end = clock.now() + kLongestMirrorWatch;
  for (Instant now = clock.now(); now < end; now = clock.now()) {
    const Verdict verdict = pair.look();
    if (verdict != Verdict::undecided) {
      return verdict == Verdict::one;
    }
    sleeper.sleep_until(now + kLook);
  }
  return pair.ended_as_one();
}

}  // namespace

std::vector<MirroredCounter> find_mirrored(const std::vector<RaplCounter>& counters,
                                           const Clock& clock, const Sleeper& sleeper) {
  std::vector<MirroredCounter> result;
  const auto is_mirrored = [&](std::size_t index) {
    return std::ranges::find(result, index, &MirroredCounter::counter) != result.end();
  };
  for (std::size_t index = 0; index < counters.size(); ++index) {
    const RaplCounter& counter = counters[index];
    // Cores of one die are not those of another, whatever they show.
    if (!counter.die_of || counter.domain.kind == DomainKind::core ||
        counter.domain.kind == DomainKind::uncore) {
      continue;
    }
    for (std::size_t earlier = 0; earlier < index; ++earlier) {
      const RaplCounter& original = counters[earlier];
      if (original.die_of == counter.die_of && original.domain.kind == counter.domain.kind &&
          !is_mirrored(earlier) && are_one(original, counter, clock, sleeper)) {
        result.push_back({.counter = index, .original = earlier});
        break;
      }
    }
  }
  return result;
}

}  // namespace enprof
