#include "engines/llama/token_texts.hpp"

#include "engines/llama/llama_guard.hpp"
#include "engines/llama/llama_handles.hpp"
#include "engines/llama/llama_log.hpp"
#include "engines/llama/llama_model_file.hpp"

#include <fmt/format.h>

#include <cstddef>
#include <utility>

namespace enprof {

Result<TokenTexts> TokenTexts::open(const std::filesystem::path& path) {
  if (const auto checked = LlamaModelFile::open(path); !checked) {
    return std::unexpected(checked.error());
  }
  llama_model_params params = llama_model_default_params();
  params.vocab_only = true;
  const LlamaLogCapture log;
  const Result<llama_model*> loaded =
      guarded([&] { return llama_model_load_from_file(path.c_str(), params); });
  LlamaModelPtr model(loaded ? *loaded : nullptr);
  if (!model) {
    return fail(ErrorCode::malformed,
                fmt::format("The vocabulary of {} cannot be read: {}", path.string(),
                            loaded ? log.reason() : loaded.error().message),
                "");
  }
  return TokenTexts(std::shared_ptr<const llama_model>(std::move(model)));
}

std::string TokenTexts::text_of(std::int32_t token) const {
  const llama_vocab* const vocab = llama_model_get_vocab(model_.get());
  if (token < 0 || token >= llama_vocab_n_tokens(vocab)) {
    return {};
  }
  std::string text(32, '\0');
  const auto read = [&] {
    return llama_token_to_piece(vocab, token, text.data(), static_cast<std::int32_t>(text.size()),
                                0, false);
  };
  std::int32_t length = read();
  if (length < 0) {  // it is that long, the other way round
    text.resize(static_cast<std::size_t>(-length));
    length = read();
  }
  text.resize(static_cast<std::size_t>(std::max(length, 0)));
  return text;
}

}  // namespace enprof
