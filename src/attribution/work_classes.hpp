// Which kind of work each piece of time was.
#pragma once

#include "enprof/model/span.hpp"

#include "attribution/span_tiling.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace enprof {

/// A span's class where nobody has said one.
inline constexpr std::uint32_t kNoClass = ~std::uint32_t{0};
/// More kinds of work than this cannot be told apart: the ones that took least time are then taken
/// together, by phase.
inline constexpr std::size_t kMostClasses = 160;

/// Numbers the tiles' kinds of work from 0 on, in Tile::work, and returns how many there are. A
/// tile's
/// kind is its span's class; a span without one is of a kind with those of its phase, level and
/// name. `classes` goes with the spans; it may be shorter, or empty.
///
/// Within a class, work of different length is different work, in steps of half an octave from the
/// usual length: attention grows with the context, and draws another power as it does. A length
/// that fewer than one in fifty have is not work but an interruption; these are one kind of their
/// own in each phase.
[[nodiscard]] std::size_t assign_work(std::span<const Span> spans,
                                      std::span<const std::uint32_t> classes, SpanTiling& tiling);

}  // namespace enprof
