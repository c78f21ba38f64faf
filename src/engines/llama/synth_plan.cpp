#include "engines/llama/synth_plan.hpp"

#include "base/file_limit.hpp"
#include "engines/llama/gguf_check.hpp"
#include "engines/llama/llama_guard.hpp"
#include "engines/llama/llama_log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <system_error>

namespace enprof {
namespace {

namespace fs = std::filesystem;

/// The number of layers that llama.cpp is asked for; further layers are like the last of these.
constexpr int kProbedLayers = 2;
/// Replaces the size of the vocabulary while llama.cpp is asked, so that it reserves little memory.
/// No width has this number, because widths are even.
constexpr std::uint32_t kVocabularyStandIn = 97;

constexpr std::string_view kLayerPrefix = "blk.";

/// "blk.17.attn_q.weight" → 17.
std::optional<int> layer_of(std::string_view name) {
  if (!name.starts_with(kLayerPrefix)) {
    return std::nullopt;
  }
  int layer = 0;
  const char* const begin = name.data() + kLayerPrefix.size();
  const auto [end, error] = std::from_chars(begin, name.data() + name.size(), layer);
  return error == std::errc{} && end != begin ? std::optional(layer) : std::nullopt;
}

/// "blk.17.attn_q.weight" → "attn_q.weight".
std::string_view class_of(std::string_view name) {
  if (layer_of(name)) {
    name.remove_prefix(name.find('.', kLayerPrefix.size()) + 1);
  }
  return name;
}

GgufPtr bare_metadata(const ArchSpec& arch, const SynthOptions& options, int layers,
                      std::uint32_t vocabulary) {
  GgufPtr gguf(gguf_init_empty());
  set_shape_keys(gguf.get(), arch, options, layers, vocabulary);
  gguf_set_val_str(gguf.get(), "tokenizer.ggml.model", "none");
  return gguf;
}

std::unexpected<Error> refused(const ArchSpec& arch, const std::string& reason) {
  return fail(ErrorCode::invalid_argument,
              fmt::format("llama.cpp does not accept this shape for {}: {}", arch.name,
                          reason.empty() ? "it gave no reason" : reason),
              "Try the proportions of a published model of this architecture.");
}

void collect(ggml_tensor* tensor, void* user_data) {
  auto& plan = *static_cast<std::vector<PlannedTensor>*>(user_data);
  PlannedTensor planned{.name = tensor->name};
  std::ranges::copy(tensor->ne, planned.shape.begin());
  if (std::ranges::find(plan, planned.name, &PlannedTensor::name) ==
      plan.end()) {  // tied tensors come twice
    plan.push_back(std::move(planned));
  }
}

/// Every tensor that llama.cpp would use if it existed. llama.cpp reserves memory for them, but
/// never accesses it.
Result<std::vector<PlannedTensor>> all_tensors(const ArchSpec& arch, const SynthOptions& options,
                                               int layers) {
  const GgufPtr metadata = bare_metadata(arch, options, layers, kVocabularyStandIn);
  llama_model_params params = llama_model_default_params();
  params.n_gpu_layers = 0;
  std::vector<PlannedTensor> plan;
  const LlamaLogCapture log;
  const Result<llama_model*> model =
      guarded([&] { return llama_model_init_from_user(metadata.get(), collect, &plan, params); });
  if (!model) {
    return refused(arch, model.error().message);
  }
  if (*model == nullptr) {
    return refused(arch, log.reason());
  }
  llama_model_free(*model);
  return plan;
}

/// Writes a sparse file with these tensors, all zero.
Result<void> write_hollow(const fs::path& path, gguf_context* gguf) {
  std::uint64_t bytes = gguf_get_meta_size(gguf);
  const std::int64_t last = gguf_get_n_tensors(gguf) - 1;
  if (last >= 0) {
    bytes += gguf_get_tensor_offset(gguf, last) + gguf_get_tensor_size(gguf, last);
  }
  std::error_code error;
  if (gguf_write_to_file(gguf, path.c_str(), true)) {
    fs::resize_file(path, bytes, error);
    if (!error) {
      return {};
    }
  }
  return fail(error ? error_code_from_errno(error.value()) : ErrorCode::io,
              fmt::format("Cannot write {}{}{}", path.string(), error ? ": " : "",
                          error ? error.message() : ""),
              error == std::errc::file_too_large
                  ? file_limit_hint()
                  : std::string{"Check that the directory is writable and its disk not full."});
}

/// Whether llama.cpp loads a model with only these tensors.
bool loads(const ArchSpec& arch, const SynthOptions& options,
           const std::vector<PlannedTensor>& plan, const fs::path& scratch) {
  const GgufPtr gguf = bare_metadata(arch, options, kProbedLayers, kVocabularyStandIn);
  add_tensors(gguf.get(), plan);
  if (!write_hollow(scratch, gguf.get())) {
    return false;
  }
  llama_model_params params = llama_model_default_params();
  params.n_gpu_layers = 0;
  params.load_mode = LLAMA_LOAD_MODE_NONE;
  params.no_alloc = true;
  const Result<llama_model*> model =
      guarded([&] { return llama_model_load_from_file(scratch.c_str(), params); });
  if (!model || *model == nullptr) {
    return false;
  }
  llama_model_free(*model);
  return true;
}

bool is_qkv_bias(std::string_view tensor_class) {
  return tensor_class == "attn_q.bias" || tensor_class == "attn_k.bias" ||
         tensor_class == "attn_v.bias";
}

/// Classes of tensors that published models of the architecture do not have: vectors that llama.cpp
/// does not require, such as biases and frequency factors.
Result<std::set<std::string, std::less<>>> dispensable(const ArchSpec& arch,
                                                       const SynthOptions& options,
                                                       const fs::path& scratch) {
  const SynthOptions small = smallest_like(options);
  Result<std::vector<PlannedTensor>> plan = all_tensors(arch, small, kProbedLayers);
  if (!plan) {
    return std::unexpected(plan.error());
  }
  std::set<std::string, std::less<>> candidates;
  for (const PlannedTensor& tensor : *plan) {
    if (tensor.dimensions() == 1 && !(arch.qkv_bias && is_qkv_bias(class_of(tensor.name)))) {
      candidates.emplace(class_of(tensor.name));
    }
  }
  std::set<std::string, std::less<>> result;
  for (const std::string& candidate : candidates) {
    std::vector<PlannedTensor> without = *plan;
    std::erase_if(without, [&candidate](const PlannedTensor& tensor) {
      return class_of(tensor.name) == candidate;
    });
    if (loads(arch, small, without, scratch)) {
      result.insert(candidate);
      *plan = std::move(without);
    }
  }
  return result;
}

/// Replaces attn_q, attn_k and attn_v of a layer by one attn_qkv, in the place of attn_q.
void fuse_qkv(std::vector<PlannedTensor>& plan) {
  std::vector<PlannedTensor> fused;
  for (PlannedTensor& tensor : plan) {
    const std::string_view tensor_class = class_of(tensor.name);
    if (tensor_class == "attn_q.weight") {
      tensor.name.replace(tensor.name.size() - tensor_class.size(), tensor_class.size(),
                          "attn_qkv.weight");
      fused.push_back(std::move(tensor));
    } else if (tensor_class == "attn_k.weight" || tensor_class == "attn_v.weight") {
      fused.back().shape[1] += tensor.shape[1];  // llama.cpp creates them in a row
    } else {
      fused.push_back(std::move(tensor));
    }
  }
  plan = std::move(fused);
}

/// The plan of all layers, from the plan of the first few.
std::vector<PlannedTensor> with_all_layers(const std::vector<PlannedTensor>& probed, int layers,
                                           std::uint32_t vocabulary) {
  std::vector<PlannedTensor> plan = probed;
  for (int layer = kProbedLayers; layer < layers; ++layer) {
    for (const PlannedTensor& tensor : probed) {
      if (layer_of(tensor.name) == kProbedLayers - 1) {
        plan.push_back(tensor);
        plan.back().name = fmt::format("{}{}.{}", kLayerPrefix, layer, class_of(tensor.name));
      }
    }
  }
  for (PlannedTensor& tensor : plan) {
    std::ranges::replace(tensor.shape, std::int64_t{kVocabularyStandIn},
                         static_cast<std::int64_t>(vocabulary));
  }
  return plan;
}

std::optional<ggml_type> type_named(std::string_view name) {
  for (int type = 0; type < GGML_TYPE_COUNT; ++type) {
    const char* const candidate = ggml_type_name(static_cast<ggml_type>(type));
    if (candidate != nullptr && name == candidate) {
      return static_cast<ggml_type>(type);
    }
  }
  return std::nullopt;
}

/// Parses what llama_model_quantize says it would do, one line per tensor:
/// "[   3/  93] blk.0.attn_k.weight - [ 64, 64, 1, 1], type = f32, size = 1 MiB -> 1 MiB (q4_K)".
std::map<std::string, ggml_type, std::less<>> chosen_types(const std::vector<std::string>& lines) {
  std::map<std::string, ggml_type, std::less<>> types;
  for (const std::string_view line : lines) {
    const std::size_t name_begin = line.find("] ");
    const std::size_t name_end = line.find(" - [");
    if (!line.starts_with('[') || name_begin == std::string_view::npos ||
        name_end == std::string_view::npos || line.find(", size = ") == std::string_view::npos) {
      continue;
    }
    std::string_view name = line.substr(name_begin + 2, name_end - name_begin - 2);
    name = name.substr(0, name.find(' '));
    const std::size_t type_begin = line.rfind(" (");
    const auto type =
        line.find(" -> ") == std::string_view::npos
            ? std::optional(GGML_TYPE_F32)
            : type_named(line.substr(type_begin + 2, line.rfind(')') - type_begin - 2));
    if (type) {
      types.emplace(name, *type);
    }
  }
  return types;
}

/// Gives each tensor the type that llama_model_quantize would.
Result<void> choose_types(const ArchSpec& arch, const WeightType& type, const SynthOptions& options,
                          std::vector<PlannedTensor>& plan, std::uint32_t vocabulary,
                          const fs::path& scratch) {
  const GgufPtr gguf = bare_metadata(arch, options, options.layers, vocabulary);
  add_tensors(gguf.get(), plan);
  if (auto written = write_hollow(scratch, gguf.get()); !written) {
    return written;
  }
  llama_model_quantize_params params = llama_model_quantize_default_params();
  params.ftype = type.ftype;
  params.dry_run = true;
  const LlamaLogCapture log(GGML_LOG_LEVEL_INFO);
  const Result<std::uint32_t> done =
      guarded([&] { return llama_model_quantize(scratch.c_str(), scratch.c_str(), &params); });
  if (!done) {
    return std::unexpected(done.error());
  }
  const auto types = chosen_types(log.lines());
  for (PlannedTensor& tensor : plan) {
    const auto found = types.find(tensor.name);
    if (*done != 0 || found == types.end()) {
      return fail(ErrorCode::internal,
                  fmt::format("llama.cpp v{} does not say which type {} gets as {}",
                              llama_version(), tensor.name, type.name),
                  "Pass --type f16.");
    }
    tensor.type = found->second;
  }
  return {};
}

}  // namespace

int PlannedTensor::dimensions() const noexcept {
  int count = 4;
  while (count > 1 && shape[static_cast<std::size_t>(count) - 1] == 1) {
    --count;
  }
  return count;
}

std::uint64_t PlannedTensor::elements() const noexcept {
  return static_cast<std::uint64_t>(shape[0]) * static_cast<std::uint64_t>(rows());
}

std::uint64_t PlannedTensor::bytes() const noexcept {
  return ggml_row_size(type, shape[0]) * static_cast<std::uint64_t>(rows());
}

void add_tensors(gguf_context* gguf, const std::vector<PlannedTensor>& plan) {
  const GgmlContextPtr shapes(
      ggml_init({.mem_size = ggml_tensor_overhead(), .mem_buffer = nullptr, .no_alloc = true}));
  for (const PlannedTensor& planned : plan) {
    ggml_reset(shapes.get());
    ggml_tensor* tensor =
        ggml_new_tensor(shapes.get(), planned.type, planned.dimensions(), planned.shape.data());
    ggml_set_name(tensor, planned.name.c_str());
    gguf_add_tensor(gguf, tensor);  // makes a copy
  }
}

Result<std::vector<PlannedTensor>> plan_tensors(const ArchSpec& arch, const WeightType& type,
                                                const SynthOptions& options,
                                                std::uint32_t vocabulary, const fs::path& scratch) {
  const auto dropped = dispensable(arch, options, scratch);
  if (!dropped) {
    return std::unexpected(dropped.error());
  }
  const int layers = std::min(options.layers, kProbedLayers);
  Result<std::vector<PlannedTensor>> probed = all_tensors(arch, options, layers);
  if (!probed) {
    return probed;
  }
  std::erase_if(*probed, [&dropped](const PlannedTensor& tensor) {
    return dropped->contains(class_of(tensor.name));
  });
  if (arch.fused_qkv) {
    fuse_qkv(*probed);
  }
  std::vector<PlannedTensor> plan = with_all_layers(*probed, options.layers, vocabulary);
  if (auto chosen = choose_types(arch, type, options, plan, vocabulary, scratch); !chosen) {
    return std::unexpected(chosen.error());
  }
  return plan;
}

}  // namespace enprof
