#include "server/run_request_json.hpp"

#include "base/choices.hpp"
#include "base/json_node.hpp"
#include "base/parsed_json.hpp"

#include <fmt/format.h>

#include <array>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>

namespace enprof {
namespace {

constexpr std::size_t kMostTags = 32;
constexpr std::size_t kLongestName = 256;

constexpr std::string_view kName = "The request";
constexpr std::string_view kHint = "GET /api/openapi.json describes the request.";
/// Zero would leave nothing to sample from.
constexpr double kLeastTopP = 1e-6;

std::unexpected<Error> refused(const JsonError& wrong) {
  return fail(ErrorCode::invalid_argument, wrong.what(),
              wrong.hint().empty() ? std::string{kHint} : wrong.hint());
}

/// A member, which may be called by an older name.
JsonNode either(const JsonNode& request, const char* name, const char* older) {
  const JsonNode member = request.at(name);
  const JsonNode same = request.at(older);
  if (member.is_there() && same.is_there()) {
    throw JsonError(fmt::format("'{}' and '{}' are the same", name, older),
                    fmt::format("Pass '{}' alone.", name));
  }
  return same.is_there() ? same : member;
}

void read_text(const JsonNode& node, std::size_t longest, std::string& value) {
  if (!node.absent()) {
    value = node.text(longest);
  }
}

template <class Number>
void read_number(const JsonNode& node, double least, double most, Number& value) {
  if (node.absent()) {
    return;
  }
  if constexpr (std::is_integral_v<Number>) {
    value = node.whole(static_cast<Number>(least), static_cast<Number>(most));
  } else {
    value = static_cast<Number>(node.number(least, most));
  }
}

std::vector<std::string> read_tags(const JsonNode& node) {
  if (node.size() > kMostTags) {
    node.is_not(fmt::format("a list of at most {} texts", kMostTags));
  }
  return node.list([](const JsonNode& entry) {
    std::string tag = entry.text(kLongestName);
    if (tag.empty()) {
      entry.reject("is an empty text");
    }
    return tag;
  });
}

RunTask read_run_request(const JsonNode& request) {
  request.allow_only({"prompt", "model", "model_path", "depth", "profiling_depth", "max_tokens",
                      "max_length", "temperature", "top_k", "top_p", "seed", "chat", "tags",
                      "experiment", "experiment_name", "batch_size"});
  RunTask order;
  constexpr std::size_t kLongestPrompt = std::size_t{1} << 20U;
  constexpr double kMostTokens = 1e6;
  constexpr double kMostSeed = 4294967295.0;
  std::string depth{to_string(order.depth)};
  read_text(request.at("prompt"), kLongestPrompt, order.generate.prompt);
  read_text(either(request, "model", "model_path"), kLongestName, order.model);
  const JsonNode depth_member = either(request, "depth", "profiling_depth");
  read_text(depth_member, kLongestName, depth);
  read_number(either(request, "max_tokens", "max_length"), 1, kMostTokens,
              order.generate.max_tokens);
  read_number(request.at("temperature"), 0, 100, order.generate.temperature);
  read_number(request.at("top_k"), 0, 1e6, order.generate.top_k);
  read_number(request.at("top_p"), kLeastTopP, 1, order.generate.top_p);
  read_number(request.at("seed"), 0, kMostSeed, order.generate.seed);
  if (const JsonNode chat = request.at("chat"); !chat.absent()) {
    order.generate.chat = chat.flag();
  }
  order.tags = read_tags(request.at("tags"));
  read_text(either(request, "experiment", "experiment_name"), kLongestName, order.experiment);
  if (const JsonNode sequences = request.at("batch_size");
      !sequences.absent() && sequences.whole(1, 1'000'000) != 1) {
    throw JsonError("A run is of one prompt at a time: 'batch_size' can only be 1");
  }
  if (order.generate.prompt.empty()) {
    throw JsonError("The prompt is empty");
  }
  if (order.model.empty()) {
    throw JsonError("No model is named");
  }
  // What is now called module was standard before.
  const auto known = depth_from_string(depth == "standard" ? "module" : depth);
  if (!known) {
    constexpr std::array<std::string_view, 3> kDepths{"minimal", "module", "deep"};
    throw JsonError(fmt::format("There is no depth '{}'", depth), say_choices(depth, kDepths));
  }
  order.depth = *known;
  return order;
}

}  // namespace

Result<std::vector<std::string>> parse_tags(std::string_view text) {
  const ParsedJson parsed = parse_json(text);
  const auto malformed = [] {
    return fail(ErrorCode::malformed, "The request's body is not a JSON object with 'tags'",
                R"(Send for example {"tags":["baseline","q8"]})");
  };
  if (!parsed.json.is_object()) {
    return malformed();
  }
  try {
    parsed.refuse_repetition();
    const JsonNode request(parsed.json, kName);
    request.allow_only({"tags"});
    // A null would be no tags, and so delete those that there are.
    const JsonNode tags = request.at("tags");
    return tags.absent() ? Result<std::vector<std::string>>(malformed()) : read_tags(tags);
  } catch (const JsonError& wrong) {
    return refused(wrong);
  }
}

Result<std::vector<std::string>> parse_run_ids(std::string_view text) {
  const ParsedJson parsed = parse_json(text);
  try {
    parsed.refuse_repetition();
    const JsonNode request(parsed.json, kName);
    const auto refuse = [] {
      throw JsonError(fmt::format("'run_ids' is not a list of 2 to {} ids", kMostCompared),
                      R"(Send for example {"run_ids":["0123456789abcdef","fedcba9876543210"]})");
    };
    if (!parsed.json.is_object()) {
      refuse();
    }
    request.allow_only({"run_ids"});
    const JsonNode ids = request.at("run_ids");
    if (!ids.json().is_array() || ids.size() < 2 || ids.size() > kMostCompared) {
      refuse();
    }
    auto run_ids = ids.list([](const JsonNode& id) { return id.text(); });
    std::set<std::string_view> seen;
    for (const std::string& id : run_ids) {
      if (!seen.insert(id).second) {
        throw JsonError(fmt::format("'run_ids' names run {} more than once", id),
                        "A run is compared with others: name each of them once.");
      }
    }
    return run_ids;
  } catch (const JsonError& wrong) {
    return refused(wrong);
  }
}

Result<RunTask> parse_run_request(std::string_view text) {
  const ParsedJson parsed = parse_json(text);
  if (!parsed.json.is_object()) {
    return fail(ErrorCode::malformed,
                parsed.json.is_discarded() ? "The request's body is not JSON"
                                           : "The request's body is not a JSON object",
                R"(Send for example {"model":"m.gguf","prompt":"Why is the sky blue?"})");
  }
  try {
    parsed.refuse_repetition();
    return read_run_request(JsonNode(parsed.json, kName));
  } catch (const JsonError& wrong) {
    return refused(wrong);
  }
}

}  // namespace enprof
