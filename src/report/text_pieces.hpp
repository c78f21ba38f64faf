// Hands out a finished text in pieces.
#pragma once

#include "base/text_stream.hpp"

#include <cstddef>
#include <string>
#include <utility>

namespace enprof {

/// A text that is in memory as a whole, as pieces of a TextStream.
class TextPieces {
 public:
  explicit TextPieces(std::string text) : text_(std::move(text)) {}

  /// Appends the next piece; false if it was the last one.
  bool next(std::string& text) {
    text.append(text_, at_, TextStream::kPiece);
    at_ += TextStream::kPiece;
    return at_ < text_.size();
  }

 private:
  std::string text_;
  std::size_t at_ = 0;
};

}  // namespace enprof
