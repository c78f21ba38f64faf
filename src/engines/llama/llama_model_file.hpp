// A model file whose header was read, but that is not loaded yet.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/model/model_facts.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>

namespace enprof {

struct CheckedModel;

/// The input of LlamaEngine::load(), so that the header is read only once. Threads: one at a time.
class LlamaModelFile {
 public:
  /// Errors: those of check_model().
  [[nodiscard]] static Result<LlamaModelFile> open(const std::filesystem::path& path);
  LlamaModelFile(LlamaModelFile&& other) noexcept;
  LlamaModelFile& operator=(LlamaModelFile&& other) noexcept;
  ~LlamaModelFile();

  /// Positions that the model was trained with; empty if its file does not say.
  [[nodiscard]] std::optional<std::int64_t> trained_context() const;
  /// See file_facts().
  [[nodiscard]] ModelFacts facts() const;

 private:
  friend class LlamaEngine;
  explicit LlamaModelFile(std::unique_ptr<CheckedModel> checked) noexcept;

  std::unique_ptr<CheckedModel> checked_;
};

}  // namespace enprof
