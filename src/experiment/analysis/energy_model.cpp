#include "experiment/analysis/energy_model.hpp"

#include "base/counted.hpp"
#include "experiment/analysis/least_squares.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <iterator>
#include <map>
#include <utility>

namespace enprof {
namespace {

constexpr std::size_t kParts = kWorkParts.size();
using Parts = std::array<double, kParts>;

struct Observation {
  std::size_t point = 0;
  std::string model{};
  Parts parts{};
  double joules = 0.0;
};

Parts parts_of(const TokenWork& work) { return {work.bytes(), work.flops, work.layer_passes}; }

const std::optional<MeasuredValue>& energy_of(TokenKind kind, const PointData& point) {
  return kind == TokenKind::output ? point.output_energy : point.input_energy;
}

std::vector<Observation> observe(const ExperimentData& data, TokenKind kind) {
  std::vector<Observation> result;
  for (std::size_t index = 0; index < data.points.size(); ++index) {
    const PointData& point = data.points[index];
    const auto& energy = energy_of(kind, point);
    const auto work = work_of(kind, point.model, point);
    if (energy && energy->value > 0.0 && work) {
      result.push_back({.point = index,
                        .model = point.model_name(),
                        .parts = parts_of(*work),
                        .joules = energy->value});
    }
  }
  return result;
}

/// Which of the parts are in a model, one bit each.
using Subset = unsigned;
constexpr Subset kAllSubsets = 1U << kParts;

struct SubsetFit {
  Subset subset = 0;
  LeastSquares fit{};
  Parts coefficients{};  // of all parts
};

/// Empty if the values do not determine it, or a coefficient would be negative.
std::optional<SubsetFit> fit_subset(Subset subset, const std::vector<Observation>& observations) {
  std::vector<std::vector<double>> rows;
  std::vector<double> values;
  for (const Observation& each : observations) {
    std::vector<double>& row = rows.emplace_back();
    for (std::size_t part = 0; part < kParts; ++part) {
      if ((subset & (1U << part)) != 0) {
        row.push_back(each.parts[part]);
      }
    }
    values.push_back(each.joules);
  }
  auto fit = fit_least_squares(rows, values, values);
  if (!fit || std::ranges::any_of(fit->coefficients, [](double each) { return each < 0.0; })) {
    return std::nullopt;
  }
  SubsetFit result{.subset = subset, .fit = *std::move(fit)};
  std::size_t at = 0;
  for (std::size_t part = 0; part < kParts; ++part) {
    if ((subset & (1U << part)) != 0) {
      result.coefficients[part] = result.fit.coefficients[at++];
    }
  }
  return result;
}

double predict(const Parts& coefficients, const Parts& parts) {
  double sum = 0.0;
  for (std::size_t part = 0; part < kParts; ++part) {
    sum += coefficients[part] * parts[part];
  }
  return sum;
}

/// The best of all subsets; with few values the one that is simplest and fits best.
std::optional<SubsetFit> fit_best(const std::vector<Observation>& observations,
                                  std::size_t models) {
  std::optional<SubsetFit> best;
  double least = HUGE_VAL;
  for (Subset subset = 1; subset < kAllSubsets; ++subset) {
    const auto size = static_cast<std::size_t>(std::popcount(subset));
    if (size + 1 > models) {
      continue;  // one coefficient fewer than models, so that something is left to judge by
    }
    auto fit = fit_subset(subset, observations);
    if (!fit) {
      continue;
    }
    // Without AICc: by the relative scatter, with the freedom that the coefficients cost.
    const double score = aicc_of(fit->fit).value_or(
        static_cast<double>(observations.size()) *
        std::log(std::max(fit->fit.squares, 1e-18) / std::max(fit->fit.freedom, 0.5)));
    if (score < least) {
      least = score;
      best = *std::move(fit);
    }
  }
  return best;
}

std::size_t count_models(const std::vector<Observation>& observations) {
  std::map<std::string, int> models;
  for (const Observation& each : observations) {
    ++models[each.model];
  }
  return models.size();
}

double root_mean_square(const std::vector<double>& values) {
  double squares = 0.0;
  for (const double value : values) {
    squares += value * value;
  }
  return values.empty() ? 0.0 : std::sqrt(squares / static_cast<double>(values.size()));
}

/// Half the interval as a share of the prediction, from the errors of models that were left out.
double relative_half(const std::vector<double>& errors) {
  return coverage_factor(kUsualConfidence, static_cast<double>(errors.size())) *
         root_mean_square(errors);
}

/// Predicts each model by the others.
bool leave_out(const std::vector<Observation>& observations, EnergyModel& model) {
  std::map<std::string, std::vector<std::size_t>> by_model;
  for (std::size_t index = 0; index < observations.size(); ++index) {
    by_model[observations[index].model].push_back(index);
  }
  std::vector<std::string> names;
  std::map<std::string, double> errors;  // of each model: the root mean square of its points'
  std::vector<std::pair<std::string, LeftOut>> found;
  for (const auto& [name, indices] : by_model) {
    std::vector<Observation> others;
    std::ranges::copy_if(observations, std::back_inserter(others),
                         [&](const Observation& each) { return each.model != name; });
    const auto fit = fit_best(others, by_model.size() - 1);
    if (!fit) {
      return false;
    }
    std::vector<double> mine;
    for (const std::size_t index : indices) {
      const Observation& each = observations[index];
      const double predicted = predict(fit->coefficients, each.parts);
      const double error = predicted / each.joules - 1.0;
      // Relative to the prediction, as the interval is.
      mine.push_back(predicted > 0.0 ? each.joules / predicted - 1.0 : HUGE_VAL);
      found.emplace_back(
          name, LeftOut{.point = each.point, .predicted = {.joules = predicted}, .error = error});
    }
    errors[name] = root_mean_square(mine);
  }
  double sum = 0.0;
  double held = 0.0;
  for (auto& [name, left] : found) {
    // The interval that the other models give: a model does not vouch for itself.
    std::vector<double> others;
    for (const auto& [other, error] : errors) {
      if (other != name) {
        others.push_back(error);
      }
    }
    left.predicted.half = relative_half(others) * left.predicted.joules;
    left.is_held =
        std::abs(left.predicted.joules * left.error / (1.0 + left.error)) <= left.predicted.half;
    sum += std::abs(left.error);
    held += left.is_held ? 1.0 : 0.0;
    model.left_out.push_back(left);
  }
  std::ranges::sort(model.left_out, {}, &LeftOut::point);
  std::vector<double> all;
  all.reserve(errors.size());
  for (const auto& [name, error] : errors) {
    all.push_back(error);
  }
  model.spread = root_mean_square(all);
  model.freedom = static_cast<double>(all.size());
  model.mean_error = sum / static_cast<double>(found.size());
  model.held = held / static_cast<double>(found.size());
  model.does_hold =
      model.mean_error <= EnergyModel::kMostMeanError && model.held >= EnergyModel::kLeastHeld;
  return true;
}

}  // namespace

std::string_view to_string(TokenKind kind) noexcept {
  return kind == TokenKind::output ? "output" : "input";
}

std::optional<TokenWork> work_of(TokenKind kind, const ModelFacts& facts,
                                 const PointData& settings) {
  if (kind == TokenKind::output) {
    return decode_work(facts, settings.decode_context(), settings.parallel.value_or(1));
  }
  return prefill_work(
      facts, static_cast<double>(settings.prompt_tokens),
      settings.micro_batch.value_or(0) > 0 ? *settings.micro_batch : kUsualMicroBatch,
      settings.filled_tokens.value_or(0));
}

Predicted EnergyModel::predict(const TokenWork& work) const {
  const Parts parts = parts_of(work);
  double joules = 0.0;
  for (std::size_t part = 0; part < kParts; ++part) {
    joules += coefficients[part] * parts[part];
  }
  return {.joules = joules, .half = coverage_factor(kUsualConfidence, freedom) * spread * joules};
}

std::optional<EnergyModel> fit_energy_model(const ExperimentData& data, TokenKind kind,
                                            std::string& lacks) {
  const std::vector<Observation> observations = observe(data, kind);
  const std::size_t models = count_models(observations);
  if (models < EnergyModel::kLeastModels) {
    lacks = fmt::format(
        "{} with a known shape and an energy per {} token {} not enough: bench {} or more",
        counted(models, "model"), to_string(kind), models == 1 ? "is" : "are",
        EnergyModel::kLeastModels);
    return std::nullopt;
  }
  const auto best = fit_best(observations, models);
  EnergyModel model{.kind = kind, .models = models};
  if (!best || !leave_out(observations, model)) {
    lacks = fmt::format(
        "the energies per {} token do not grow with bytes, FLOPs or layers: no sum of them fits",
        to_string(kind));
    return std::nullopt;
  }
  model.coefficients.assign(best->coefficients.begin(), best->coefficients.end());
  std::size_t at = 0;
  for (std::size_t part = 0; part < kParts; ++part) {
    if ((best->subset & (1U << part)) != 0) {
      EnergyCost cost{.part = part, .joules = best->coefficients[part]};
      if (const auto error = best->fit.error_of(at)) {
        cost.half = coverage_factor(kUsualConfidence, best->fit.freedom) * *error;
      }
      model.costs.push_back(cost);
      ++at;
    }
  }
  return model;
}

}  // namespace enprof
