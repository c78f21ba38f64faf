#include "engines/llama/model_synth.hpp"

#include "base/format_bytes.hpp"
#include "base/log.hpp"
#include "engines/llama/gguf_check.hpp"
#include "engines/llama/llama_guard.hpp"
#include "engines/llama/llama_log.hpp"
#include "engines/llama/partial_file.hpp"
#include "engines/llama/synth_plan.hpp"
#include "engines/llama/synth_spec.hpp"
#include "engines/llama/synth_weights.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <llama.h>

#include <algorithm>
#include <array>
#include <span>
#include <system_error>
#include <utility>

namespace enprof {
namespace {

namespace fs = std::filesystem;

constexpr Logger kLog{"llama"};

std::unexpected<Error> refuse(std::string message, std::string hint) {
  return fail(ErrorCode::invalid_argument, std::move(message), std::move(hint));
}

// ---- the shape ---------------------------------------------------------------------------------

struct Limit {
  const char* flag;
  int value;
  SynthRange range;
};

Result<void> check_limits(const SynthOptions& options) {
  const std::array limits{
      Limit{"--layers", options.layers, kSynthLayers},
      Limit{"--embd", options.embd, kSynthEmbd},
      Limit{"--ff", options.ff, kSynthFf},
      Limit{"--heads", options.heads, kSynthHeads},
      Limit{"--kv-heads", options.kv_heads, kSynthHeads},
      Limit{"--ctx", options.context, kSynthContext},
      Limit{"--experts", options.experts, kSynthExperts},
      Limit{"--experts-used", options.experts_used, {0, options.experts}},
  };
  for (const Limit& limit : limits) {
    if (limit.value < limit.range.least || limit.value > limit.range.most) {
      return refuse(fmt::format("{} {} is not possible", limit.flag, limit.value),
                    fmt::format("Pass {} to {}.", limit.range.least, limit.range.most));
    }
  }
  return {};
}

Result<void> check_divides(const char* flag, int value, const char* divisor_flag, int divisor) {
  if (value % divisor == 0) {
    return {};
  }
  return refuse(fmt::format("{} {} is not a multiple of {} {}", flag, value, divisor_flag, divisor),
                fmt::format("Pass {} {}.", flag, (value / divisor + 1) * divisor));
}

Result<void> check_shape(const ArchSpec& arch, const WeightType& type,
                         const SynthOptions& options) {
  if (auto limits = check_limits(options); !limits) {
    return limits;
  }
  if (options.experts > 0 && arch.experts == ExpertUse::never) {
    return refuse(fmt::format("{} has no experts, but --experts {} asks for them", arch.name,
                              options.experts),
                  "Leave out --experts, or pass --arch qwen3moe.");
  }
  if (options.experts > 0 && options.experts_used < 1) {
    return refuse("--experts-used 0 leaves the experts idle", "Pass --experts-used 1 or more.");
  }
  const auto block = static_cast<int>(ggml_blck_size(type.main_type));
  if (block > 1) {  // rows are quantized in blocks
    const std::string of_type = fmt::format("the block size of {},", type.name);
    for (const auto& [flag, value] : {std::pair{"--embd", options.embd}, {"--ff", options.ff}}) {
      if (auto divides = check_divides(flag, value, of_type.c_str(), block); !divides) {
        return divides;
      }
    }
  }
  if (!arch.attention) {
    return {};
  }
  if (auto divides = check_divides("--embd", options.embd, "--heads", options.heads); !divides) {
    return divides;
  }
  if (auto divides = check_divides("--heads", options.heads, "--kv-heads", options.kv_heads);
      !divides) {
    return divides;
  }
  if (options.embd / options.heads % 2 != 0) {
    return refuse(fmt::format("--embd {} and --heads {} make heads of width {}: rotary position "
                              "embedding needs an even one",
                              options.embd, options.heads, options.embd / options.heads),
                  "Pass other --heads.");
  }
  return {};
}

/// Fills in the defaults.
SynthOptions completed(SynthOptions options, const ArchSpec& arch) {
  if (options.kv_heads == 0) {
    options.kv_heads = options.heads;
  }
  if (options.experts == 0 && arch.experts == ExpertUse::always) {
    options.experts = 8;
  }
  if (options.experts > 0 && options.experts_used == 0) {
    options.experts_used = std::min(2, options.experts);
  }
  return options;
}

// ---- the vocabulary ----------------------------------------------------------------------------

struct Vocabulary {
  GgufPtr keys;
  std::uint32_t size = 0;
  std::vector<bool> silent;  // tokens that greedy decoding must never pick
};

Result<Vocabulary> read_vocabulary(const fs::path& path) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) {
    return fail(ErrorCode::not_found, fmt::format("There is no vocabulary {}", path.string()),
                "Pass --vocab FILE: one of llama.cpp's ggml-vocab-*.gguf, or any GGUF model.");
  }
  llama_model_params params = llama_model_default_params();
  params.vocab_only = true;
  const LlamaLogCapture log;
  const Result<llama_model*> loaded =
      guarded([&] { return llama_model_load_from_file(path.c_str(), params); });
  const LlamaModelPtr model(loaded ? *loaded : nullptr);
  Vocabulary result;
  result.keys.reset(model ? gguf_init_from_file(path.c_str(), {.no_alloc = true, .ctx = nullptr})
                          : nullptr);
  if (!result.keys) {
    return fail(ErrorCode::malformed,
                fmt::format("{} contains no vocabulary: {}", path.string(),
                            loaded ? log.reason() : loaded.error().message),
                "Pass --vocab FILE: one of llama.cpp's ggml-vocab-*.gguf, or any GGUF model.");
  }
  const llama_vocab* vocab = llama_model_get_vocab(model.get());
  constexpr int kUnprintable = LLAMA_TOKEN_ATTR_CONTROL | LLAMA_TOKEN_ATTR_UNKNOWN |
                               LLAMA_TOKEN_ATTR_UNUSED | LLAMA_TOKEN_ATTR_BYTE;
  const std::int32_t count = llama_vocab_n_tokens(vocab);
  for (llama_token token = 0; token < count; ++token) {
    result.silent.push_back(llama_vocab_is_eog(vocab, token) ||
                            (llama_vocab_get_attr(vocab, token) & kUnprintable) != 0);
  }
  result.size = static_cast<std::uint32_t>(std::max(count, 0));
  if (result.size == 0) {
    return fail(ErrorCode::malformed, fmt::format("{} contains no tokens", path.string()),
                "Pass --vocab FILE: one of llama.cpp's ggml-vocab-*.gguf.");
  }
  return result;
}

