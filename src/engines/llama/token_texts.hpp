// The texts of a model's tokens.
#pragma once

#include "enprof/base/error.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

struct llama_model;

namespace enprof {

/// Reads the vocabulary of a model's file, and nothing else of it. Threads: one.
class TokenTexts {
 public:
  /// Errors: those of check_model(); malformed, with llama.cpp's reason.
  [[nodiscard]] static Result<TokenTexts> open(const std::filesystem::path& path);

  /// What a token adds to the text, which may be a part of a character; empty for control tokens
  /// and for what is no token of this vocabulary.
  [[nodiscard]] std::string text_of(std::int32_t token) const;

 private:
  explicit TokenTexts(std::shared_ptr<const llama_model> model) : model_(std::move(model)) {}

  std::shared_ptr<const llama_model> model_;
};

}  // namespace enprof
