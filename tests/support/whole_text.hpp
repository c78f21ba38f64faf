// Reads a TextStream to its end.
#pragma once

#include "base/text_stream.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <string>

namespace enprof::testing {

/// All pieces of a text, none of which may be long. An error fails the test.
inline std::string whole_text(TextStream& stream) {
  std::string text;
  for (bool more = true; more;) {
    const std::size_t before = text.size();
    const auto made = stream.next(text);
    if (!made) {
      ADD_FAILURE() << made.error().message;
      break;
    }
    EXPECT_LT(text.size() - before, 4 * TextStream::kPiece);
    more = *made;
  }
  return text;
}

}  // namespace enprof::testing
