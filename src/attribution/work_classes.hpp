// Assigns a kind of work to each piece of time.
#pragma once

#include "enprof/model/span.hpp"

#include "attribution/span_tiling.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace enprof {

/// The class of a span for which the caller gave none.
inline constexpr std::uint32_t kNoClass = ~std::uint32_t{0};
/// The most kinds of work that are distinguished: beyond it, those that took the least time are
/// merged, by phase.
inline constexpr std::size_t kMostClasses = 160;

/// Numbers the tiles' kinds of work from 0 on, in Tile::work, and returns how many there are. The
/// kind of a tile is its span's class; spans without a class share a kind with those of the same
/// phase, level and name. `classes` goes with the spans; it may be shorter, or empty.
///
/// Within a class, work of different length is different work, in steps of half an octave from the
/// usual length: attention grows with the context, and its power changes with it. A length that
/// fewer than one in fifty pieces have is not work but an interruption; all interruptions of a
/// phase are one kind.
[[nodiscard]] std::size_t assign_work(std::span<const Span> spans,
                                      std::span<const std::uint32_t> classes, SpanTiling& tiling);

/// By kind of work, of which there are `count`: the class that the caller gave to all its pieces;
/// kNoClass if it gave none, or if they belong to several. Call after assign_work.
[[nodiscard]] std::vector<std::uint32_t> classes_of_work(std::span<const Span> spans,
                                                         std::span<const std::uint32_t> classes,
                                                         const SpanTiling& tiling,
                                                         std::size_t count);

}  // namespace enprof
