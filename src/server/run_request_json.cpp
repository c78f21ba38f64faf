#include "server/run_request_json.hpp"

#include "server/choices.hpp"
#include "server/parsed_json.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace enprof {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMostTags = 32;
constexpr std::size_t kLongestName = 256;

constexpr std::string_view kHint = "GET /api/openapi.json describes the request.";
/// Zero would leave nothing to sample from.
constexpr double kLeastTopP = 1e-6;

/// Reads members, and keeps the first thing that was wrong.
class Reader {
 public:
  /// The object outlives it.
  explicit Reader(const ParsedJson& parsed) : json_(parsed.json), problem_(parsed.repetition()) {}

  /// A member that is read elsewhere.
  void know(std::string_view name) {
    if (std::ranges::find(known_, name) == known_.end()) {
      known_.emplace_back(name);
    }
  }
  /// The name of a member, which may have an older one: that which is there.
  const char* either(const char* name, const char* older) {
    know(name);
    know(older);
    if (json_.contains(name) && json_.contains(older)) {
      complain(fmt::format("'{}' and '{}' are the same", name, older),
               fmt::format("Pass '{}' alone.", name));
    }
    return json_.contains(older) ? older : name;
  }

  void text(const char* name, std::string& value, std::size_t longest) {
    const Json* const member = find(name);
    if (member == nullptr) {
      return;
    }
    if (!member->is_string() || member->get_ref<const std::string&>().size() > longest) {
      complain(fmt::format("'{}' is not a text of at most {} bytes", name, longest));
      return;
    }
    value = member->get<std::string>();
  }
  template <class Number>
  void number(const char* name, Number& value, double least, double most) {
    const Json* const member = find(name);
    if (member == nullptr) {
      return;
    }
    const bool whole = std::is_integral_v<Number>;
    if (!member->is_number() || (whole && !member->is_number_integer()) ||
        !(member->get<double>() >= least && member->get<double>() <= most)) {
      complain(fmt::format("'{}' is not a {} from {} to {}", name,
                           whole ? "whole number" : "number", least, most));
      return;
    }
    value = member->get<Number>();
  }
  void flag(const char* name, bool& value) {
    const Json* const member = find(name);
    if (member == nullptr) {
      return;
    }
    if (!member->is_boolean()) {
      complain(fmt::format("'{}' is neither true nor false", name));
      return;
    }
    value = member->get<bool>();
  }
  void texts(const char* name, std::vector<std::string>& values) {
    const Json* const member = find(name);
    if (member == nullptr) {
      return;
    }
    if (!member->is_array() || member->size() > kMostTags) {
      complain(fmt::format("'{}' is not a list of at most {} texts", name, kMostTags));
      return;
    }
    for (const Json& entry : *member) {
      if (!entry.is_string() || entry.get_ref<const std::string&>().size() > kLongestName) {
        complain(fmt::format("'{}' holds something else than a text of at most {} bytes", name,
                             kLongestName));
        return;
      }
      if (entry.get_ref<const std::string&>().empty()) {
        complain(fmt::format("'{}' holds an empty text", name));
        return;
      }
      values.push_back(entry.get<std::string>());
    }
  }
  /// Members that nobody asked for are mistakes: left out silently they would change what is run.
  void refuse_others() {
    for (const auto& [name, value] : json_.items()) {
      if (std::ranges::find(known_, name) != known_.end()) {
        continue;
      }
      complain(fmt::format("There is no '{}' in this request", name), say_choices(name, known_));
    }
  }
  void complain(std::string message, std::string hint = std::string(kHint)) {
    if (!problem_) {
      problem_ = Error{ErrorCode::invalid_argument, std::move(message), std::move(hint)};
    }
  }
  [[nodiscard]] const std::optional<Error>& problem() const { return problem_; }

 private:
  [[nodiscard]] const Json* find(const char* name) {
    known_.emplace_back(name);
    const auto found = json_.find(name);
    return found == json_.end() || found->is_null() ? nullptr : &*found;
  }

  const Json& json_;
  std::vector<std::string_view> known_;  // that were asked for
  std::optional<Error> problem_;
};

}  // namespace

