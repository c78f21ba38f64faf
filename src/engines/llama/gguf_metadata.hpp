// Reads the keys of a GGUF file without trusting their types.
#pragma once

#include "engines/llama/llama_handles.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

/// Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. gguf's own getters abort if a
/// key has another type than the caller expects; these return empty values instead.
class GgufMetadata {
 public:
  explicit GgufMetadata(GgufPtr gguf) noexcept : gguf_(std::move(gguf)) {}

  [[nodiscard]] bool has(const std::string& key) const;
  [[nodiscard]] std::optional<std::string> text(const std::string& key) const;
  [[nodiscard]] std::optional<bool> boolean(const std::string& key) const;
  /// The value of a key of any integer type, if it fits.
  [[nodiscard]] std::optional<std::int64_t> integer(const std::string& key) const;
  /// An array of integers, or one integer as an array of one; empty for other types.
  [[nodiscard]] std::vector<std::int64_t> integers(const std::string& key) const;

  /// The same for floating-point numbers.
  [[nodiscard]] std::vector<double> reals(const std::string& key) const;

  /// general.architecture; empty if it is missing.
  [[nodiscard]] std::string architecture() const;
  /// "llama.block_count" for "block_count".
  [[nodiscard]] std::string own_key(std::string_view key) const;

  [[nodiscard]] const gguf_context* gguf() const noexcept { return gguf_.get(); }

 private:
  [[nodiscard]] std::int64_t find(const std::string& key) const;

  GgufPtr gguf_;
};

}  // namespace enprof
