// The section in which a benchmark fills the context before the prompt.
#pragma once

namespace enprof {

/// A conversation would have filled the context before: this section of pre_inference is not a part
/// of the time to the first token.
inline constexpr const char* kContextFillSection = "context_fill";

}  // namespace enprof
