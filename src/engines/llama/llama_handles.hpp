// Owners of llama.cpp's objects.
#pragma once

#include <gguf.h>
#include <llama.h>

#include <memory>

namespace enprof {

struct LlamaModelDeleter {
  void operator()(llama_model* model) const noexcept { llama_model_free(model); }
};
struct LlamaContextDeleter {
  void operator()(llama_context* context) const noexcept { llama_free(context); }
};
struct LlamaSamplerDeleter {
  void operator()(llama_sampler* sampler) const noexcept { llama_sampler_free(sampler); }
};
struct GgufDeleter {
  void operator()(gguf_context* gguf) const noexcept { gguf_free(gguf); }
};
struct GgmlContextDeleter {
  void operator()(ggml_context* context) const noexcept { ggml_free(context); }
};

using LlamaModelPtr = std::unique_ptr<llama_model, LlamaModelDeleter>;
using LlamaContextPtr = std::unique_ptr<llama_context, LlamaContextDeleter>;
using LlamaSamplerPtr = std::unique_ptr<llama_sampler, LlamaSamplerDeleter>;
using GgufPtr = std::unique_ptr<gguf_context, GgufDeleter>;
using GgmlContextPtr = std::unique_ptr<ggml_context, GgmlContextDeleter>;

}  // namespace enprof
