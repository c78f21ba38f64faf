#include "engines/process/engine_messages.hpp"

#include "profile/save/json_columns.hpp"

#include <cstddef>
#include <cstdint>

namespace enprof {

MessageJson error_to_json(const Error& error) {
  return {{"code", static_cast<int>(error.code)},
          {"message", bytes_to_json(error.message)},
          {"hint", bytes_to_json(error.hint)}};
}

Error error_from_json(const JsonNode& node) {
  return {.code = static_cast<ErrorCode>(
              node.at("code").whole<int>(0, static_cast<int>(ErrorCode::internal))),
          .message = bytes_from_json(node.at("message")),
          .hint = bytes_from_json(node.at("hint"))};
}

MessageJson options_to_json(const GenerateOptions& options) {
  // A new member has to be sent, or this does not compile.
  const auto& [prompt, synthetic_prompt, max_tokens, context, threads, batch, micro_batch,
               filled_context, sequences, cache_type_k, cache_type_v, flash_attention, seed,
               temperature, top_k, top_p, chat, ignore_eos, values_every, sparsity_threshold, stop,
               on_token] = options;
  return {{"prompt", bytes_to_json(prompt)},
          {"synthetic_prompt", synthetic_prompt},
          {"max_tokens", max_tokens},
          {"context", context},
          {"threads", threads},
          {"batch", batch},
          {"micro_batch", micro_batch},
          {"filled_context", filled_context},
          {"sequences", sequences},
          {"cache_type_k", bytes_to_json(cache_type_k)},
          {"cache_type_v", bytes_to_json(cache_type_v)},
          {"flash_attention", flash_attention ? MessageJson(*flash_attention) : MessageJson()},
          {"seed", seed},
          {"temperature", temperature},
          {"top_k", top_k},
          {"top_p", top_p},
          {"chat", chat},
          {"ignore_eos", ignore_eos},
          {"values_every", values_every},
          {"sparsity_threshold", sparsity_threshold}};
}

GenerateOptions options_from_json(const JsonNode& node) {
  return {.prompt = bytes_from_json(node.at("prompt")),
          .synthetic_prompt = node.at("synthetic_prompt").whole<int>(),
          .max_tokens = node.at("max_tokens").whole<int>(),
          .context = node.at("context").whole<int>(),
          .threads = node.at("threads").whole<int>(),
          .batch = node.at("batch").whole<int>(),
          .micro_batch = node.at("micro_batch").whole<int>(),
          .filled_context = node.at("filled_context").whole<int>(),
          .sequences = node.at("sequences").whole<int>(),
          .cache_type_k = bytes_from_json(node.at("cache_type_k")),
          .cache_type_v = bytes_from_json(node.at("cache_type_v")),
          .flash_attention =
              node.at("flash_attention").optional([](const JsonNode& flag) { return flag.flag(); }),
          .seed = node.at("seed").whole<std::uint32_t>(),
          .temperature = static_cast<float>(node.at("temperature").number()),
          .top_k = node.at("top_k").whole<int>(),
          .top_p = static_cast<float>(node.at("top_p").number()),
          .chat = node.at("chat").flag(),
          .ignore_eos = node.at("ignore_eos").flag(),
          .values_every = node.at("values_every").whole<int>(),
          .sparsity_threshold = static_cast<float>(node.at("sparsity_threshold").number())};
}

MessageJson result_to_json(const GenerateResult& result) {
  return {{"response", bytes_to_json(result.response)},
          {"prompt_tokens", result.prompt_tokens},
          {"output_tokens", result.output_tokens},
          {"finish_reason", result.finish_reason}};
}

GenerateResult result_from_json(const JsonNode& node) {
  return {.response = bytes_from_json(node.at("response")),
          .prompt_tokens = node.at("prompt_tokens").whole<std::size_t>(),
          .output_tokens = node.at("output_tokens").whole<std::size_t>(),
          .finish_reason = node.at("finish_reason").text()};
}

MessageJson capacity_to_json(const SharedRecords::Capacity& capacity) {
  return {{"spans", capacity.spans.spans},
          {"tokens", capacity.spans.tokens},
          {"text_bytes", capacity.spans.text_bytes},
          {"passes", capacity.passes.passes},
          {"operations", capacity.passes.operations},
          {"sequences", capacity.passes.sequences}};
}

SharedRecords::Capacity capacity_from_json(const JsonNode& node) {
  const auto count = [&](const char* key) { return node.at(key).whole<std::size_t>(); };
  return {.spans = {.spans = count("spans"),
                    .tokens = count("tokens"),
                    .text_bytes = count("text_bytes")},
          .passes = {.passes = count("passes"),
                     .operations = count("operations"),
                     .sequences = count("sequences")}};
}

MessageJson settings_to_json(const EngineSettings& settings) {
  MessageJson json = MessageJson::object();
  for (const auto& [name, value] : settings) {
    json[name] = value;
  }
  return json;
}

EngineSettings settings_from_json(const JsonNode& node) {
  EngineSettings settings;
  for (const auto& [name, value] : node.json().items()) {
    settings.emplace(name, value.get<std::int64_t>());
  }
  return settings;
}

std::string message_text(const MessageJson& message) { return message.dump(); }

}  // namespace enprof
