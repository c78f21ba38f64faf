#pragma once

namespace enprof::bench {

/// Prints the figures scope.*: what one section and one token cost the inference's thread.
void bench_scopes();

}  // namespace enprof::bench
