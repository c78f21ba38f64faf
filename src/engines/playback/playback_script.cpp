#include "engines/playback/playback_script.hpp"

#include "base/json_text.hpp"
#include "base/named_pipe.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <fstream>
#include <initializer_list>
#include <limits>
#include <system_error>
#include <utility>

namespace enprof {
namespace {

using Json = nlohmann::json;

constexpr int kVersion = 1;
constexpr const char* kHint =
    R"(A script looks like {"playback":1,"steps":[{"phase":"decode","token":"x","sections":[)"
    R"({"name":"forward","us":5000}]}]})";
constexpr double kLongestUs = 3.6e9;  // an hour: what one operation or section may take
constexpr std::size_t kMostRepeats = 1'000'000;
constexpr std::size_t kMostTokens = 10'000'000;
constexpr std::size_t kShownOfAValue = 60;

/// What is wrong, and where: thrown within the parser, and caught in parse_playback.
struct Malformed {
  std::string what;
};

std::string shown(const Json& value) {
  std::string text = value.dump(-1, ' ', true, Json::error_handler_t::replace);
  if (text.size() > kShownOfAValue) {
    text.resize(kShownOfAValue);
    text += "…";
  }
  return text;
}

/// An object of the script, and where it stands there: "steps[2].sections[0]".
class Part {
 public:
  Part(const Json& json, std::string place) : json_(json), place_(std::move(place)) {
    if (!json.is_object()) {
      throw Malformed{fmt::format("{} is {}, not an object", place_, shown(json))};
    }
  }

  /// A key that is not among these is a mistake of who wrote it.
  void allow(std::initializer_list<std::string_view> keys) const {
    for (const auto& [key, value] : json_.items()) {
      if (std::ranges::find(keys, key) == keys.end()) {
        throw Malformed{fmt::format("{} has \"{}\", which is not known there", place_, key)};
      }
    }
  }
  [[nodiscard]] const Json* find(const char* key) const {
    const auto found = json_.find(key);
    return found == json_.end() ? nullptr : &*found;
  }
  [[nodiscard]] std::string at(const char* key) const {
    return place_ == "the script" ? key : fmt::format("{}.{}", place_, key);
  }
  [[nodiscard]] std::optional<std::string> text(const char* key) const {
    const Json* value = find(key);
    if (value == nullptr) {
      return std::nullopt;
    }
    if (!value->is_string()) {
      throw Malformed{fmt::format("{} is {}, not a text", at(key), shown(*value))};
    }
    return value->get<std::string>();
  }
  [[nodiscard]] std::string needed_text(const char* key) const {
    auto result = text(key);
    if (!result) {
      throw Malformed{fmt::format("{} has no \"{}\"", place_, key)};
    }
    return *std::move(result);
  }
  [[nodiscard]] std::optional<double> number(const char* key, double most) const {
    const Json* value = find(key);
    if (value == nullptr) {
      return std::nullopt;
    }
    const double result = value->is_number() ? value->get<double>() : -1.0;
    if (!(result >= 0.0 && result <= most)) {
      throw Malformed{
          fmt::format("{} is {}, not a number from 0 to {:g}", at(key), shown(*value), most)};
    }
    return result;
  }
  [[nodiscard]] std::optional<std::int64_t> whole(const char* key, std::int64_t least,
                                                  std::int64_t most) const {
    const Json* value = find(key);
    if (value == nullptr) {
      return std::nullopt;
    }
    if (!value->is_number_integer() || *value < least || *value > most) {
      throw Malformed{fmt::format("{} is {}, not a whole number from {} to {}", at(key),
                                  shown(*value), least, most)};
    }
    return value->get<std::int64_t>();
  }
  [[nodiscard]] Nanoseconds length() const {
    constexpr double kNsPerUs = 1e3;
    return Nanoseconds{
        static_cast<std::int64_t>(number("us", kLongestUs).value_or(0.0) * kNsPerUs)};
  }
  /// The parts of a list; none where it is missing.
  [[nodiscard]] std::vector<Part> list(const char* key) const {
    std::vector<Part> result;
    const Json* value = find(key);
    if (value == nullptr) {
      return result;
    }
    if (!value->is_array()) {
      throw Malformed{fmt::format("{} is {}, not a list", at(key), shown(*value))};
    }
    result.reserve(value->size());
    for (std::size_t index = 0; index < value->size(); ++index) {
      result.emplace_back((*value)[index], fmt::format("{}[{}]", at(key), index));
    }
    return result;
  }
  [[nodiscard]] const std::string& place() const { return place_; }

