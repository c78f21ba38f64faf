#include "engines/llama/llama_engine.hpp"

#include "base/format_bytes.hpp"
#include "base/log.hpp"
#include "base/utf8.hpp"
#include "engines/llama/llama_component_replay.hpp"
#include "engines/llama/llama_engine_impl.hpp"
#include "engines/llama/llama_facts.hpp"
#include "engines/llama/llama_generation.hpp"
#include "engines/llama/llama_guard.hpp"
#include "engines/llama/llama_log.hpp"
#include "engines/llama/llama_score.hpp"
#include "engines/llama/machine_limits.hpp"

#include <fmt/format.h>
#include <llama.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <exception>
#include <limits>
#include <new>
#include <random>
#include <utility>

namespace enprof {
namespace {

constexpr Logger kLog{"llama"};

struct Progress {
  const LoadOptions& options;
  bool failed = false;
};

bool on_progress(float done, void* user_data) {
  auto& progress = *static_cast<Progress*>(user_data);
  if (progress.options.progress && !progress.failed) {
    try {
      progress.options.progress(done);
    } catch (...) {
      progress.failed = true;  // a failing progress bar must not fail the load
    }
  }
  return !progress.options.stop.stop_requested();
}

std::unexpected<Error> load_cancelled(const std::filesystem::path& path) {
  return fail(ErrorCode::cancelled, fmt::format("Loading {} was cancelled", path.string()));
}

std::unexpected<Error> load_error(const std::filesystem::path& path, const std::string& reason) {
  if (reason.find("unknown model architecture") != std::string::npos) {
    return fail(
        ErrorCode::unsupported,
        fmt::format("llama.cpp v{} cannot load {}: {}", llama_version(), path.string(), reason),
        "The model is newer than this build, or not a language model: build enprof with a "
        "newer llama.cpp.");
  }
  constexpr std::array kNoMemory{"unable to allocate", "failed to allocate", "bad_alloc",
                                 "Cannot allocate memory"};
  if (std::ranges::any_of(
          kNoMemory, [&](const char* words) { return reason.find(words) != std::string::npos; })) {
    return fail(ErrorCode::too_large,
                fmt::format("Not enough memory for {}: {}", path.string(), reason),
                "Offload fewer layers (-ngl), or use a smaller quantization of the model.");
  }
  return fail(
      ErrorCode::corrupt,
      fmt::format("llama.cpp cannot load {}: {}", path.string(),
                  reason.empty() ? "it gave no reason" : reason),
      "Download the model again, or another conversion of it; -vv shows everything that llama.cpp "
      "says.");
}

/// Empty if the model generates text from left to right.
std::string why_not_generating(const GgufMetadata& metadata, const llama_model* model) {
  if (llama_model_has_encoder(model)) {
    return "it has an encoder";
  }
  if (llama_model_is_diffusion(model)) {
    return "it is a diffusion model";
  }
  if (!metadata.boolean(metadata.own_key("attention.causal")).value_or(true)) {
    return "it computes embeddings";
  }
  if (llama_vocab_type(llama_model_get_vocab(model)) == LLAMA_VOCAB_TYPE_NONE) {
    return "it has no tokenizer";
  }
  return {};
}

llama_model* load_parts(const std::vector<std::filesystem::path>& parts, const OpenAs& open_as,
                        llama_model_params params) {
  if (!open_as) {
    return llama_model_load_from_file(parts.front().c_str(), params);
  }
  std::vector<std::string> opened;
  opened.reserve(parts.size());
  for (const std::filesystem::path& part : parts) {
    opened.push_back(open_as(part).string());
  }
  if (opened.size() == 1) {
    return llama_model_load_from_file(opened.front().c_str(), params);
  }
  std::vector<const char*> names;  // llama.cpp would find the parts by the first one's name
  names.reserve(opened.size());
  for (const std::string& path : opened) {
    names.push_back(path.c_str());
  }
  return llama_model_load_from_splits(names.data(), names.size(), params);
}

std::size_t longest_piece(const llama_vocab* vocab) {
  std::size_t longest = 0;
  for (llama_token token = 0; token < llama_vocab_n_tokens(vocab); ++token) {
    longest = std::max(longest, std::strlen(llama_vocab_get_text(vocab, token)));
  }
  return longest;
}

/// Counts the nodes of the graphs that a context computes.
class GraphCounter {
 public:
  void attach(llama_context_params& params) noexcept {
    params.cb_eval = [](ggml_tensor*, bool ask, void* counter) {
      if (ask) {
        auto& self = *static_cast<GraphCounter*>(counter);
        self.largest_ = std::max(self.largest_, ++self.present_);
      }
      return !ask;
    };
    params.cb_eval_user_data = this;
  }
  /// Call this before each graph.
  void begin() noexcept { present_ = 0; }
  [[nodiscard]] std::size_t largest() const noexcept { return largest_; }

