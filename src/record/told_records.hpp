// Decodes the records of one ring of a probe.
#pragma once

#include "enprof/base/error.hpp"

#include "probe/probe_format.h"
#include "record/told_pass.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace enprof {

/// Decodes cells one after the other and hands what is complete to a sink. What the cells say may
/// be a lie, or damaged: then it stops, and says why; what it told before stands. It keeps no more
/// memory than kMostTensors tensors, kMostStamps stamps and kMostKinds names.
/// Threads: one.
class ToldRecords {
 public:
  static constexpr std::size_t kMostTensors = std::size_t{2} * kProbeNodes;
  static constexpr std::size_t kMostStamps = 1U << 18U;  ///< of one pass
  static constexpr std::size_t kMostKinds = 512;

  /// The sink must outlive it.
  explicit ToldRecords(ToldSink& sink) : sink_(sink) {}

  /// Errors: malformed, with the reason; later cells are then ignored.
  Result<void> add(const ProbeCell& cell);
  [[nodiscard]] const std::optional<Error>& damage() const { return damage_; }

 private:
  enum class Awaits : std::uint8_t { any, tensor, tensor_half, stamps, sequences, tokens };

  Result<void> add_first(const ProbeCell& cell);
  Result<void> begin_graph(const ProbeGraph& graph);
  Result<void> add_kind(const ProbeKind& kind);
  Result<void> add_tensor(const ProbeTensor& tensor);
  Result<void> end_graph();
  [[nodiscard]] Result<void> check_count(std::size_t count, std::size_t most,
                                         std::string_view what) const;
  Result<void> begin_segment(const ProbeSegment& segment);
  Result<void> add_stamps(const ProbeStamps& stamps);
  Result<void> begin_pass(const ProbePass& pass);
  Result<void> add_sequences(const ProbeSequences& sequences);
  Result<void> end_sequences();
  Result<void> add_tokens(const ProbeTokens& tokens);
  void end_pass();

  ToldSink& sink_;
  std::optional<Error> damage_;
  Awaits awaits_ = Awaits::any;
  std::size_t left_ = 0;  // records, stamps, sequences or tokens that are awaited
  std::uint32_t context_ = 0;
  std::vector<std::pair<std::string, std::string>> kinds_;
  // The graph under way. Its tensors come in any order.
  ToldGraph graph_;
  std::vector<bool> has_tensor_;
  struct Links {
    std::uint16_t view_of = 0;
    std::array<std::uint16_t, kProbeSources> sources{};
  };
  std::vector<Links> links_;
  ProbeCell half_{};
  // The pass under way, and its segments, which come before it.
  ToldPass pass_;
  std::size_t told_tokens_ = 0;
  struct Room {
    std::size_t next = 0;
    std::size_t end = 0;
  };
  std::vector<Room> rooms_;  // by sequence: where its tokens go
  std::vector<ToldSegment> segments_;
  std::uint32_t segments_pass_ = 0;
  Instant last_end_;
  std::size_t stamps_ = 0;
};

}  // namespace enprof