/// Whether llama.cpp reads the tokenizer under the name that the user chose: it treats some names
/// as those of models that it knows, and expects their tokens.
Result<void> check_name(const PartialFile& file, const SynthOptions& options) {
  if (options.name.empty()) {
    return {};
  }
  llama_model_params params = llama_model_default_params();
  params.vocab_only = true;
  const Result<llama_model*> loaded =
      guarded([&] { return llama_model_load_from_file(file.partial_path().c_str(), params); });
  const LlamaModelPtr model(loaded ? *loaded : nullptr);
  if (!model) {
    return refuse(
        fmt::format("llama.cpp does not read this vocabulary under the name {}", options.name),
        "Choose another --name, or the vocabulary of the model of that name.");
  }
  return {};
}

/// Removes all keys except the tokenizer's.
void keep_tokenizer(gguf_context* gguf) {
  std::vector<std::string> others;
  for (std::int64_t id = 0; id < gguf_get_n_kv(gguf); ++id) {
    std::string key = gguf_get_key(gguf, id);
    if (!key.starts_with("tokenizer.")) {
      others.push_back(std::move(key));
    }
  }
  for (const std::string& key : others) {
    gguf_remove_key(gguf, key.c_str());
  }
}

// ---- the file ----------------------------------------------------------------------------------