 private:
  std::size_t present_ = 0;
  std::size_t largest_ = 0;
};

/// Runs a pass over a batch and one over a single token, as prefill and decode do. The first pass
/// uses only this thread: if llama.cpp asserts while it computes the model, this is then an error
/// and does not end the program. Returns the number of nodes of their graphs.
std::size_t warm_up(llama_model* model, int threads, const std::stop_token& stop) {
  constexpr std::uint32_t kPositions = 256;
  constexpr std::uint32_t kBatch = 8;
  llama_context_params params = llama_context_default_params();
  params.n_ctx = kPositions;
  params.n_batch = kBatch;
  params.n_ubatch = kBatch;
  params.n_threads = 1;
  params.n_threads_batch = 1;
  GraphCounter counter;
  counter.attach(params);
  const LlamaContextPtr context(llama_init_from_model(model, params));
  if (!context || llama_get_memory(context.get()) == nullptr) {
    return 0;  // generate() will return the error
  }
  const llama_vocab* vocab = llama_model_get_vocab(model);
  const llama_token begin = std::max(llama_vocab_bos(vocab), 0);
  std::array<llama_token, 2> prompt{begin, begin};
  for (const std::int32_t count : {std::int32_t{2}, std::int32_t{1}}) {
    counter.begin();
    if (stop.stop_requested() ||
        llama_decode(context.get(), llama_batch_get_one(prompt.data(), count)) != 0) {
      break;
    }
    llama_synchronize(context.get());
    llama_set_n_threads(context.get(), threads, threads);
  }
  return counter.largest();
}

std::unexpected<Error> cannot_compute(const std::filesystem::path& path, const Error& error) {
  std::string_view reason = error.message;
  if (reason.starts_with(kLlamaFailed)) {
    reason.remove_prefix(kLlamaFailed.size());
  }
  return fail(
      ErrorCode::corrupt, fmt::format("llama.cpp cannot compute {}: {}", path.string(), reason),
      "The file is damaged or was made by a faulty converter: use another conversion of the "
      "model.");
}

Result<void> check_options(const LoadOptions& options) {
  constexpr int kMostThreads = GGML_MAX_N_THREADS;
  if (options.threads < 0 || options.threads > kMostThreads) {
    return fail(ErrorCode::invalid_argument, fmt::format("Cannot use {} threads", options.threads),
                fmt::format("Pass --threads 1 to {}, or 0 to let enprof choose.", kMostThreads));
  }
  return {};
}

}  // namespace

LlamaEngine::LlamaEngine(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
LlamaEngine::LlamaEngine(LlamaEngine&& other) noexcept = default;
LlamaEngine& LlamaEngine::operator=(LlamaEngine&& other) noexcept = default;
LlamaEngine::~LlamaEngine() = default;

Result<LlamaEngine> LlamaEngine::load(const std::filesystem::path& path,
                                      const LoadOptions& options) {
  if (auto checked = check_options(options); !checked) {
    return std::unexpected(checked.error());
  }
  Result<CheckedModel> file = check_model(path, options.open_as);
  return file ? load_checked(*std::move(file), options) : std::unexpected(file.error());
}

Result<LlamaEngine> LlamaEngine::load(LlamaModelFile file, const LoadOptions& options) {
  if (auto checked = check_options(options); !checked) {
    return std::unexpected(checked.error());
  }
  return load_checked(std::move(*file.checked_), options);
}

Result<LlamaEngine> LlamaEngine::load_checked(CheckedModel file, const LoadOptions& options) {
  const Instant begin = monotonic_clock().now() - file.duration;
  const std::filesystem::path path = file.parts.front();
  const bool offloaded = options.gpu_layers != 0 && llama_supports_gpu_offload();
  const auto memory = options.memory_bytes ? options.memory_bytes : usable_memory();
  if (!offloaded) {
    if (auto fits = check_fits_memory(
            fmt::format("The weights of {}", path.string()), file.weight_bytes, memory,
            "Use a smaller quantization of the model, offload layers to a GPU (-ngl), or run it on "
            "another machine.");
        !fits) {
      return std::unexpected(fits.error());
    }
  }
  if (options.stop.stop_requested()) {
    return load_cancelled(path);
  }

  Progress progress{options};
  llama_model_params params = llama_model_default_params();
  params.n_gpu_layers = options.gpu_layers;
  params.progress_callback = on_progress;
  params.progress_callback_user_data = &progress;
  const LlamaLogCapture log;
  Result<llama_model*> loaded =
      guarded([&] { return load_parts(file.parts, options.open_as, params); });
  if (!loaded) {
    return std::unexpected(loaded.error());
  }
  LlamaModelPtr model(*loaded);
  if (!model) {
    return options.stop.stop_requested() ? load_cancelled(path) : load_error(path, log.reason());
  }
  if (const std::string reason = why_not_generating(file.metadata, model.get()); !reason.empty()) {
    return fail(ErrorCode::unsupported,
                fmt::format("{} ({}) does not generate text: {}", path.string(),
                            file.metadata.architecture(), reason),
                "Pass a decoder-only language model: llama, qwen, phi, gemma, …");
  }

  ModelFacts facts = read_model_facts(file, *model);
  const int most_layers = facts.layers.value_or(0) + 1;  // the output layer counts as one
  facts.gpu_layers = !offloaded               ? 0
                     : options.gpu_layers < 0 ? most_layers
                                              : std::min(options.gpu_layers, most_layers);
  const std::size_t longest = longest_piece(llama_model_get_vocab(model.get()));
  const int threads = options.threads > 0 ? options.threads : default_threads();
  std::size_t graph_nodes = 0;
  if (options.warm_up) {
    const auto warmed = guarded([&] { return warm_up(model.get(), threads, options.stop); });
    if (!warmed) {
      return warmed.error().code == ErrorCode::too_large ? std::unexpected(warmed.error())
                                                         : cannot_compute(path, warmed.error());
    }
    graph_nodes = *warmed;
    if (options.stop.stop_requested()) {
      return load_cancelled(path);
    }
  }
  facts.load_time = monotonic_clock().now() - begin;
  kLog.info("Loaded {} ({}, {}) in {:.0f} ms", path.string(), facts.architecture,
            facts.quantization, to_ms(*facts.load_time));
  return LlamaEngine(std::make_unique<Impl>(Impl{.model = std::move(model),
                                                 .metadata = std::move(file.metadata),
                                                 .facts = std::move(facts),
                                                 .learned_positions = file.learned_positions,
                                                 .threads = threads,
                                                 .offloaded = offloaded,
                                                 .memory_bytes = memory,
                                                 .longest_piece = longest,
                                                 .graph_nodes = graph_nodes}));
}

const ModelFacts& LlamaEngine::facts() const noexcept { return impl_->facts; }

std::size_t LlamaEngine::most_output_tokens(const GenerateOptions& options) const noexcept {
  const int context = options.context > 0 ? options.context : impl_->longest_context();
  // The last token is not decoded, and a prompt has at least one token.
  return static_cast<std::size_t>(std::max(std::min(options.max_tokens, context), 0)) *
         static_cast<std::size_t>(std::max(options.sequences, 1));
}
llama_model* LlamaEngine::model() const noexcept { return impl_->model.get(); }

Result<std::vector<LlamaEngine::Token>> LlamaEngine::tokenize(std::string_view text) const {
  if (text.empty()) {
    return fail(ErrorCode::invalid_argument, "The prompt is empty",
                "Pass one: -p \"Once upon a time\"");
  }
  if (const auto offset = first_invalid_utf8(text)) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("The prompt is not valid UTF-8: byte {:#04x} at offset {}",
                            static_cast<unsigned char>(text[*offset]), *offset),
                "Convert it first: iconv -f ISO-8859-1 -t UTF-8");
  }
  constexpr auto kMost = static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max());
  if (text.size() > kMost) {
    return fail(ErrorCode::too_large, fmt::format("The prompt has {}", format_bytes(text.size())),
                "Shorten the prompt.");
  }
  return guarded([&] {
    // A token is at least one byte long, except for the special tokens around the text.
    std::vector<Token> tokens(text.size() + 8);
    const auto call = [&] {
      return llama_tokenize(impl_->vocab(), text.data(), static_cast<std::int32_t>(text.size()),
                            tokens.data(), static_cast<std::int32_t>(tokens.size()), true, true);
    };
    std::int32_t count = call();
    if (count < 0 && count != std::numeric_limits<std::int32_t>::min()) {
      tokens.resize(static_cast<std::size_t>(-count));
      count = call();
    }
    tokens.resize(static_cast<std::size_t>(std::max(count, 0)));
    return tokens;
  });
}

