// How good a model's answers are, beside what they cost.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/model/profiled_run.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace enprof {

/// Of one model on one text. Errors are standard errors over the chunks of the text.
///   perplexity     exp(−mean ln p(token | those before it in the chunk))
///   KL divergence  mean over the tokens of Σ p ln(p/q), in nats: p the reference model's
///                  distribution of the next token, q this model's (Kullback and Leibler 1951)
struct PointQuality {
  std::optional<double> perplexity{};
  std::optional<double> perplexity_error{};
  std::optional<double> kl_divergence{};  ///< empty without a reference of the same vocabulary
  std::optional<double> kl_divergence_error{};
  std::size_t tokens = 0;   ///< that were judged
  std::string reference{};  ///< the model's file name; of the reference itself empty
  std::string text{};       ///< the text's file name

  friend bool operator==(const PointQuality&, const PointQuality&) = default;
};

inline constexpr std::string_view kQualityTag = "quality";

/// On one line, for the tag of a run, and back. Errors: malformed.
[[nodiscard]] std::string quality_to_json(const PointQuality& quality);
[[nodiscard]] Result<PointQuality> quality_from_json(std::string_view text);
/// What the tags of a run say; empty if nothing.
[[nodiscard]] std::optional<PointQuality> quality_of(const ProfiledRun& run);

}  // namespace enprof
