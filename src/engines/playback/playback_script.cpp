#include "engines/playback/playback_script.hpp"

#include "base/json_node.hpp"
#include "base/named_pipe.hpp"
#include "profile/engine_hooks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <limits>
#include <system_error>
#include <utility>

namespace enprof {
namespace {

constexpr int kVersion = 1;
constexpr const char* kHint =
    R"(A script looks like {"playback":1,"steps":[{"phase":"decode","token":"x","sections":[)"
    R"({"name":"forward","us":5000}]}]})";
constexpr double kLongestUs = 3.6e9;  // an hour: the longest operation or section
constexpr std::size_t kMostRepeats = 1'000'000;
constexpr std::size_t kMostTokens = 10'000'000;

std::string text_of(const JsonNode& node) { return node.text(); }
std::string text_or_empty(const JsonNode& node) {
  return node.optional(text_of).value_or(std::string{});
}

/// A number from 0 to `most`.
std::optional<double> amount(const JsonNode& node, double most) {
  return node.optional([&](const JsonNode& value) { return value.number(0.0, most); });
}

template <class Number>
std::optional<Number> whole(const JsonNode& node, Number least, Number most) {
  return node.optional([&](const JsonNode& value) { return value.whole(least, most); });
}

Nanoseconds length(const JsonNode& part) {
  constexpr double kNsPerUs = 1e3;
  return Nanoseconds{
      static_cast<std::int64_t>(amount(part.at("us"), kLongestUs).value_or(0.0) * kNsPerUs)};
}

constexpr std::int32_t kMostLayers = 100'000;

ModelFacts read_model(const JsonNode& part) {
  part.allow_only({"name", "architecture", "quantization", "layers", "parameters", "weight_bytes",
                   "embedding_width", "feed_forward_width", "heads", "kv_heads", "head_width",
                   "experts", "experts_used", "vocabulary", "context_trained"});
  ModelFacts facts;
  facts.name = text_or_empty(part.at("name"));
  facts.architecture = part.at("architecture").optional(text_of).value_or("playback");
  facts.quantization = text_or_empty(part.at("quantization"));
  facts.layers = whole(part.at("layers"), 1, kMostLayers);
  constexpr auto kMostBytes = std::numeric_limits<std::int64_t>::max();
  facts.parameters = whole<std::uint64_t>(part.at("parameters"), 1, kMostBytes);
  facts.weight_bytes = whole<std::uint64_t>(part.at("weight_bytes"), 1, kMostBytes);
  const auto count = [&](std::string_view key) {
    return whole(part.at(key), 1, std::numeric_limits<std::int32_t>::max());
  };
  facts.embedding_width = count("embedding_width");
  facts.feed_forward_width = count("feed_forward_width");
  facts.heads = count("heads");
  facts.kv_heads = count("kv_heads");
  facts.head_width = count("head_width");
  facts.experts = count("experts");
  facts.experts_used = count("experts_used");
  facts.vocabulary = count("vocabulary");
  facts.context_trained = count("context_trained");
  return facts;
}

PlaybackPlan read_plan(const JsonNode& part) {
  part.allow_only({"name", "operations"});
  PlaybackPlan result{.name = part.at("name").text(), .plan = {}, .lengths = {}};
  const JsonNode operations = part.at("operations");
  for (std::size_t index = 0; index < operations.size(); ++index) {
    const JsonNode operation = operations[index];
    operation.allow_only({"layer", "component", "op", "name", "us", "flops", "bytes"});
    OperationInfo info;
    info.layer = whole(operation.at("layer"), OperationInfo::kNoLayer, kMostLayers)
                     .value_or(OperationInfo::kNoLayer);
    info.component = operation.at("component").text();
    info.op = text_or_empty(operation.at("op"));
    info.name = text_or_empty(operation.at("name"));
    info.flops = amount(operation.at("flops"), std::numeric_limits<double>::max());
    info.bytes = amount(operation.at("bytes"), std::numeric_limits<double>::max());
    result.plan.operations.push_back(std::move(info));
    result.lengths.push_back(length(operation));
  }
  return result;
}

PlaybackHookFailures read_hooks(const JsonNode& part) {
  part.allow_only({"deep_fail_at", "module_fail_at", "detach_fails"});
  const auto pass = [&](const char* key) {
    return whole<std::size_t>(part.at(key), 0, std::numeric_limits<std::int32_t>::max());
  };
  PlaybackHookFailures result;
  result.at_pass[static_cast<std::size_t>(HookDepth::operations)] = pass("deep_fail_at");
  result.at_pass[static_cast<std::size_t>(HookDepth::components)] = pass("module_fail_at");
  result.on_detach = part.at("detach_fails")
                         .optional([](const JsonNode& node) { return node.flag(); })
                         .value_or(false);
  return result;
}

PlaybackSection read_section(const JsonNode& part, const std::vector<PlaybackPlan>& plans) {
  part.allow_only({"name", "us", "pass"});
  PlaybackSection section{
      .name = part.at("name").text(), .length = length(part), .plan = std::nullopt};
  if (const JsonNode pass = part.at("pass"); !pass.absent()) {
    const auto plan = std::ranges::find(plans, pass.text(), &PlaybackPlan::name);
    if (plan == plans.end()) {
      pass.is_not("a plan's name");
    }
    section.plan = static_cast<std::size_t>(plan - plans.begin());
  }
  return section;
}

PlaybackStep read_step(const JsonNode& part, const std::vector<PlaybackPlan>& plans) {
  part.allow_only({"phase", "token", "repeat", "sections", "fail"});
  PlaybackStep step;
  const JsonNode phase = part.at("phase");
  const auto known = phase_from_string(phase.text());
  if (!known) {
    phase.is_not("one of pre_inference, prefill, decode, post_inference");
  }
  step.phase = *known;
  step.token = part.at("token").optional(text_of);
  step.repeat = whole<std::size_t>(part.at("repeat"), 1, kMostRepeats).value_or(1);
  if (const auto failure = part.at("fail").optional(text_of)) {
    if (failure->empty()) {
      part.at("fail").is_not("a message");
    }
    step.failure = Error{.code = ErrorCode::internal, .message = *failure, .hint = {}};
  }
  step.sections = part.at("sections").list([&](const JsonNode& section) {
    return read_section(section, plans);
  });
  return step;
}

PlaybackScript read_script(const JsonNode& script) {
  script.allow_only({"playback", "model", "prompt_tokens", "hooks", "plans", "steps"});
  if (script.at("playback").json() != kVersion) {
    throw JsonError(
        fmt::format("it does not begin with \"playback\": {}, the version of scripts "
                    "that this program plays",
                    kVersion));
  }
  PlaybackScript result;
  result.model = script.at("model").optional(read_model).value_or(ModelFacts{});
  result.prompt_tokens =
      whole<std::size_t>(script.at("prompt_tokens"), 0, std::numeric_limits<std::int32_t>::max())
          .value_or(0);
  result.hook_failures = script.at("hooks").optional(read_hooks).value_or(PlaybackHookFailures{});
  result.plans = script.at("plans").list(read_plan);
  for (std::size_t index = 0; index < result.plans.size(); ++index) {
    const auto first =
        std::ranges::find(result.plans, result.plans[index].name, &PlaybackPlan::name);
    if (static_cast<std::size_t>(first - result.plans.begin()) != index) {
      script.at("plans")[index].at("name").is_not("the name of no other plan");
    }
  }
  const JsonNode steps = script.at("steps");
  for (std::size_t index = 0; index < steps.size(); ++index) {
    result.steps.push_back(read_step(steps[index], result.plans));
    if (index > 0 && result.steps[index].phase < result.steps[index - 1].phase) {
      steps[index].reject(fmt::format("has phase {}, but follows a step of phase {}",
                                      to_string(result.steps[index].phase),
                                      to_string(result.steps[index - 1].phase)));
    }
  }
  if (result.steps.empty()) {
    throw JsonError("it has no \"steps\"");
  }
  if (result.tokens() > kMostTokens) {
    throw JsonError(
        fmt::format("it has {} output tokens, more than {}", result.tokens(), kMostTokens));
  }
  return result;
}

}  // namespace

std::size_t PlaybackScript::tokens() const {
  std::size_t count = 0;
  for (const PlaybackStep& step : steps) {
    count += step.token ? step.repeat : 0;
  }
  return count;
}

Result<PlaybackScript> parse_playback(std::istream& in, std::string_view name) {
  try {
    const std::string text{std::istreambuf_iterator<char>{in}, {}};
    const auto json = parse_document(text);
    return read_script(JsonNode(json, "the script"));
  } catch (const JsonError& wrong) {
    return fail(ErrorCode::malformed, fmt::format("{} cannot be played: {}", name, wrong.what()),
                wrong.hint().empty() ? kHint : wrong.hint());
  }
}

Result<PlaybackScript> read_playback_file(const std::filesystem::path& path) {
  if (auto pipe = refuse_named_pipe(path); !pipe) {
    return std::unexpected(std::move(pipe.error()));
  }
  std::error_code ignored;
  std::ifstream in(path, std::ios::binary);
  if (const bool is_directory = std::filesystem::is_directory(path, ignored); !in || is_directory) {
    const int error_number = is_directory ? EISDIR : errno;
    return fail(error_code_from_errno(error_number),
                fmt::format("Cannot read {}: {}", path.string(),
                            std::generic_category().message(error_number)));
  }
  return parse_playback(in, path.string());
}

}  // namespace enprof
