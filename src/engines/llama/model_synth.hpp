// Dummy models: any shape, a real tokenizer, random weights. Their text means nothing; the work
// that they make, and so their energy, is that of a real model of the same shape.
#pragma once

#include "enprof/base/error.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

/// The allowed range of a size.
struct SynthRange {
  int least;
  int most;
};
inline constexpr SynthRange kSynthLayers{1, 512};  // LLAMA_MAX_LAYERS
inline constexpr SynthRange kSynthEmbd{32, 1 << 17};
inline constexpr SynthRange kSynthFf{32, 1 << 20};
inline constexpr SynthRange kSynthHeads{1, 1 << 12};
inline constexpr SynthRange kSynthContext{1, 1 << 24};
inline constexpr SynthRange kSynthExperts{0, 512};  // LLAMA_MAX_EXPERTS

struct SynthOptions {
  std::filesystem::path output{};
  std::filesystem::path vocabulary{};  ///< a GGUF file with a tokenizer: a ggml-vocab-*.gguf
  std::string architecture = "llama";
  int layers = 16;
  int embd = 2048;  ///< width of the residual stream
  int ff = 8192;    ///< width of the feed-forward layer, or of one expert
  int heads = 32;
  int kv_heads = 8;      ///< 0: the same as heads
  int context = 4096;    ///< positions that its file says it was trained with
  int experts = 0;       ///< 0: none, or 8 if the architecture needs experts
  int experts_used = 0;  ///< 0: 2 if there are experts
  std::string type = "q8_0";
  std::uint64_t seed = 1;
  std::string name{};  ///< general.name; empty: made from the shape
  bool overwrite = false;
  std::function<void(float)> progress{};      ///< 0–1
  std::stop_token stop{};                     ///< when a stop is requested, no file is left
  std::optional<std::uint64_t> free_bytes{};  ///< instead of the disk's free space, for tests
};

struct SynthReport {
  std::filesystem::path path;
  std::string name;
  std::uint64_t bytes = 0;
  std::uint64_t parameters = 0;
  std::size_t tensors = 0;
};

/// Writes a model that llama.cpp can load, about as fast as the disk can write.
///
/// llama.cpp itself says which tensors an architecture has (llama_model_init_from_user on two
/// layers without a vocabulary; optional tensors with one dimension are left out) and which type
/// each gets (llama_model_quantize's dry run). Matrices contain gaussian numbers of variance
/// 1/width, so that activations neither vanish nor explode: 262 144 of them are quantized once per
/// type and width, and each row copies a part from a random place. Norms are 1, biases 0. The
/// output rows of tokens that end the generation, and of control, unknown and byte tokens, are
/// zero, so greedy decoding never picks them. The keys enprof.synthetic and enprof.seed mark the
/// file.
///
/// Written to `<output>.partial` and renamed at the end.
/// Errors: invalid_argument for impossible shapes, each with the value and the rule; not_found
/// (vocabulary, directory); permission_denied; too_large for the disk; cancelled; io.
[[nodiscard]] Result<SynthReport> synthesize_model(const SynthOptions& options);

/// The allowed values of `architecture` and `type`.
[[nodiscard]] std::vector<std::string> synth_architectures();
[[nodiscard]] std::vector<std::string> synth_types();
/// The vocabulary file that suits an architecture: "ggml-vocab-llama-spm.gguf".
[[nodiscard]] std::string default_vocabulary(std::string_view architecture);

}  // namespace enprof
