#include "server/live_frame.hpp"

#include "server/choices.hpp"
#include "server/parsed_json.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

namespace enprof {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kPowerSample = "power_sample";

std::unexpected<Error> malformed(std::string message) {
  return fail(
      ErrorCode::malformed, std::move(message),
      R"(Send {"subscribe":{"runs":["RUN_ID"],"types":["token_complete"]}}; leave out what )"
      "should not be limited.");
}

Result<std::set<std::string, std::less<>>> names(const Json& object, const char* member) {
  std::set<std::string, std::less<>> result;
  const auto found = object.find(member);
  if (found == object.end() || found->is_null()) {
    return result;
  }
  if (found->is_array() && found->empty()) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("'{}' is empty: nothing would be sent", member),
                fmt::format("Leave '{}' out where it should not be limited.", member));
  }
  if (!found->is_array() || found->size() > kMostNames) {
    return malformed(fmt::format("'{}' is not a list of at most {} names", member, kMostNames));
  }
  for (const Json& name : *found) {
    if (!name.is_string()) {
      return malformed(fmt::format("'{}' holds something that is not a name", member));
    }
    result.insert(name.get<std::string>());
  }
  return result;
}

Result<void> refuse_others(const Json& object, std::span<const std::string_view> known) {
  for (const auto& [name, value] : object.items()) {
    if (std::ranges::find(known, name) == known.end()) {
      return fail(ErrorCode::invalid_argument,
                  fmt::format("There is no '{}' in a subscription", name),
                  say_choices(name, known));
    }
  }
  return {};
}

}  // namespace

std::span<const std::string_view> live_event_types() {
  static constexpr std::array<std::string_view, 14> kTypes{"model_loading",
                                                           "run_started",
                                                           "section_start",
                                                           "section_end",
                                                           "token_complete",
                                                           "power_sample",
                                                           "inference_complete",
                                                           "energy_settled",
                                                           "layer_metrics",
                                                           "component_metrics",
                                                           "operation_metrics",
                                                           "warning",
                                                           "error",
                                                           "gap"};
  return kTypes;
}

Result<LiveFilter> parse_subscription(std::string_view message) {
  constexpr std::array<std::string_view, 1> kMembers{"subscribe"};
  constexpr std::array<std::string_view, 2> kLists{"runs", "types"};
  const ParsedJson parsed = parse_json(message);
  const Json& json = parsed.json;
  if (!json.is_object() || !json.contains("subscribe") || !json["subscribe"].is_object()) {
    return malformed("The message is not a subscription");
  }
  if (auto twice = parsed.repetition()) {
    return std::unexpected(*std::move(twice));
  }
  if (auto others = refuse_others(json, kMembers); !others) {
    return std::unexpected(std::move(others.error()));
  }
  if (auto others = refuse_others(json["subscribe"], kLists); !others) {
    return std::unexpected(std::move(others.error()));
  }
  auto runs = names(json["subscribe"], "runs");
  if (!runs) {
    return std::unexpected(runs.error());
  }
  auto types = names(json["subscribe"], "types");
  if (!types) {
    return std::unexpected(types.error());
  }
  const auto known = live_event_types();
  for (const std::string& type : *types) {
    if (std::ranges::find(known, type) == known.end()) {
      return fail(ErrorCode::invalid_argument,
                  fmt::format("There are no events of type '{}'", type), say_choices(type, known));
    }
  }
  return LiveFilter{.runs = std::move(*runs), .types = std::move(*types)};
}

std::string make_frame(const EventHub::Batch& batch, const LiveFilter& filter, bool merge_power) {
  std::map<std::string_view, std::uint64_t> last_power;  // by run: the number of the one to keep
  if (merge_power) {
    for (const auto& event : batch.events) {
      if (event->type == kPowerSample) {
        last_power[event->run_id] = event->seq;
      }
    }
  }
  std::string frame;
  const auto append = [&](std::string_view envelope) {
    frame += frame.empty() ? '[' : ',';
    frame += envelope;
  };
  if (batch.is_gap()) {
    const std::uint64_t before = batch.next - batch.events.size();
    append(fmt::format(
        R"({{"seq":{},"run_id":"","type":"gap","t_ms":0,"data":{{"missed":{},"restarted":{}}}}})",
        before, batch.restarted ? "null" : std::to_string(batch.missed), batch.restarted));
  }
  for (const auto& event : batch.events) {
    if (!filter.wants(*event)) {
      continue;
    }
    if (merge_power && event->type == kPowerSample && last_power[event->run_id] != event->seq) {
      continue;
    }
    append(event->json);
  }
  if (!frame.empty()) {
    frame += ']';
  }
  return frame;
}

}  // namespace enprof