 private:
  const Json& json_;
  std::string place_;
};

constexpr std::int64_t kMostLayers = 100'000;

ModelFacts read_model(const Part& part) {
  part.allow({"name", "architecture", "quantization", "layers", "parameters", "context_trained"});
  ModelFacts facts;
  facts.name = part.text("name").value_or("");
  facts.architecture = part.text("architecture").value_or("playback");
  facts.quantization = part.text("quantization").value_or("");
  if (const auto layers = part.whole("layers", 1, kMostLayers)) {
    facts.layers = static_cast<int>(*layers);
  }
  if (const auto count = part.whole("parameters", 1, std::numeric_limits<std::int64_t>::max())) {
    facts.parameters = static_cast<std::uint64_t>(*count);
  }
  if (const auto positions =
          part.whole("context_trained", 1, std::numeric_limits<std::int32_t>::max())) {
    facts.context_trained = static_cast<int>(*positions);
  }
  return facts;
}

PlaybackPlan read_plan(const Part& part) {
  part.allow({"name", "operations"});
  PlaybackPlan result{.name = part.needed_text("name"), .plan = {}, .lengths = {}};
  for (const Part& operation : part.list("operations")) {
    operation.allow({"layer", "component", "op", "name", "us", "flops", "bytes"});
    OperationInfo info;
    info.layer =
        static_cast<std::int32_t>(operation.whole("layer", OperationInfo::kNoLayer, kMostLayers)
                                      .value_or(OperationInfo::kNoLayer));
    info.component = operation.needed_text("component");
    info.op = operation.text("op").value_or("");
    info.name = operation.text("name").value_or("");
    info.flops = operation.number("flops", std::numeric_limits<double>::max());
    info.bytes = operation.number("bytes", std::numeric_limits<double>::max());
    result.plan.operations.push_back(std::move(info));
    result.lengths.push_back(operation.length());
  }
  return result;
}

PlaybackStep read_step(const Part& part, const std::vector<PlaybackPlan>& plans) {
  part.allow({"phase", "token", "repeat", "sections", "fail"});
  PlaybackStep step;
  const std::string phase = part.needed_text("phase");
  const auto known = phase_from_string(phase);
  if (!known) {
    throw Malformed{
        fmt::format("{} is \"{}\", not one of pre_inference, prefill, decode, "
                    "post_inference",
                    part.at("phase"), phase)};
  }
  step.phase = *known;
  step.token = part.text("token");
  step.repeat = static_cast<std::size_t>(
      part.whole("repeat", 1, static_cast<std::int64_t>(kMostRepeats)).value_or(1));
  if (const auto failure = part.text("fail")) {
    step.failure = Error{.code = ErrorCode::internal, .message = *failure, .hint = {}};
  }
  for (const Part& entry : part.list("sections")) {
    entry.allow({"name", "us", "pass"});
    PlaybackSection section{
        .name = entry.needed_text("name"), .length = entry.length(), .plan = std::nullopt};
    if (const auto pass = entry.text("pass")) {
      const auto plan = std::ranges::find(plans, *pass, &PlaybackPlan::name);
      if (plan == plans.end()) {
        throw Malformed{
            fmt::format("{} is \"{}\", which is no plan's name", entry.at("pass"), *pass)};
      }
      section.plan = static_cast<std::size_t>(plan - plans.begin());
    }
    step.sections.push_back(std::move(section));
  }
  return step;
}

PlaybackScript read_script(const Json& json) {
  const Part script(json, "the script");
  script.allow({"playback", "model", "prompt_tokens", "plans", "steps"});
  if (script.whole("playback", 0, std::numeric_limits<std::int64_t>::max()) != kVersion) {
    throw Malformed{
        fmt::format("it does not begin with \"playback\": {}, the version of scripts "
                    "that this program plays",
                    kVersion)};
  }
  PlaybackScript result;
  if (const Json* model = script.find("model")) {
    result.model = read_model({*model, "model"});
  }
  result.prompt_tokens = static_cast<std::size_t>(
      script.whole("prompt_tokens", 0, std::numeric_limits<std::int32_t>::max()).value_or(0));
  for (const Part& plan : script.list("plans")) {
    result.plans.push_back(read_plan(plan));
  }
  for (const Part& step : script.list("steps")) {
    result.steps.push_back(read_step(step, result.plans));
    if (result.steps.size() > 1 &&
        result.steps.back().phase < result.steps[result.steps.size() - 2].phase) {
      throw Malformed{fmt::format("{} is of phase {} after one of {}", step.place(),
                                  to_string(result.steps.back().phase),
                                  to_string(result.steps[result.steps.size() - 2].phase))};
    }
  }
  if (result.steps.empty()) {
    throw Malformed{"it has no \"steps\""};
  }
  if (result.tokens() > kMostTokens) {
    throw Malformed{
        fmt::format("it has {} output tokens, more than {}", result.tokens(), kMostTokens)};
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
  const auto refuse = [&](std::string_view what) {
    return fail(ErrorCode::malformed, fmt::format("{} cannot be played: {}", name, what), kHint);
  };
  try {
    return read_script(Json::parse(in));
  } catch (const Malformed& wrong) {
    return refuse(wrong.what);
  } catch (const Json::exception& wrong) {
    return refuse(without_exception_name(wrong.what()));
  }
}

Result<PlaybackScript> read_playback_file(const std::filesystem::path& path) {
  if (auto pipe = refuse_named_pipe(path); !pipe) {
    return std::unexpected(std::move(pipe.error()));
  }
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    const int error_number = errno;
    return fail(error_code_from_errno(error_number),
                fmt::format("Cannot read {}: {}", path.string(),
                            std::generic_category().message(error_number)));
  }
  return parse_playback(in, path.string());
}

}  // namespace enprof
