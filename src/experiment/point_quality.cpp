#include "experiment/point_quality.hpp"

#include "base/json_node.hpp"
#include "experiment/run_labels.hpp"
#include "report/json_figures.hpp"

#include <fmt/format.h>

namespace enprof {

std::string quality_to_json(const PointQuality& quality) {
  return on_one_line(Json{{"perplexity", nullable(quality.perplexity)},
                          {"perplexity_error", nullable(quality.perplexity_error)},
                          {"kl_divergence", nullable(quality.kl_divergence)},
                          {"kl_divergence_error", nullable(quality.kl_divergence_error)},
                          {"tokens", quality.tokens},
                          {"reference", quality.reference},
                          {"text", quality.text}});
}

Result<PointQuality> quality_from_json(std::string_view text) {
  try {
    const nlohmann::json document = parse_document(text);
    const JsonNode node(document, "the quality");
    const auto number = [&](std::string_view key) {
      return node.at(key).optional([](const JsonNode& value) { return value.number(); });
    };
    return PointQuality{.perplexity = number("perplexity"),
                        .perplexity_error = number("perplexity_error"),
                        .kl_divergence = number("kl_divergence"),
                        .kl_divergence_error = number("kl_divergence_error"),
                        .tokens = node.at("tokens").whole<std::size_t>(),
                        .reference = node.at("reference").text(),
                        .text = node.at("text").text()};
  } catch (const JsonError& error) {
    return fail(ErrorCode::malformed,
                fmt::format("The quality of a model cannot be read: {}", error.what()),
                error.hint());
  }
}

std::optional<PointQuality> quality_of(const ProfiledRun& run) {
  const auto text = tag_value(run.tags, kQualityTag);
  if (!text) {
    return std::nullopt;
  }
  auto quality = quality_from_json(*text);
  return quality ? std::optional{*std::move(quality)} : std::nullopt;
}

}  // namespace enprof
