// Sends llama.cpp's log to ours, and keeps its last messages to explain a failure.
#pragma once

#include <ggml.h>

#include <string>
#include <vector>

namespace enprof {

/// Starts llama.cpp once per process: its log and ggml's go to ours at debug level (component
/// "llama"), and a failed assertion no longer prints a backtrace. Threads: any.
void start_llama();

/// Collects what llama.cpp logs on this thread while the object lives. Captures nest.
class LlamaLogCapture {
 public:
  explicit LlamaLogCapture(ggml_log_level lowest = GGML_LOG_LEVEL_ERROR);
  LlamaLogCapture(const LlamaLogCapture&) = delete;
  LlamaLogCapture& operator=(const LlamaLogCapture&) = delete;
  ~LlamaLogCapture();

  [[nodiscard]] const std::vector<std::string>& lines() const noexcept { return lines_; }
  /// The line that best explains a failure, without llama.cpp's function names; empty if nothing
  /// was logged.
  [[nodiscard]] std::string reason() const;

  /// For the log's callback: gives a whole line to each capture of this thread that accepts its
  /// level.
  static void deliver(ggml_log_level level, const std::string& line);
  [[nodiscard]] static bool active() noexcept;

 private:
  static constexpr std::size_t kMaxLines = 100'000;

  ggml_log_level lowest_;
  LlamaLogCapture* outer_;
  std::vector<std::string> lines_;
};

}  // namespace enprof
