// A check of every result that also works in builds without assert.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace enprof::fuzz {

/// Ends the program if the condition is false: libFuzzer then keeps the input.
inline void check(bool holds, const char* what) {
  if (!holds) {
    std::fprintf(stderr, "does not hold: %s\n", what);
    std::abort();
  }
}

}  // namespace enprof::fuzz
