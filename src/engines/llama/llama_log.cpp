#include "engines/llama/llama_log.hpp"

#include "base/last_words.hpp"
#include "base/log.hpp"
#include "engines/llama/llama_guard.hpp"

#include <llama.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <string_view>

namespace enprof {
namespace {

constexpr Logger kLog{"llama"};

/// Collects a line, which llama.cpp writes in several pieces.
struct PendingLine {
  std::string text;
  ggml_log_level level = GGML_LOG_LEVEL_INFO;
};
thread_local PendingLine pending;
thread_local LlamaLogCapture* innermost = nullptr;

void on_log(ggml_log_level level, const char* text, void* /*user_data*/) {
  if (text == nullptr) {
    return;
  }
  try {
    if (level != GGML_LOG_LEVEL_CONT) {
      pending.level = std::max(level, pending.text.empty() ? level : pending.level);
    }
    const bool is_trouble =
        pending.level == GGML_LOG_LEVEL_WARN || pending.level == GGML_LOG_LEVEL_ERROR;
    if (!is_trouble && !LlamaLogCapture::active() && !log_enabled(LogLevel::debug)) {
      pending.text.clear();
      return;
    }
    pending.text += text;
    for (std::size_t end = pending.text.find('\n'); end != std::string::npos;
         end = pending.text.find('\n')) {
      const std::string line = pending.text.substr(0, end);
      pending.text.erase(0, end + 1);
      if (!line.empty()) {
        kLog.debug("{}", line);
        if (is_trouble) {
          remember_line(line);
        }
        LlamaLogCapture::deliver(pending.level, line);
      }
    }
  } catch (...) {
    pending.text.clear();  // llama.cpp calls from C code: no exception may leave
  }
}

/// Removes the names of llama.cpp's functions and the prefixes of every failed load.
std::string_view without_prefixes(std::string_view line) {
  constexpr std::array kIntroductions{
      "error loading model: ", "error loading model hyperparameters: ",
      "error loading model vocabulary: ", "failed to initialize the context: "};
  const std::size_t colon = line.find(": ");
  if (colon != std::string_view::npos && line.find(' ') > colon) {
    line.remove_prefix(colon + 2);
  }
  for (const std::string_view introduction : kIntroductions) {
    if (line.starts_with(introduction)) {
      line.remove_prefix(introduction.size());
    }
  }
  while (line.ends_with(' ') || line.ends_with('\n')) {
    line.remove_suffix(1);
  }
  return line;
}

bool says_nothing(std::string_view line) {
  return line == "failed to load model" || line.starts_with("failed to read ");
}

}  // namespace

void start_llama() {
  static std::once_flag once;
  std::call_once(once, [] {
    llama_log_set(on_log, nullptr);
    ggml_set_abort_callback(on_llama_abort);
    llama_backend_init();
  });
}

LlamaLogCapture::LlamaLogCapture(ggml_log_level lowest) : lowest_(lowest), outer_(innermost) {
  innermost = this;
}

LlamaLogCapture::~LlamaLogCapture() { innermost = outer_; }

bool LlamaLogCapture::active() noexcept { return innermost != nullptr; }

void LlamaLogCapture::deliver(ggml_log_level level, const std::string& line) {
  for (LlamaLogCapture* capture = innermost; capture != nullptr; capture = capture->outer_) {
    if (level >= capture->lowest_ && capture->lines_.size() < kMaxLines) {
      capture->lines_.push_back(line);
    }
  }
}

std::string LlamaLogCapture::reason() const {
  std::string_view best;
  for (const std::string& line : lines_) {
    const std::string_view text = without_prefixes(line);
    if (best.empty() || (says_nothing(best) && !says_nothing(text))) {
      best = text;
    }
  }
  return std::string(best);
}

}  // namespace enprof
