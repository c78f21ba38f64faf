#include "server/live_frame.hpp"

#include "base/choices.hpp"
#include "base/json_node.hpp"
#include "base/parsed_json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

namespace enprof {
namespace {

constexpr std::string_view kPowerSample = "power_sample";

std::unexpected<Error> malformed(std::string message) {
  return fail(
      ErrorCode::malformed, std::move(message),
      R"(Send {"subscribe":{"runs":["RUN_ID"],"types":["token_complete"]}}; leave out what )"
      "should not be limited.");
}

using Names = std::set<std::string, std::less<>>;

/// A list of names, none where it is absent.
Names read_names(const JsonNode& list) {
  if (list.json().is_array() && list.size() == 0) {
    throw JsonError(fmt::format("'{}' is empty: nothing would be sent", list.key()),
                    fmt::format("Leave '{}' out to receive all of them.", list.key()));
  }
  if (list.size() > kMostNames) {
    list.is_not(fmt::format("a list of at most {} names", kMostNames));
  }
  const auto names = list.list([](const JsonNode& name) { return name.text(); });
  return {names.begin(), names.end()};
}

LiveFilter read_subscription(const JsonNode& message) {
  message.allow_only({"subscribe"});
  const JsonNode wanted = message.at("subscribe");
  wanted.allow_only({"runs", "types"});
  LiveFilter filter{.runs = read_names(wanted.at("runs")), .types = read_names(wanted.at("types"))};
  const auto known = live_event_types();
  for (const std::string& type : filter.types) {
    if (std::ranges::find(known, type) == known.end()) {
      throw JsonError(fmt::format("There are no events of type '{}'", type),
                      say_choices(type, known));
    }
  }
  return filter;
}

}  // namespace

std::span<const std::string_view> live_event_types() {
  static constexpr std::array<std::string_view, 15> kTypes{"model_loading",
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
                                                           "request_metrics",
                                                           "warning",
                                                           "error",
                                                           "gap"};
  return kTypes;
}

Result<LiveFilter> parse_subscription(std::string_view message) {
  const ParsedJson parsed = parse_json(message);
  const JsonNode json(parsed.json, "The message");
  if (!parsed.json.is_object() || !json.at("subscribe").json().is_object()) {
    return malformed("The message is not a subscription");
  }
  try {
    parsed.refuse_repetition();
    return read_subscription(json);
  } catch (const JsonError& wrong) {
    // A hint says which of the known names was meant; without one it is not of the shape at all.
    return wrong.hint().empty() ? malformed(wrong.what())
                                : fail(ErrorCode::invalid_argument, wrong.what(), wrong.hint());
  }
}

std::string make_frame(const EventHub::Batch& batch, const LiveFilter& filter, bool merge_power) {
  std::map<std::string_view, std::uint64_t> last_power;  // run → number of the sample to keep
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
