// Joules per token from bytes and FLOPs: what this machine was measured to need for each, and what
// a model would need that did not run.
#pragma once

#include "experiment/analysis/model_work.hpp"
#include "experiment/analysis/point_data.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

enum class TokenKind : std::uint8_t { output, input };
[[nodiscard]] std::string_view to_string(TokenKind kind) noexcept;

/// The work of a token of this kind at the settings of a point. `facts`: of the model that it is
/// asked for.
[[nodiscard]] std::optional<TokenWork> work_of(TokenKind kind, const ModelFacts& facts,
                                               const PointData& settings);

/// A share of the energy, in J per unit: per byte, FLOP, or layer in a pass.
struct EnergyCost {
  std::size_t part = 0;  ///< index into kWorkParts
  double joules = 0.0;
  std::optional<double> half{};  ///< of the 95 % interval
};
inline constexpr std::array<std::string_view, 3> kWorkParts{"byte", "FLOP", "layer and pass"};

struct Predicted {
  double joules = 0.0;
  double half = 0.0;  ///< of the 95 % interval
};

/// A point that was predicted by what the points of other models say.
struct LeftOut {
  std::size_t point = 0;  ///< index into the data's points
  Predicted predicted{};
  double error = 0.0;    ///< (predicted − measured) / measured
  bool is_held = false;  ///< the interval holds the measured value
};

struct EnergyModel {
  /// What is promised: errors of left-out models are at most this in the mean, and intervals of
  /// 95 % hold at least that share.
  static constexpr double kMostMeanError = 0.10;
  static constexpr double kLeastHeld = 0.90;
  static constexpr std::size_t kLeastModels = 3;

  TokenKind kind = TokenKind::output;
  std::vector<EnergyCost> costs{};
  std::vector<double> coefficients{};  ///< J per unit of each of kWorkParts; 0: not in the model
  std::size_t models = 0;              ///< different ones
  std::vector<LeftOut> left_out{};
  double mean_error = 0.0;  ///< of the left-out points, absolute
  double held = 0.0;        ///< share of them whose interval holds the measured value
  double spread = 0.0;      ///< standard deviation of the left-out models' errors, relative
  double freedom = 0.0;
  bool does_hold = false;  ///< as promised

  [[nodiscard]] Predicted predict(const TokenWork& work) const;
};

/// Fits coefficients that are not negative, with weights 1/y²; which of bytes, FLOPs and layers are
/// in it is chosen by AICc, or by the left-out errors where points are too few for it. The interval
/// is Student's, from the errors of the models that were left out one at a time: it holds what the
/// shape does not say. The reason why there is none is in `lacks`.
[[nodiscard]] std::optional<EnergyModel> fit_energy_model(const ExperimentData& data,
                                                          TokenKind kind, std::string& lacks);

}  // namespace enprof
