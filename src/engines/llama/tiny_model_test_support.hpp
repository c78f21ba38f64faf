// Models small enough to be made for each test.
#pragma once

#include "engines/llama/model_synth.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

namespace enprof::testing {

inline std::filesystem::path vocabulary_path(const std::string& name) {
  return std::filesystem::path(ENPROF_TEST_VOCAB_DIR) / ("ggml-vocab-" + name + ".gguf");
}

/// Two layers of width 64 with llama's 32 000 tokens.
inline SynthOptions tiny_shape(const std::filesystem::path& output,
                               const std::string& architecture = "llama") {
  SynthOptions options{.output = output,
                       .vocabulary = vocabulary_path("llama-spm"),
                       .architecture = architecture,
                       .layers = 2,
                       .embd = 64,
                       .ff = 128,
                       .heads = 4,
                       .kv_heads = 2,
                       .context = 128,
                       .type = "q8_0"};
  return options;
}

/// Makes the model; the test fails if that fails.
inline std::filesystem::path make_model(const SynthOptions& options) {
  const auto made = synthesize_model(options);
  EXPECT_TRUE(made.has_value()) << made.error().message;
  return options.output;
}

}  // namespace enprof::testing
