// The script of the playback engine: what happens, in which order, and how long it takes.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/base/units.hpp"
#include "enprof/model/model_facts.hpp"
#include "enprof/model/names.hpp"
#include "enprof/model/operation.hpp"

#include <array>
#include <cstddef>
#include <filesystem>
#include <istream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

/// A graph: its operations and their durations.
struct PlaybackPlan {
  std::string name;
  OperationPlan plan;
  std::vector<Nanoseconds> lengths;  ///< of the operations
};

/// A section of a run or of a token: a time, and then a pass of a plan.
struct PlaybackSection {
  std::string name;
  Nanoseconds length{0};            ///< before the pass
  std::optional<std::size_t> plan;  ///< index into PlaybackScript::plans
};

/// Sections in a phase; an output token if it has a text.
struct PlaybackStep {
  Phase phase = Phase::decode;
  std::optional<std::string> token;
  std::size_t repeat = 1;
  std::vector<PlaybackSection> sections;
  std::optional<Error> failure;  ///< if set, the generation ends with it before the step
};

/// When the hooks of a run fail.
struct PlaybackHookFailures {
  /// By HookDepth, the number of the pass that they fail in, from 1; 0: they cannot be attached.
  std::array<std::optional<std::size_t>, 2> at_pass{};
  bool on_detach = false;  ///< with an exception
};

struct PlaybackScript {
  ModelFacts model;
  std::size_t prompt_tokens = 0;
  PlaybackHookFailures hook_failures;
  std::vector<PlaybackPlan> plans;
  std::vector<PlaybackStep> steps;

  /// The number of output tokens.
  [[nodiscard]] std::size_t tokens() const;
};

/// Parses a script as docs/playback.md describes it. Phases ascend. Error: malformed, with the
/// place and the value; the message calls the text `name`.
[[nodiscard]] Result<PlaybackScript> parse_playback(std::istream& in, std::string_view name);

/// The same from a file. Errors: also those of reading the file.
[[nodiscard]] Result<PlaybackScript> read_playback_file(const std::filesystem::path& path);

}  // namespace enprof
