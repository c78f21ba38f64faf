// The keys of a GGUF file, read without trusting their types.
#pragma once

#include "engines/llama/llama_handles.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

/// Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. gguf's own getters abort
/// where a key has another type than the caller thinks; these give nothing instead.
class GgufMetadata {
 public:
  explicit GgufMetadata(GgufPtr gguf) noexcept : gguf_(std::move(gguf)) {}

  [[nodiscard]] bool has(const std::string& key) const;
  [[nodiscard]] std::optional<std::string> text(const std::string& key) const;
  [[nodiscard]] std::optional<bool> boolean(const std::string& key) const;
  /// Of any integer type that fits.
  [[nodiscard]] std::optional<std::int64_t> integer(const std::string& key) const;
  /// An array of integers, or one integer as an array of one; empty where it is neither.
  [[nodiscard]] std::vector<std::int64_t> integers(const std::string& key) const;

  /// The same of floating-point numbers.
  [[nodiscard]] std::vector<double> reals(const std::string& key) const;

  /// general.architecture; empty where it is missing.
  [[nodiscard]] std::string architecture() const;
  /// "llama.block_count" for "block_count".
  [[nodiscard]] std::string own_key(std::string_view key) const;

  [[nodiscard]] const gguf_context* gguf() const noexcept { return gguf_.get(); }

 private:
  [[nodiscard]] std::int64_t find(const std::string& key) const;

  GgufPtr gguf_;
};

}  // namespace enprof