std::string made_up_name(const ArchSpec& arch, std::uint64_t parameters) {
  const double millions = static_cast<double>(parameters) / 1e6;
  return millions < 1000.0 ? fmt::format("Synthetic {} {:.0f}M", arch.title, millions)
                           : fmt::format("Synthetic {} {:.1f}B", arch.title, millions / 1000.0);
}

Result<void> check_disk(const SynthOptions& options, std::uint64_t needed) {
  std::error_code error;
  const fs::path directory =
      options.output.has_parent_path() ? options.output.parent_path() : fs::path(".");
  const std::uint64_t available =
      options.free_bytes ? *options.free_bytes : fs::space(directory, error).available;
  if (!error && needed > available) {
    return fail(ErrorCode::too_large,
                fmt::format("The model needs {}; {} are free at {}", format_bytes(needed),
                            format_bytes(available), directory.string()),
                "Make room, write to another disk, or ask for fewer --layers or a smaller --embd, "
                "--ff or --type.");
  }
  return {};
}

const PlannedTensor& output_of(const std::vector<PlannedTensor>& plan) {
  const auto output = std::ranges::find(plan, "output.weight", &PlannedTensor::name);
  // Without an output tensor, the logits come from the embedding.
  return output != plan.end() ? *output
                              : *std::ranges::find(plan, "token_embd.weight", &PlannedTensor::name);
}

Result<void> write_tensors(PartialFile& file, const gguf_context* gguf,
                           const std::vector<PlannedTensor>& plan, std::vector<bool> silent,
                           const SynthOptions& options, std::uint64_t total) {
  const auto on_bytes = [&](std::uint64_t /*bytes*/) {
    if (options.progress) {
      options.progress(
          static_cast<float>(static_cast<double>(file.written()) / static_cast<double>(total)));
    }
    return !options.stop.stop_requested();
  };
  const std::size_t alignment = gguf_get_alignment(gguf);
  const std::vector<std::byte> zeros(alignment);
  SynthWeights weights(options.seed, std::move(silent));
  const PlannedTensor& output = output_of(plan);
  for (const PlannedTensor& tensor : plan) {
    if (auto appended = weights.append(file, tensor, &tensor == &output, on_bytes); !appended) {
      return appended;
    }
    const std::size_t over = file.written() % alignment;
    if (over != 0) {
      if (auto padded = file.write(std::span(zeros).first(alignment - over)); !padded) {
        return padded;
      }
    }
  }
  return {};
}

