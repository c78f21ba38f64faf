// What a model's file says of its context, without loading it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace enprof {

/// Positions that the model was trained with; empty where its file does not say, or is none: why,
/// is said by who loads it.
[[nodiscard]] std::optional<std::int64_t> trained_context(const std::filesystem::path& model);

}  // namespace enprof
