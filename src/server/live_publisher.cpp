#include "server/live_publisher.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace enprof {
namespace {

using Json = nlohmann::json;

std::string text(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json mj(const std::optional<Joules>& energy) { return energy ? Json(to_mj(*energy)) : Json(); }
Json mw(const std::optional<Watts>& power) { return power ? Json(to_mw(*power)) : Json(); }

Json figure(const Figure& figure) {
  return {{"duration_ms", to_ms(figure.duration)},
          {"energy_mj", mj(figure.total)},
          {"power_mw", mw(figure.mean_power)},
          {"standard_error_mj", mj(figure.quality.standard_error)},
          {"method", figure.quality.method ? Json(to_string(*figure.quality.method)) : Json()}};
}

Json layer_number(std::int32_t layer) {
  return layer == OperationInfo::kNoLayer ? Json() : Json(layer);
}

}  // namespace

void LivePublisher::publish(const Event& event) {
  Json data = Json::object();
  switch (event.type) {
    case EventType::run_started: {
      const std::lock_guard lock(mutex_);
      last_power_.reset();
      break;
    }
    case EventType::section_start:
      data = {{"phase", to_string(event.phase)}, {"section", event.section}};
      break;
    case EventType::section_end:
      data = {{"phase", to_string(event.phase)},
              {"section", event.section},
              {"duration_ms", to_ms(event.duration)}};
      break;
    case EventType::token_complete: {
      const std::lock_guard lock(mutex_);
      data = {{"index", event.token},
              {"text", event.text},
              {"phase", to_string(event.phase)},
              {"duration_ms", to_ms(event.duration)},
              {"energy_mj", last_power_ ? Json(to_mj(*last_power_ * event.duration)) : Json()},
              {"power_mw", mw(last_power_)},
              {"provisional", true}};
      break;
    }
    case EventType::power_sample: {
      const std::lock_guard lock(mutex_);
      last_power_ = event.power;
      data = {{"power_mw", mw(event.power)}, {"energy_mj", mj(event.energy)}};
      break;
    }
    case EventType::inference_complete:
      data = {{"status", to_string(event.status)},
              {"duration_ms", to_ms(event.duration)},
              {"energy_mj", mj(event.energy)}};
      break;
  }
  hub_->publish(event.run_id, to_string(event.type), event.at, text(data));
}

void LivePublisher::model_loading(const std::string& run_id, const std::string& model,
                                  double share) {
  hub_->publish(run_id, "model_loading", Nanoseconds{0},
                text({{"model", model}, {"progress_ratio", share}}));
}

void LivePublisher::settle(const ProfiledRun& run) {
  const Nanoseconds end = run.totals.figure.duration;
  for (std::size_t first = 0; first < run.tokens.size(); first += kSettledAtOnce) {
    Json tokens = Json::array();
    const std::size_t last = std::min(first + kSettledAtOnce, run.tokens.size());
    for (std::size_t index = first; index < last; ++index) {
      Json token = figure(run.tokens[index].figure);
      token["index"] = run.tokens[index].index;
      tokens.push_back(std::move(token));
    }
    hub_->publish(run.run_id, "energy_settled", end, text({{"tokens", std::move(tokens)}}));
  }
  const auto publish_list = [&](const char* type, const auto& list, const auto& describe) {
    if (list.empty()) {
      return;
    }
    Json entries = Json::array();
    for (const auto& entry : list) {
      Json json = figure(entry.figure);
      json["phase"] = to_string(entry.phase);
      json["count"] = entry.count;
      describe(entry, json);
      entries.push_back(std::move(json));
    }
    hub_->publish(run.run_id, type, end, text({{"entries", std::move(entries)}}));
  };
  publish_list("layer_metrics", run.layers, [](const LayerFigure& layer, Json& json) {
    json["layer"] = layer_number(layer.layer);
  });
  publish_list("component_metrics", run.components,
               [](const ComponentFigure& component, Json& json) {
                 json["layer"] = layer_number(component.layer);
                 json["component"] = component.component;
               });
  publish_list("operation_metrics", run.operations,
               [](const OperationFigure& operation, Json& json) {
                 json["component"] = operation.component;
                 json["op"] = operation.op;
               });
  for (const Warning& warning : run.warnings) {
    hub_->publish(run.run_id, "warning", end,
                  text({{"component", warning.component},
                        {"code", warning.code},
                        {"message", warning.message},
                        {"hint", warning.hint.empty() ? Json() : Json(warning.hint)}}));
  }
}

void LivePublisher::failed(const std::string& run_id, const Error& error) {
  hub_->publish(run_id, "error", Nanoseconds{0},
                text({{"code", to_string(error.code)},
                      {"message", error.message},
                      {"hint", error.hint.empty() ? Json() : Json(error.hint)}}));
}

}  // namespace enprof
