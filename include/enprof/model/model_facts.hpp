// Facts about a model, from its file.
#pragma once

#include "enprof/base/export.hpp"
#include "enprof/base/units.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace enprof {

/// Facts about the model and how it was loaded. Empty: not in the file, or not applicable.
struct ModelFacts {
  std::string name;          ///< for the user: the file's name, or general.name
  std::string path;          ///< empty if there is no file
  std::string architecture;  ///< llama, qwen2, …
  std::string quantization;  ///< Q8_0, Q4_K - Medium, …
  std::string engine;        ///< llama.cpp v0.5.0, …
  std::optional<std::uint64_t> parameters;
  std::optional<std::uint64_t> file_bytes;
  std::optional<std::uint64_t> weight_bytes;  ///< sum over the tensors
  std::optional<int> layers;
  std::optional<int> embedding_width;
  std::optional<int> feed_forward_width;
  std::optional<int> heads;
  std::optional<int> kv_heads;
  std::optional<int> head_width;
  std::optional<int> experts;
  std::optional<int> experts_used;
  std::optional<int> vocabulary;
  std::optional<int> context_trained;                ///< positions
  std::optional<int> context;                        ///< positions of this run
  std::optional<std::uint64_t> kv_cache_bytes;       ///< allocated
  std::optional<std::uint64_t> kv_cache_used_bytes;  ///< of the positions in use at the end
  std::optional<int> gpu_layers;                     ///< layers offloaded
  std::optional<int> threads;
  std::optional<Nanoseconds> load_time;  ///< from opening the file until the model is warm

  /// MHA, GQA or MQA, by heads and kv_heads; empty if these are not known.
  [[nodiscard]] ENPROF_API std::string attention() const;

  friend bool operator==(const ModelFacts&, const ModelFacts&) = default;
};

}  // namespace enprof
