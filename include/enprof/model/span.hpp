// A piece of an engine's work in time.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/model/names.hpp"

#include <cstdint>
#include <type_traits>

namespace enprof {

/// A piece of work between two instants. Spans form a tree: a span's parent comes before it in its
/// list and contains it in time. It has a fixed size and no pointers, so a list of spans can lie in
/// shared memory and be written by another process.
struct Span {
  static constexpr std::int32_t kNone = -1;

  Instant begin;
  Instant end;
  std::int32_t parent = kNone;  ///< index in the list, or kNone for the run
  std::int32_t token = kNone;   ///< index of the output token that it worked for, or kNone
  std::uint16_t name = 0;       ///< index into the list of names that goes with the spans
  Level level = Level::run;
  Phase phase = Phase::pre_inference;

  [[nodiscard]] Nanoseconds duration() const { return end - begin; }
  friend bool operator==(const Span&, const Span&) = default;
};
static_assert(std::is_trivially_copyable_v<Span> && sizeof(Span) == 32);

}  // namespace enprof