std::vector<LlamaEngine::Token> LlamaEngine::synthetic_prompt(std::size_t count,
                                                              std::uint32_t seed) const {
  const llama_vocab* const vocab = impl_->vocab();
  const auto is_text = [&](Token token) {
    constexpr unsigned kText = LLAMA_TOKEN_ATTR_NORMAL | LLAMA_TOKEN_ATTR_BYTE;
    return (static_cast<unsigned>(llama_vocab_get_attr(vocab, token)) & kText) != 0 &&
           !llama_vocab_is_eog(vocab, token);
  };
  const auto known = static_cast<std::uint32_t>(std::max(llama_vocab_n_tokens(vocab), 1));
  std::mt19937 random(seed);  // its numbers are the same on each machine, unlike distributions
  const auto draw = [&] {
    Token token = 0;
    // Not endless, for a vocabulary that has hardly any text.
    for (int attempt = 0; attempt < 64; ++attempt) {
      token = static_cast<Token>(static_cast<std::uint32_t>(random()) % known);
      if (is_text(token)) {
        break;
      }
    }
    return token;
  };
  std::vector<Token> prompt;
  prompt.reserve(count);
  if (llama_vocab_get_add_bos(vocab) && llama_vocab_bos(vocab) != LLAMA_TOKEN_NULL) {
    prompt.push_back(llama_vocab_bos(vocab));
  }
  while (prompt.size() < count) {
    prompt.push_back(draw());
  }
  prompt.resize(count);
  return prompt;
}

