// What must hold of every result, also in builds without assert.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace enprof::fuzz {

/// Ends the program where it does not hold: libFuzzer then keeps the input.
inline void check(bool holds, const char* what) {
  if (!holds) {
    std::fprintf(stderr, "does not hold: %s\n", what);
    std::abort();
  }
}

}  // namespace enprof::fuzz
