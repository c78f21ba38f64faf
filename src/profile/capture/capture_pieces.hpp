// Cuts the time of a capture into pieces, each of which is one kind of work.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/model/capture.hpp"

#include "profile/capture/request_finder.hpp"
#include "record/capture_recording.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace enprof {

/// A piece of a capture's time. Pieces follow one another without gaps.
struct CapturePiece {
  Instant begin;
  Instant end;
  CapturePartKind part = CapturePartKind::unassigned;
  /// The passes that ran in it; more than one: at once. Empty: between passes.
  std::vector<std::uint32_t> passes{};
  bool is_whole_pass = false;  ///< it is one pass, from its begin to its end
  /// Of a piece between passes that belongs to requests: those, by their index.
  std::vector<std::uint32_t> requests{};
};

/// The requests of a capture, and what each pass did for them.
struct CaptureRequests {
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};
  /// What a sequence of a pass belongs to.
  struct Owner {
    std::uint32_t request = kNone;
    bool is_prompt = false;
  };

  std::vector<FoundRequest> requests;
  std::vector<Owner> owner_of;   ///< by sequence of the recording (PassRecording::sequences)
  std::vector<bool> is_warm_up;  ///< by pass

  [[nodiscard]] Owner owner(const PassRecord& pass, std::size_t place) const {
    const std::size_t index = pass.first_sequence + place;
    return index < owner_of.size() ? owner_of[index] : Owner{};
  }
};
/// Passes within a warm-up that the program stated are not searched for requests.
[[nodiscard]] CaptureRequests find_requests(const CaptureRecording& recording,
                                            std::span<const CapturedContext> contexts);

/// Cuts the time from `begin` to `end`. Passes come before stated work, which comes before what is
/// between passes. Passes are cut to lie in that time; those outside of it have no piece.
[[nodiscard]] std::vector<CapturePiece> cut_capture(const CaptureRecording& recording,
                                                    const CaptureRequests& found, Instant begin,
                                                    Instant end, Nanoseconds longest_between);

}  // namespace enprof