Result<std::string> LlamaEngine::apply_chat_template(std::string_view prompt) const {
  const char* chat_template = llama_model_chat_template(impl_->model.get(), nullptr);
  if (chat_template == nullptr) {
    return fail(ErrorCode::unsupported,
                fmt::format("The model {} has no chat template", impl_->facts.name),
                "Leave out --chat, or use an instruction-tuned model.");
  }
  if (const std::size_t zero = prompt.find('\0'); zero != std::string_view::npos) {
    return fail(
        ErrorCode::invalid_argument,
        fmt::format("The prompt has a zero byte at offset {}, which no chat template allows", zero),
        "Remove it, or leave out --chat.");
  }
  const std::string content(prompt);
  const llama_chat_message message{"user", content.c_str()};
  Result<std::string> text = guarded([&]() -> std::string {
    std::string buffer(content.size() + 256, '\0');
    for (int attempt = 0; attempt < 2; ++attempt) {
      const std::int32_t length =
          llama_chat_apply_template(chat_template, &message, 1, true, buffer.data(),
                                    static_cast<std::int32_t>(buffer.size()));
      if (length < 0) {
        return {};
      }
      const bool fits = static_cast<std::size_t>(length) <= buffer.size();
      buffer.resize(static_cast<std::size_t>(length));
      if (fits) {
        return buffer;
      }
    }
    return {};
  });
  if (text && text->empty()) {
    return fail(
        ErrorCode::unsupported,
        fmt::format("llama.cpp does not know the chat template of the model {}", impl_->facts.name),
        "Leave out --chat and write the template into the prompt yourself.");
  }
  return text;
}

Result<GenerateResult> LlamaEngine::generate(RunScope& run, const GenerateOptions& options) {
  try {
    const LlamaGuard guard;
    LlamaGeneration generation(*this, run, options);
    return generation.perform();
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::too_large, "Not enough memory to generate",
                "Pass a smaller --ctx, or fewer tokens with -n.");
  } catch (const std::exception& error) {
    return fail(ErrorCode::internal, fmt::format("The generation failed: {}", error.what()));
  }
}

Result<ScoreResult> LlamaEngine::score(const ScoreRequest& request) const {
  const auto tokens = tokenize(request.text);
  if (!tokens) {
    return std::unexpected(tokens.error());
  }
  try {
    return score_tokens(*impl_->model, impl_->offloaded, threads(request.threads), *tokens,
                        request);
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::too_large, "Not enough memory to compute the probabilities of a text",
                "Judge fewer tokens at a time: a smaller context.");
  } catch (const std::exception& error) {
    return fail(ErrorCode::internal, fmt::format("The text cannot be judged: {}", error.what()));
  }
}

int LlamaEngine::threads(int chosen) const noexcept { return chosen > 0 ? chosen : impl_->threads; }

Result<std::unique_ptr<ComponentReplay>> LlamaEngine::prepare_replay(const ReplayOptions& options) {
  if (impl_->offloaded) {
    return fail(ErrorCode::unsupported,
                fmt::format("The components of {} cannot be run alone: a GPU computes the model",
                            impl_->facts.name),
                "Pass -ngl 0 to compute on the CPU.");
  }
  ReplayOptions chosen = options;
  chosen.threads = threads(options.threads);
  try {
    return LlamaComponentReplay::prepare(*impl_->model, impl_->longest_context(), chosen);
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::too_large, "Not enough memory to run the model's components alone");
  }
}

}  // namespace enprof