Result<SynthReport> write_model(const ArchSpec& arch, const WeightType& type,
                                const SynthOptions& options) {
  Result<Vocabulary> vocabulary = read_vocabulary(options.vocabulary);
  if (!vocabulary) {
    return std::unexpected(vocabulary.error());
  }
  Result<PartialFile> file = PartialFile::create(options.output);
  if (!file) {
    return std::unexpected(file.error());
  }
  const auto plan = plan_tensors(arch, type, options, vocabulary->size, file->partial_path());
  if (!plan) {
    return std::unexpected(plan.error());
  }
  if (auto restarted = file->restart(); !restarted) {
    return std::unexpected(restarted.error());
  }

  SynthReport report{.path = options.output, .name = options.name, .tensors = plan->size()};
  for (const PlannedTensor& tensor : *plan) {
    report.parameters += tensor.elements();
  }
  if (report.name.empty()) {
    report.name = made_up_name(arch, report.parameters);
  }
  gguf_context* gguf = vocabulary->keys.get();
  keep_tokenizer(gguf);
  set_shape_keys(gguf, arch, options, options.layers, vocabulary->size);
  gguf_set_val_str(gguf, "general.name", report.name.c_str());
  gguf_set_val_u32(gguf, "general.file_type", static_cast<std::uint32_t>(type.ftype));
  gguf_set_val_u32(gguf, "general.quantization_version", GGML_QNT_VERSION);
  gguf_set_val_bool(gguf, "enprof.synthetic", true);
  gguf_set_val_u64(gguf, "enprof.seed", options.seed);
  const GgufPtr whole(gguf_init_empty());  // the vocabulary file may contain tensors
  gguf_set_kv(whole.get(), gguf);
  add_tensors(whole.get(), *plan);

  std::vector<std::byte> metadata(gguf_get_meta_size(whole.get()));
  gguf_get_meta_data(whole.get(), metadata.data());
  const std::int64_t last = gguf_get_n_tensors(whole.get()) - 1;
  report.bytes = metadata.size() + gguf_get_tensor_offset(whole.get(), last) +
                 GGML_PAD(gguf_get_tensor_size(whole.get(), last), gguf_get_alignment(whole.get()));
  if (auto room = check_disk(options, report.bytes); !room) {
    return std::unexpected(room.error());
  }
  if (auto written = file->write(metadata); !written) {
    return std::unexpected(written.error());
  }
  if (auto written = write_tensors(*file, whole.get(), *plan, std::move(vocabulary->silent),
                                   options, report.bytes);
      !written) {
    return std::unexpected(written.error());
  }
  if (auto known = check_name(*file, options); !known) {
    return std::unexpected(known.error());
  }
  if (auto committed = file->commit(); !committed) {
    return std::unexpected(committed.error());
  }
  kLog.info("Wrote {}: {}, {} tensors, {}", report.path.string(), report.name, report.tensors,
            format_bytes(report.bytes));
  return report;
}

}  // namespace

Result<SynthReport> synthesize_model(const SynthOptions& options) {
  start_llama();
  const ArchSpec* arch = find_arch(options.architecture);
  if (arch == nullptr) {
    return refuse(
        fmt::format("Cannot make a model of the architecture {}", options.architecture),
        fmt::format("Pass --arch with one of: {}", fmt::join(synth_architectures(), ", ")));
  }
  const WeightType* type = find_weight_type(options.type);
  if (type == nullptr) {
    return refuse(fmt::format("Cannot make weights of the type {}", options.type),
                  fmt::format("Pass --type with one of: {}", fmt::join(synth_types(), ", ")));
  }
  if (options.output.empty()) {
    return refuse("There is no file to write to", "Pass -o model.gguf.");
  }
  const SynthOptions shape = completed(options, *arch);
  if (auto checked = check_shape(*arch, *type, shape); !checked) {
    return std::unexpected(checked.error());
  }
  std::error_code ignored;
  const fs::file_status there = fs::symlink_status(options.output, ignored);
  if (fs::exists(there) && !fs::is_regular_file(there) && !fs::is_directory(there)) {
    // The new file would replace a device, a pipe or a link.
    return refuse(fmt::format("{} exists and is not a regular file", options.output.string()),
                  "Choose another name.");
  }
  if (!options.overwrite && fs::is_regular_file(there)) {
    return refuse(fmt::format("{} exists", options.output.string()),
                  "Choose another name, or allow it to be replaced: --force");
  }
  Result<Result<SynthReport>> written = guarded([&] { return write_model(*arch, *type, shape); });
  return written ? std::move(*written) : std::unexpected(std::move(written.error()));
}

std::vector<std::string> synth_architectures() {
  std::vector<std::string> names;
  for (const ArchSpec& arch : arch_specs()) {
    names.emplace_back(arch.name);
  }
  return names;
}

std::vector<std::string> synth_types() {
  std::vector<std::string> names;
  for (const WeightType& type : weight_types()) {
    names.emplace_back(type.name);
  }
  return names;
}

std::string default_vocabulary(std::string_view architecture) {
  const ArchSpec* arch = find_arch(architecture);
  return fmt::format("ggml-vocab-{}.gguf", arch == nullptr ? "llama-spm" : arch->vocabulary);
}

}  // namespace enprof