Result<std::vector<std::string>> parse_tags(std::string_view text) {
  const ParsedJson object = parse_json(text);
  std::vector<std::string> tags;
  Reader reader(object);
  if (object.json.is_object()) {
    reader.texts("tags", tags);
    reader.refuse_others();
  }
  if (reader.problem()) {
    return std::unexpected(*reader.problem());
  }
  // A null would be no tags, and so delete those that there are.
  if (!object.json.is_object() || !object.json.contains("tags") || object.json["tags"].is_null()) {
    return fail(ErrorCode::malformed, "The request's body is not a JSON object with 'tags'",
                R"(Send for example {"tags":["baseline","q8"]})");
  }
  return tags;
}

Result<std::vector<std::string>> parse_run_ids(std::string_view text) {
  const ParsedJson object = parse_json(text);
  const Json ids = object.json.is_object() ? object.json.value("run_ids", Json()) : Json();
  Reader reader(object);
  reader.know("run_ids");
  if (object.json.is_object()) {
    reader.refuse_others();
  }
  if (!ids.is_array() || ids.size() < 2 || ids.size() > kMostCompared ||
      !std::ranges::all_of(ids, [](const Json& id) { return id.is_string(); })) {
    reader.complain(fmt::format("'run_ids' is not a list of 2 to {} ids", kMostCompared),
                    R"(Send for example {"run_ids":["0123456789abcdef","fedcba9876543210"]})");
  }
  if (reader.problem()) {
    return std::unexpected(*reader.problem());
  }
  auto run_ids = ids.get<std::vector<std::string>>();
  std::set<std::string_view> seen;
  for (const std::string& id : run_ids) {
    if (!seen.insert(id).second) {
      return fail(ErrorCode::invalid_argument,
                  fmt::format("'run_ids' names run {} more than once", id),
                  "A run is compared with others: name each of them once.");
    }
  }
  return run_ids;
}

Result<RunTask> parse_run_request(std::string_view text) {
  const ParsedJson object = parse_json(text);
  if (!object.json.is_object()) {
    return fail(ErrorCode::malformed, "The request's body is not a JSON object",
                R"(Send for example {"model":"m.gguf","prompt":"Why is the sky blue?"})");
  }
  RunTask order;
  constexpr std::size_t kLongestPrompt = std::size_t{1} << 20U;
  std::string depth{to_string(order.depth)};
  Reader reader(object);
  reader.text("prompt", order.generate.prompt, kLongestPrompt);
  reader.text(reader.either("model", "model_path"), order.model, kLongestName);
  reader.text(reader.either("depth", "profiling_depth"), depth, kLongestName);
  reader.number(reader.either("max_tokens", "max_length"), order.generate.max_tokens, 1, 1e6);
  reader.number("temperature", order.generate.temperature, 0, 100);
  reader.number("top_k", order.generate.top_k, 0, 1e6);
  reader.number("top_p", order.generate.top_p, kLeastTopP, 1);
  reader.number("seed", order.generate.seed, 0, 4294967295.0);
  reader.flag("chat", order.generate.chat);
  reader.texts("tags", order.tags);
  reader.text(reader.either("experiment", "experiment_name"), order.experiment, kLongestName);
  int sequences = 1;
  reader.number("batch_size", sequences, 1, 1e6);
  if (sequences != 1) {
    reader.complain("A run is of one prompt at a time: 'batch_size' can only be 1");
  }
  reader.refuse_others();
  if (order.generate.prompt.empty()) {
    reader.complain("The prompt is empty");
  }
  if (order.model.empty()) {
    reader.complain("No model is named");
  }
  // What is now called module was standard before.
  if (const auto known = depth_from_string(depth == "standard" ? "module" : depth)) {
    order.depth = *known;
  } else {
    constexpr std::array<std::string_view, 3> kDepths{"minimal", "module", "deep"};
    reader.complain(fmt::format("There is no depth '{}'", depth), say_choices(depth, kDepths));
  }
  if (reader.problem()) {
    return std::unexpected(*reader.problem());
  }
  return order;
}

}  // namespace enprof
