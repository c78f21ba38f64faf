// A text that is made while it is written or sent.
#pragma once

#include "enprof/base/error.hpp"

#include <cstddef>
#include <string>

namespace enprof {

/// Gives a text away piece by piece, so that it is never in memory as a whole. Threads: one at a
/// time.
class TextStream {
 public:
  /// About how long a piece is.
  static constexpr std::size_t kPiece = std::size_t{48} << 10U;

  TextStream() = default;
  TextStream(const TextStream&) = delete;
  TextStream& operator=(const TextStream&) = delete;
  virtual ~TextStream() = default;

  /// Appends the next piece; false where it was the last one. Not called again after that, nor
  /// after an error.
  [[nodiscard]] virtual Result<bool> next(std::string& text) = 0;
};

}  // namespace enprof
