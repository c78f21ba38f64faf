#include "engines/llama/llama_guard.hpp"

#include "base/log.hpp"

#include <stdexcept>
#include <string_view>

namespace enprof {
namespace {

constexpr Logger kLog{"llama"};

thread_local int guards = 0;

/// "/build/place/src/file.cpp:12: text" → "file.cpp:12: text".
std::string_view without_directory(std::string_view message) {
  const std::size_t colon = message.find(':');
  const std::size_t slash = message.substr(0, colon).rfind('/');
  return slash == std::string_view::npos ? message : message.substr(slash + 1);
}

}  // namespace

LlamaGuard::LlamaGuard() noexcept { ++guards; }
LlamaGuard::~LlamaGuard() { --guards; }

void on_llama_abort(const char* message) {
  const std::string_view text = without_directory(message == nullptr ? "" : message);
  if (guards > 0) {
    throw std::runtime_error(std::string(text));
  }
  kLog.error("llama.cpp gave up: {}", text);
}

}  // namespace enprof
