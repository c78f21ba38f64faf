// The boundary to llama.cpp: turns exceptions and failed assertions into errors.
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

/// While an object of this class lives on a thread, a failed assertion of llama.cpp on that thread
/// throws instead of ending the process. This works for everything that runs on the calling thread
/// alone, including graphs that it computes alone. Threads that compute a graph together cannot be
/// unwound: a failed assertion there ends the program, with a message.
class LlamaGuard {
 public:
  /// How many threads compute graphs while the guard lives.
  enum class Threads : std::uint8_t { one, many };
  explicit LlamaGuard(Threads threads = Threads::one) noexcept;
  LlamaGuard(const LlamaGuard&) = delete;
  LlamaGuard& operator=(const LlamaGuard&) = delete;
  ~LlamaGuard();

 private:
  Threads threads_;
};

/// ggml's abort callback: throws if a LlamaGuard lives and the thread can be unwound; else ends the
/// program and says what failed (see end_with_last_words).
void on_llama_abort(const char* message);

/// The prefix that guarded() puts before llama.cpp's message.
inline constexpr std::string_view kLlamaFailed = "llama.cpp failed: ";

/// Calls `work` under a LlamaGuard. Errors: too_large if memory ran out; internal with llama.cpp's
/// own message for everything else that it throws.
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
