#include "server/live_publisher.hpp"

#include "base/overloaded.hpp"
#include "base/utf8.hpp"
#include "report/json_figures.hpp"

#include <algorithm>
#include <chrono>
#include <span>
#include <utility>
#include <variant>

namespace enprof {
namespace {

Json figure(const Figure& figure) {
  return {{"duration_ms", to_ms(figure.duration)},
          {"energy_mj", mj(figure.total)},
          {"power_mw", mw(figure.mean_power)},
          {"standard_error_mj", mj(figure.quality.standard_error)},
          {"method", figure.quality.method ? Json(to_string(*figure.quality.method)) : Json()}};
}

void describe(const LayerFigure& layer, Json& json) { json["layer"] = layer_json(layer.layer); }
void describe(const ComponentFigure& component, Json& json) {
  json["layer"] = layer_json(component.layer);
  json["component"] = component.component;
}
void describe(const OperationFigure& operation, Json& json) {
  json["component"] = operation.component;
  json["op"] = operation.op;
}

/// The data of the metrics events.
template <class List>
std::string entries(const List& list, bool final) {
  Json result = Json::array();
  for (const auto& entry : list) {
    Json json = figure(entry.figure);
    json["phase"] = to_string(entry.phase);
    json["count"] = entry.count;
    describe(entry, json);
    result.push_back(std::move(json));
  }
  return on_one_line({{"entries", std::move(result)}, {"final", final}});
}

/// A request in request_metrics.
Json request_json(const LiveRequest& request, Instant run_began) {
  return {{"number", request.number},
          {"context", request.context},
          {"sequence", request.sequence},
          {"begin_ms", to_ms(request.begin - run_began)},
          {"prompt_tokens", request.prompt_tokens},
          {"output_tokens", request.output_tokens},
          {"time_to_first_token_ms",
           request.first_token ? Json(to_ms(*request.first_token - request.begin)) : Json()}};
}

/// The data of energy_settled.
std::string settled(std::span<const TokenFigure> tokens, bool final) {
  Json result = Json::array();
  for (const TokenFigure& token : tokens) {
    Json json = figure(token.figure);
    json["index"] = token.index;
    result.push_back(std::move(json));
  }
  return on_one_line({{"tokens", std::move(result)}, {"final", final}});
}

}  // namespace

void LivePublisher::publish(const Event& event) {
  const auto sums = [&](const auto& list) -> std::optional<std::string> {
    if (!may_publish_sums(event)) {
      return std::nullopt;  // the next event contains these sums too
    }
    std::string text = entries(list, false);
    delay_sums(event, text.size());
    return text;
  };
  const auto text = std::visit(
      Overloaded{
          [&](const events::RunStarted&) -> std::optional<std::string> {
            begin_run();
            return on_one_line(Json::object());
          },
          [](const events::SectionStart& section) -> std::optional<std::string> {
            return on_one_line({{"phase", to_string(section.phase)}, {"section", section.section}});
          },
          [](const events::SectionEnd& section) -> std::optional<std::string> {
            return on_one_line({{"phase", to_string(section.phase)},
                                {"section", section.section},
                                {"duration_ms", to_ms(section.duration)}});
          },
          [&](const events::TokenComplete& token) -> std::optional<std::string> {
            return token_text(token);
          },
          [&](const events::PowerSample& sample) -> std::optional<std::string> {
            return power_text(sample);
          },
          [](const events::InferenceComplete& end) -> std::optional<std::string> {
            return on_one_line({{"status", to_string(end.status)},
                                {"duration_ms", to_ms(end.duration)},
                                {"energy_mj", mj(end.energy)}});
          },
          [](const events::EnergySettled& energy) -> std::optional<std::string> {
            return settled(energy.tokens, false);
          },
          [&](const events::LayerMetrics& metrics) { return sums(metrics.layers); },
          [&](const events::ComponentMetrics& metrics) { return sums(metrics.components); },
          [&](const events::OperationMetrics& metrics) { return sums(metrics.operations); },
      },
      event.data);
  if (text) {
    hub_->publish(event.run_id, to_string(event.type()), event.at, *text);
  }
}

void LivePublisher::begin_run() {
  const std::lock_guard lock(mutex_);
  last_power_.reset();
  last_energy_.reset();
  sums_paused_until_.clear();
  published_.clear();
  published_error_.clear();
  unfinished_.clear();
}

std::string LivePublisher::token_text(const events::TokenComplete& token) {
  const std::lock_guard lock(mutex_);
  // A character that consists of several tokens belongs to the token that completes it.
  std::string characters = std::exchange(unfinished_, {}) + token.text;
  unfinished_ = characters.substr(characters.size() - unfinished_utf8(characters));
  characters.resize(characters.size() - unfinished_.size());
  return on_one_line(
      {{"index", token.index},
       {"text", characters},
       {"phase", to_string(token.phase)},
       {"duration_ms", to_ms(token.duration)},
       {"energy_mj", last_power_ ? Json(to_mj(*last_power_ * token.duration)) : Json()},
       {"power_mw", mw(last_power_)},
       {"provisional", true}});
}

std::string LivePublisher::power_text(const events::PowerSample& sample) {
  {
    const std::lock_guard lock(mutex_);
    last_power_ = sample.power;
    last_energy_ = sample.energy;
  }
  Json rails = Json::array();
  for (const RailPower& rail : sample.rails) {
    rails.push_back({{"name", rail.domain}, {"power_mw", mw(rail.power)}});
  }
  return on_one_line({{"power_mw", mw(sample.power)},
                      {"energy_mj", mj(sample.energy)},
                      {"rails", std::move(rails)}});
}

bool LivePublisher::may_publish_sums(const Event& event) {
  const std::lock_guard lock(mutex_);
  const auto pause = sums_paused_until_.find(event.type());
  return pause == sums_paused_until_.end() || event.at >= pause->second;
}

void LivePublisher::delay_sums(const Event& event, std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  sums_paused_until_[event.type()] =
      event.at + std::chrono::duration_cast<Nanoseconds>(std::chrono::duration<double>(
                     static_cast<double>(bytes) / kSumBytesPerSecond));
}

void LivePublisher::publish_loading(const std::string& run_id, const std::string& model,
                                    double share) {
  hub_->publish(run_id, "model_loading", Nanoseconds{0},
                on_one_line({{"model", model}, {"progress_ratio", share}}));
}

void LivePublisher::publish_requests(const std::string& run_id, Nanoseconds at,
                                     const RequestMetrics& metrics) {
  const RequestNews& news = metrics.news;
  Json per_token;  // null
  {
    const std::lock_guard lock(mutex_);
    if (last_energy_ && news.sums.output_tokens > 0) {
      per_token = to_mj(*last_energy_) / static_cast<double>(news.sums.output_tokens);
    }
  }
  Json running = Json::array();
  for (const LiveRequest& request : news.running) {
    running.push_back(request_json(request, metrics.run_began));
  }
  Json ended = Json::array();
  for (const LiveRequest& request : news.ended) {
    Json json = request_json(request, metrics.run_began);
    json["end_ms"] = to_ms(request.end - metrics.run_began);
    ended.push_back(std::move(json));
  }
  hub_->publish(run_id, "request_metrics", at,
                on_one_line({{"passes", news.sums.passes},
                             {"requests", news.sums.requests},
                             {"in_flight", news.sums.in_flight},
                             {"output_tokens", news.sums.output_tokens},
                             {"tokens_per_second", nullable(metrics.tokens_per_second)},
                             {"mean_sequences", nullable(metrics.mean_sequences)},
                             {"energy_per_output_token_mj", std::move(per_token)},
                             {"provisional", true},
                             {"running", std::move(running)},
                             {"ended", std::move(ended)},
                             {"taken_back", news.taken_back},
                             {"left_out", news.left_out}}));
}

void LivePublisher::publish_figures(const ProfiledRun& run) {
  const Nanoseconds end = run.totals.figure.duration;
  for (std::size_t first = 0; first < run.tokens.size(); first += kTokensPerEvent) {
    const std::size_t count = std::min(kTokensPerEvent, run.tokens.size() - first);
    hub_->publish(run.run_id, "energy_settled", end,
                  settled(std::span(run.tokens).subspan(first, count), true));
  }
  const auto publish_list = [&](const char* type, const auto& list) {
    if (!list.empty()) {
      hub_->publish(run.run_id, type, end, entries(list, true));
    }
  };
  publish_list("layer_metrics", run.layers);
  publish_list("component_metrics", run.components);
  publish_list("operation_metrics", run.operations);
  for (const Warning& warning : run.warnings) {
    {
      const std::lock_guard lock(mutex_);
      const auto published = published_.find({warning.component, warning.code});
      if ((published != published_.end() && published->second == warning.message) ||
          warning.message == published_error_) {
        continue;
      }
    }
    publish_new_warning(run.run_id, end, warning);
  }
}

void LivePublisher::publish_warning(const std::string& run_id, Nanoseconds at,
                                    const Warning& warning) {
  {
    const std::lock_guard lock(mutex_);
    if (!published_.try_emplace({warning.component, warning.code}, warning.message).second) {
      return;
    }
  }
  publish_new_warning(run_id, at, warning);
}

void LivePublisher::publish_new_warning(const std::string& run_id, Nanoseconds at,
                                        const Warning& warning) {
  hub_->publish(run_id, "warning", at,
                on_one_line({{"component", warning.component},
                             {"code", warning.code},
                             {"message", warning.message},
                             {"hint", text(warning.hint)}}));
}

void LivePublisher::publish_failure(const std::string& run_id, const Error& error) {
  {
    const std::lock_guard lock(mutex_);
    published_error_ = error.message;
  }
  hub_->publish(run_id, "error", Nanoseconds{0},
                on_one_line({{"code", to_string(error.code)},
                             {"message", error.message},
                             {"hint", text(error.hint)}}));
}

}  // namespace enprof
