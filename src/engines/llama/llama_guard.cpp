#include "engines/llama/llama_guard.hpp"

#include "base/last_words.hpp"

#include <llama.h>

#include <array>
#include <cstdio>
#include <stdexcept>
#include <string_view>

// OpenMP's function, if llama.cpp was built with OpenMP: how many parallel regions the thread is
// in.
extern "C" __attribute__((weak)) int omp_get_level();

namespace enprof {
namespace {

thread_local int guards = 0;
thread_local int parallel_guards = 0;

bool computes_with_openmp() {
  static const bool answer =
      omp_get_level != nullptr &&
      std::string_view(llama_print_system_info()).find("OPENMP = 1") != std::string_view::npos;
  return answer;
}

/// Whether this thread may be computing a graph with others, which wait for it at a barrier.
bool is_computing_with_others() {
  return computes_with_openmp() ? omp_get_level() > 0 : parallel_guards > 0;
}

/// "/build/place/src/file.cpp:12: text" → "file.cpp:12: text".
std::string_view without_directory(std::string_view message) {
  const std::size_t colon = message.find(':');
  const std::size_t slash = message.substr(0, colon).rfind('/');
  return slash == std::string_view::npos ? message : message.substr(slash + 1);
}

}  // namespace

LlamaGuard::LlamaGuard(Threads threads) noexcept : threads_(threads) {
  ++guards;
  parallel_guards += threads_ == Threads::many ? 1 : 0;
}
LlamaGuard::~LlamaGuard() {
  --guards;
  parallel_guards -= threads_ == Threads::many ? 1 : 0;
}

void on_llama_abort(const char* message) {
  const std::string_view text = without_directory(message == nullptr ? "" : message);
  if (guards > 0 && !is_computing_with_others()) {
    throw std::runtime_error(std::string(text));
  }
  std::array<char, 1024> reason{};
  std::snprintf(reason.data(), reason.size(), "llama.cpp gave up: %.*s",
                static_cast<int>(text.size()), text.data());
  end_with_last_words(reason.data());
}

}  // namespace enprof
