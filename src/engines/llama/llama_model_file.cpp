#include "engines/llama/llama_model_file.hpp"

#include "engines/llama/gguf_check.hpp"
#include "engines/llama/llama_facts.hpp"

#include <algorithm>
#include <utility>

namespace enprof {

Result<LlamaModelFile> LlamaModelFile::open(const std::filesystem::path& path) {
  auto checked = check_model(path);
  if (!checked) {
    return std::unexpected(std::move(checked.error()));
  }
  return LlamaModelFile(std::make_unique<CheckedModel>(*std::move(checked)));
}

LlamaModelFile::LlamaModelFile(std::unique_ptr<CheckedModel> checked) noexcept
    : checked_(std::move(checked)) {}
LlamaModelFile::LlamaModelFile(LlamaModelFile&& other) noexcept = default;
LlamaModelFile& LlamaModelFile::operator=(LlamaModelFile&& other) noexcept = default;
LlamaModelFile::~LlamaModelFile() = default;

std::optional<std::int64_t> LlamaModelFile::trained_context() const {
  const GgufMetadata& metadata = checked_->metadata;
  auto positions = metadata.integer(metadata.own_key("context_length"));
  if (positions && *positions <= 0) {
    positions.reset();
  }
  const auto& learned = checked_->learned_positions;
  if (learned && *learned > 0) {  // it has no other positions
    positions = std::min<std::int64_t>(positions.value_or(*learned), *learned);
  }
  return positions;
}

ModelFacts LlamaModelFile::facts() const { return file_facts(*checked_); }

}  // namespace enprof
