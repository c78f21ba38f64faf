#include "profile/capture/request_texts.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>

namespace enprof {
namespace {

constexpr std::int32_t kUnknown = -1;
/// Positions of a sequence whose tokens are remembered.
constexpr std::size_t kMostPositions = std::size_t{1} << 22U;

/// The tokens in the cache, by position.
using Cached = std::vector<std::int32_t>;

class Texts {
 public:
  explicit Texts(const CaptureRecording& recording) : recording_(recording) {}

  RequestText of(const FoundRequest& request) {
    Cached& cached = caches_[{request.context, request.sequence}];
    const auto first_output = std::ranges::find_if(
        request.parts, [](const RequestPart& part) { return !part.is_prompt; });
    for (auto part = request.parts.begin(); part != first_output; ++part) {
      write(*part, cached);
    }
    RequestText text;
    for (const std::int32_t token : cached) {
      add(request, token, text.prompt);
    }
    if (text.prompt == kUnknownText) {
      text.prompt.clear();
    }
    for (const std::int32_t token : outputs(std::span(first_output, request.parts.end()), cached)) {
      if (token == kUnknown) {
        break;
      }
      add(request, token, text.outputs.emplace_back());
    }
    return text;
  }

 private:
  [[nodiscard]] const BatchSequence& sequence(const RequestPart& part) const {
    return recording_.passes.sequences[pass(part).first_sequence + part.place];
  }
  [[nodiscard]] const PassRecord& pass(const RequestPart& part) const {
    return recording_.passes.passes[part.pass];
  }
  [[nodiscard]] std::vector<std::int32_t> tokens(const RequestPart& part) const {
    const auto told = recording_.tokens_of(pass(part), part.place);
    return told.empty() ? std::vector<std::int32_t>(sequence(part).tokens, kUnknown)
                        : std::vector<std::int32_t>(told.begin(), told.end());
  }

  /// What was at these positions and behind them is gone.
  void write(const RequestPart& part, Cached& cached) const {
    const auto first = static_cast<std::size_t>(std::max(sequence(part).first_position, 0));
    if (first > kMostPositions) {
      cached.clear();
      return;
    }
    cached.resize(first, kUnknown);
    const std::vector<std::int32_t> added = tokens(part);
    cached.insert(cached.end(), added.begin(), added.end());
  }

  /// The input of each pass is the output of the one before. A step back behind a draft takes back
  /// what was rejected of it; another is a shift of the context, after which positions say nothing.
  [[nodiscard]] std::vector<std::int32_t> outputs(std::span<const RequestPart> parts,
                                                  Cached& cached) const {
    std::vector<std::int32_t> result;
    bool was_draft = false;
    std::int64_t next = parts.empty() ? 0 : sequence(parts.front()).first_position;
    for (const RequestPart& part : parts) {
      const BatchSequence& its = sequence(part);
      if (its.first_position < next) {
        if (was_draft) {
          const auto rejected = static_cast<std::size_t>(next - its.first_position);
          result.resize(result.size() - std::min(rejected, result.size()));
        } else {
          std::ranges::fill(cached, kUnknown);
        }
      }
      const std::vector<std::int32_t> added = tokens(part);
      result.insert(result.end(), added.begin(), added.end());
      write(part, cached);
      was_draft = its.tokens > 1;
      next = std::int64_t{its.first_position} + its.tokens;
    }
    return result;
  }

  void add(const FoundRequest& request, std::int32_t token, std::string& text) const {
    if (token != kUnknown && request.context < recording_.contexts.size()) {
      text += recording_.text_of_token(recording_.contexts[request.context].model, token);
    } else if (!text.ends_with(kUnknownText)) {
      text += kUnknownText;
    }
  }

  const CaptureRecording& recording_;
  std::map<std::pair<std::uint32_t, std::int32_t>, Cached> caches_;
};

}  // namespace

std::vector<RequestText> texts_of(const CaptureRecording& recording,
                                  std::span<const FoundRequest> requests) {
  std::vector<RequestText> result;
  if (recording.text_of_token) {
    Texts texts(recording);
    result.reserve(requests.size());
    for (const FoundRequest& request : requests) {
      result.push_back(texts.of(request));
    }
  }
  return result;
}

}  // namespace enprof
