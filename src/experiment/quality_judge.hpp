// Judges the answers of an experiment's models, outside of its measured runs.
#pragma once

#include "enprof/base/error.hpp"

#include "experiment/design.hpp"
#include "experiment/point_quality.hpp"
#include "session/model_keeper.hpp"

#include <filesystem>
#include <functional>
#include <map>
#include <stop_token>
#include <string>

namespace enprof {

struct QualityOptions {
  std::filesystem::path cache{};  ///< a directory, which is made; empty: nothing is kept
  std::stop_token stop{};
  std::function<void(const std::string& model)> on_model{};  ///< one is about to be judged
};

using Qualities = std::map<std::string, Result<PointQuality>, std::less<>>;

/// The quality of each model of the design on its text, by the model's file. The reference is
/// judged first; its probabilities lie in a temporary file meanwhile, 2 bytes for each scored token
/// and word of the vocabulary. What was judged before is taken from the cache: its key has the size
/// and time of both models' files, and the text itself. A model that cannot be judged has an error,
/// and the others theirs.
[[nodiscard]] Qualities judge_models(const ExperimentDesign& design, ModelKeeper& models,
                                     const QualityOptions& options);

}  // namespace enprof
