// Divides the spans of a capture among its parts and its requests.
#pragma once

#include "enprof/model/capture.hpp"
#include "enprof/model/figure.hpp"

#include "attribution/attribution.hpp"
#include "attribution/figure_builder.hpp"
#include "attribution/pass_sharing.hpp"
#include "profile/assemble/extra_groups.hpp"
#include "profile/capture/capture_pieces.hpp"
#include "record/capture_recording.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace enprof {

inline constexpr std::size_t kPartKinds = static_cast<std::size_t>(CapturePartKind::unassigned) + 1;
/// Of a request: its prompt, and its output.
inline constexpr std::uint32_t kStages = 2;

/// The energy and the time that a request has of a component.
struct ComponentShare {
  double energy_j = 0.0;
  double duration_s = 0.0;
  std::size_t spans = 0;
  std::optional<double> flops = 0.0;
  std::optional<double> bytes = 0.0;
};

/// What is summed up for a request, besides what groups are.
struct RequestSums {
  std::vector<ComponentShare> components;  // by component key × stage
  std::array<double, kStages> own_s{};     // its part of the time that its spans have
  std::vector<double> part_j;              // by part: its energy in that pass
  std::array<double, 3> marginal_j{};      // by balance: usual, lowest, highest
  /// How wrong its shares may be: in the same direction in each pass, and in any.
  std::array<double, kStages> modelled_error_j{};
  std::array<double, kStages> between_variance_j2{};
  double sequence_s = 0.0;  // Σ time of its passes × sequences in them
  double pass_s = 0.0;
};

/// Divides a capture's spans among its parts and its requests.
class CaptureDivision final : public ExtraGroups {
 public:
  CaptureDivision(const CaptureRecording& recording, std::span<const CapturedContext> contexts,
                  const CaptureRequests& found, const std::vector<CapturePiece>& pieces)
      : recording_(recording),
        passes_(recording.passes.view()),
        contexts_(contexts),
        found_(found),
        pieces_(pieces) {
    for (const CapturedModel& model : recording.models) {
      models_.push_back(PassModel::of(model.facts));
    }
    key_of({OperationInfo::kNoLayer, kSelfComponent});     // kSelf
    key_of({OperationInfo::kNoLayer, kUntimedComponent});  // kUntimed
  }

  std::vector<SpanGroups> groupings(std::span<const Span> spans,
                                    std::span<const std::uint32_t> classes) override;

  std::vector<std::uint32_t> finer_classes(std::span<const std::uint32_t> classes) override;
  void take(const Attribution& attribution, std::size_t first,
            const DomainTimelines& timelines) override;

  // ---- what came of it, after take() ----

  [[nodiscard]] std::span<const RootDomain> roots() const { return roots_; }
  [[nodiscard]] Figure part_figure(std::size_t part) const;
  [[nodiscard]] std::size_t pieces_of_part(std::size_t part) const {
    return part_pieces_.empty() ? 0 : part_pieces_[part];
  }
  [[nodiscard]] const std::vector<EnergyShare>& shares(std::size_t request,
                                                       std::uint32_t stage) const {
    return groups_[request * kStages + stage];
  }
  [[nodiscard]] const RequestSums& sums(std::size_t request) const { return sums_[request]; }
  [[nodiscard]] bool has_taken() const { return !sums_.empty() || !part_time_.empty(); }
  using ComponentKey = std::pair<std::int32_t, std::string>;  // layer, component
  [[nodiscard]] const std::vector<ComponentKey>& component_keys() const { return keys_; }
  [[nodiscard]] const std::map<std::size_t, CaptureOccupancy>& occupancy() const {
    return occupancy_;
  }
  [[nodiscard]] std::size_t modelled_passes() const { return modelled_passes_; }
  [[nodiscard]] std::size_t operation_passes() const { return operation_passes_; }
  [[nodiscard]] bool knows_models() const {
    return !models_.empty() &&
           std::ranges::all_of(models_, [](const auto& model) { return model.has_value(); });
  }

 private:
  static constexpr std::uint32_t kNone = SpanGroups::kNone;

  /// What a plan's operations are divided by, and which component each belongs to.
  struct PlanFacts {
    std::vector<OperationSharing> sharing;
    std::vector<std::uint32_t> keys;
  };

