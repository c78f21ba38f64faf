// A text that is produced while it is written or sent.
#pragma once

#include "enprof/base/error.hpp"

#include <cstddef>
#include <string>

namespace enprof {

/// Returns a text piece by piece, so that it is never in memory as a whole. Threads: one at a time.
class TextStream {
 public:
  /// The approximate length of a piece, in bytes.
  static constexpr std::size_t kPiece = std::size_t{48} << 10U;

  TextStream() = default;
  TextStream(const TextStream&) = delete;
  TextStream& operator=(const TextStream&) = delete;
  virtual ~TextStream() = default;

  /// Appends the next piece; false if it was the last one. Not called again after that, nor after
  /// an error.
  [[nodiscard]] virtual Result<bool> next(std::string& text) = 0;
};

}  // namespace enprof
