// The texts of the requests in a capture, where its tokens are known.
#pragma once

#include "profile/capture/request_finder.hpp"
#include "record/capture_recording.hpp"

#include <span>
#include <string>
#include <vector>

namespace enprof {

struct RequestText {
  /// Of the whole prompt, with what was cached of it. What is not known of it is kUnknownText.
  std::string prompt;
  /// By output token. The last one is missing, as it was never computed with; so are all after one
  /// that is not known.
  std::vector<std::string> outputs;

  friend bool operator==(const RequestText&, const RequestText&) = default;
};

inline constexpr const char* kUnknownText = "…";

/// Follows the tokens in each sequence from request to request: cached ones are those of a request
/// before. `requests` in the order in which they began, each with parts. By request; empty if the
/// recording has no texts.
[[nodiscard]] std::vector<RequestText> texts_of(const CaptureRecording& recording,
                                                std::span<const FoundRequest> requests);

}  // namespace enprof