  static constexpr std::uint32_t kSelf = 0;
  static constexpr std::uint32_t kUntimed = 1;
  std::uint32_t key_of(ComponentKey key) {
    const auto [entry, is_new] =
        key_numbers_.try_emplace(std::move(key), static_cast<std::uint32_t>(keys_.size()));
    if (is_new) {
      keys_.push_back(entry->first);
    }
    return entry->second;
  }
  [[nodiscard]] const PassRecord& pass_of(const CapturePiece& piece) const {
    return passes_.passes[piece.passes.front()];
  }
  [[nodiscard]] const OperationPlan* plan_of(const PassRecord& pass) const {
    return pass.plan < passes_.plans.size() ? passes_.plans[pass.plan].get() : nullptr;
  }
  const PlanFacts& facts_of(std::uint32_t plan);
  [[nodiscard]] const std::optional<PassModel>& model_of(std::uint32_t pass) const;

  // ---- rows of divisions ----

  void begin_piece(std::uint32_t index);

  [[nodiscard]] static std::uint32_t group_of(const CaptureRequests::Owner& owner) {
    return owner.request * kStages + (owner.is_prompt ? 0U : 1U);
  }

  void add_row(const PassRecord& pass, std::span<const double> shares, double scale);

  std::uint32_t row_between(const CapturePiece& piece);
  [[nodiscard]] bool is_in_prompt(std::uint32_t request, Instant at) const;

  /// Of a pass as a whole, and of passes that run at once.
  std::uint32_t modelled_row(const CapturePiece& piece);
  [[nodiscard]] bool has_owner(const PassRecord& pass) const;

  /// The row of a span within a piece of requests. Leaves of a pass are its operations; the rest of
  /// a pass has time of its own where its operations were not timed.
  std::uint32_t row_of(std::size_t index, std::span<const std::uint32_t> classes);
  /// At depth module leaves are components; at depth deep they are operations.
  [[nodiscard]] bool has_no_children(std::size_t index) const {
    return index + 1 >= spans_.size() ||
           spans_[index + 1].parent != static_cast<std::int32_t>(index);
  }

  std::uint32_t operation_row(const CapturePiece& piece, OperationSharing sharing);

  // ---- sums ----

  void enter_piece(std::uint32_t index);

  void add_span(std::size_t index, const Attribution& attribution);

  void add_share_errors(std::size_t index, double energy_j);
  ComponentShare& add_component(std::uint32_t key, const SpanDivisions::Part& part, double own_j,
                                double time_s);

  void add_operation(std::size_t index, const SpanDivisions::Part& part, double own_j,
                     double time_s);

  /// A pass without operations: how uncertain its division is, and what each sequence added.
  void add_modelled(const CapturePiece& piece, std::size_t index, double energy_j);
  /// Whether a span was divided as a whole pass: sections at depth minimal, untimed passes.
  [[nodiscard]] std::uint32_t rest_row_of(std::size_t index) const {
    return spans_[index].level == Level::section || spans_[index].level == Level::pass
               ? request_of_[index]
               : kNone;
  }

  const CaptureRecording& recording_;
  const PassRecordingView passes_;
  std::span<const CapturedContext> contexts_;
  const CaptureRequests& found_;
  const std::vector<CapturePiece>& pieces_;
  std::vector<std::optional<PassModel>> models_;

  std::span<const Span> spans_;
  bool has_components_ = false;  // passes have spans
  SpanDivisions divisions_;
  std::vector<std::uint32_t> part_of_;       // these four by span
  std::vector<std::uint32_t> request_of_;    // row of divisions_
  std::vector<std::uint32_t> operation_of_;  // of the plan; the first of a component's
  std::vector<std::uint32_t> piece_of_;
  SpanDivisions deviations_;                              // of shares, for some rows of divisions_
  std::map<std::uint32_t, std::uint32_t> deviations_of_;  // by row of divisions_
  std::map<OperationSharing, std::uint32_t> rows_;        // of the present piece
  std::uint32_t rest_row_ = 0;
  std::uint32_t pass_span_ = kNone;
  std::size_t next_operation_ = 0;
  std::map<std::uint32_t, PlanFacts> plans_;
  std::map<ComponentKey, std::uint32_t> key_numbers_;
  std::vector<ComponentKey> keys_;
  std::size_t modelled_passes_ = 0;
  std::size_t operation_passes_ = 0;

  std::vector<RootDomain> roots_;
  std::vector<RequestSums> sums_;
  std::vector<std::size_t> next_part_;                           // by request
  std::vector<std::pair<std::uint32_t, std::size_t>> part_now_;  // request, part of the piece
  std::array<std::vector<EnergyShare>, kPartKinds> parts_;
  std::vector<Nanoseconds> part_time_;
  std::vector<std::size_t> part_pieces_;
  std::vector<std::vector<EnergyShare>> groups_;
  std::map<std::size_t, CaptureOccupancy> occupancy_;
};

}  // namespace enprof
