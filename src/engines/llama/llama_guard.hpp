// The boundary to llama.cpp: exceptions and failed assertions come back as errors.
#pragma once

#include "enprof/base/error.hpp"

#include <cstdint>
#include <exception>
#include <new>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace enprof {

/// While one of these lives on a thread, a failed assertion of llama.cpp on that thread throws
/// instead of ending the process: all that is done on the calling thread alone, and graphs that are
/// computed by it alone. The threads that compute a graph together cannot be unwound: there a
/// failed assertion ends the program, with a word.
class LlamaGuard {
 public:
  /// How many threads compute the graphs in it.
  enum class Threads : std::uint8_t { one, many };
  explicit LlamaGuard(Threads threads = Threads::one) noexcept;
  LlamaGuard(const LlamaGuard&) = delete;
  LlamaGuard& operator=(const LlamaGuard&) = delete;
  ~LlamaGuard();

 private:
  Threads threads_;
};

/// ggml's abort callback: throws where a LlamaGuard lives and the thread can be unwound, else ends
/// the program and says what failed (see end_with_last_words).
void on_llama_abort(const char* message);

/// What guarded() puts before llama.cpp's own words.
inline constexpr std::string_view kLlamaFailed = "llama.cpp failed: ";

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
    return fail(ErrorCode::internal, std::string(kLlamaFailed) + error.what());
  }
}

}  // namespace enprof
