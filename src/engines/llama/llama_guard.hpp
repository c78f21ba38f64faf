// The boundary to llama.cpp: exceptions and failed assertions come back as errors.
#pragma once

#include "enprof/base/error.hpp"

#include <exception>
#include <new>
#include <string>
#include <type_traits>
#include <utility>

namespace enprof {

/// While one of these lives on a thread, a failed assertion of llama.cpp on that thread throws
/// instead of ending the process. For set-up work on the calling thread only: the compute threads
/// of a running graph cannot be unwound, so there ggml still aborts.
class LlamaGuard {
 public:
  LlamaGuard() noexcept;
  LlamaGuard(const LlamaGuard&) = delete;
  LlamaGuard& operator=(const LlamaGuard&) = delete;
  ~LlamaGuard();
};

/// ggml's abort callback: throws where a LlamaGuard lives, else logs what failed.
void on_llama_abort(const char* message);

/// Calls `work` under a LlamaGuard. Errors: too_large where memory ran out; internal with
/// llama.cpp's own words for everything else that it throws.
template <class Work>
[[nodiscard]] auto guarded(Work&& work) -> Result<std::invoke_result_t<Work>> {
  const LlamaGuard guard;
  try {
    if constexpr (std::is_void_v<std::invoke_result_t<Work>>) {
      std::forward<Work>(work)();
      return {};
    } else {
      return std::forward<Work>(work)();
    }
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::too_large, "llama.cpp ran out of memory",
                "Use a smaller model, a smaller --ctx, or a machine with more memory.");
  } catch (const std::exception& error) {
    return fail(ErrorCode::internal, std::string("llama.cpp failed: ") + error.what());
  }
}

}  // namespace enprof
