// The script that the playback engine plays: what happens, in which order, and how long it takes.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/base/units.hpp"
#include "enprof/model/model_facts.hpp"
#include "enprof/model/names.hpp"
#include "enprof/model/operation.hpp"

#include <cstddef>
#include <filesystem>
#include <istream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

/// A graph: its operations, and how long each takes.
struct PlaybackPlan {
  std::string name;
  OperationPlan plan;
  std::vector<Nanoseconds> lengths;  ///< of the operations
};

/// A section of a run or of a token: time, and then a pass of a plan.
struct PlaybackSection {
  std::string name;
  Nanoseconds length{0};            ///< before the pass
  std::optional<std::size_t> plan;  ///< index into PlaybackScript::plans
};

/// Sections in a phase; of an output token where it has a text.
struct PlaybackStep {
  Phase phase = Phase::decode;
  std::optional<std::string> token;
  std::size_t repeat = 1;
  std::vector<PlaybackSection> sections;
  std::optional<Error> failure;  ///< the generation ends with it, before the step
};

struct PlaybackScript {
  ModelFacts model;
  std::size_t prompt_tokens = 0;
  std::vector<PlaybackPlan> plans;
  std::vector<PlaybackStep> steps;

  /// Output tokens that it has.
  [[nodiscard]] std::size_t tokens() const;
};

/// Reads a script as docs/playback.md describes it. Phases ascend. Error: malformed, with the place
/// and the value; the text is called `name` there.
[[nodiscard]] Result<PlaybackScript> parse_playback(std::istream& in, std::string_view name);

/// The same from a file. Errors: that, and those of the file.
[[nodiscard]] Result<PlaybackScript> read_playback_file(const std::filesystem::path& path);

}  // namespace enprof
