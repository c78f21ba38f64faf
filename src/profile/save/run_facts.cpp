#include "profile/save/run_facts.hpp"

#include "store/operation_columns.hpp"
#include "store/row_columns.hpp"

#include <chrono>
#include <iterator>
#include <stdexcept>
#include <utility>

namespace enprof {
namespace {

constexpr auto kIdentityColumns = [](auto& column, auto& row) {
  column("run_id", row.run_id);
  column("status", row.status);
  column("started_at_ms", row.started_at);
  column("depth", row.depth);
  column("experiment", row.experiment);
  column("prompt", row.prompt);
  column("response", row.response);
  column("finish_reason", row.finish_reason);
  column("prompt_tokens", row.totals.prompt_tokens);
  column("price_usd_per_kwh", row.totals.economics.price_usd_per_kwh);
  column("carbon_g_per_kwh", row.totals.economics.carbon_g_per_kwh);
};

constexpr auto kSensorColumns = [](auto& column, auto& row) {
  auto& [name, kind, socket, parent, source, method, period, stamp_error, scope, device] = row;
  column("name", name);
  column("kind", kind);
  column("socket", socket);
  column("parent", parent);
  column("source", source);
  column("method", method);
  column("period_ns", period);
  column("stamp_error_ns", stamp_error);
  column("scope", scope);
  column("device", device);
};

constexpr auto kIdleColumns = [](auto& column, auto& row) {
  auto& [power, spread, windows] = row;
  column("power_w", power);
  column("spread_w", spread);
  column("windows", windows);
};

template <class Row>
StepJson object_of(const Row& row, const auto& columns) {
  JsonWriter writer;
  columns(writer, row);
  return writer.take();
}

StepJson texts_to_json(const std::vector<std::string>& texts) {
  StepJson list = StepJson::array();
  for (const std::string& text : texts) {
    list.push_back(bytes_to_json(text));
  }
  return list;
}

std::vector<std::string> texts_from_json(const StepJson& list) {
  std::vector<std::string> texts;
  for (const StepJson& text : list) {
    texts.push_back(bytes_from_json(text));
  }
  return texts;
}

}  // namespace

StepJson facts_to_json(const ProfiledRun& run) {
  StepJson json = object_of(run, kIdentityColumns);
  json["tags"] = texts_to_json(run.tags);
  json["model"] = object_of(run.model, kModelColumns);
  json["warnings"] = list_to_json(run.warnings, kWarningColumns);
  return json;
}

void facts_from_json(const StepJson& json, ProfiledRun& run) {
  JsonReader reader(json);
  kIdentityColumns(reader, run);
  // Nanoseconds since 1970, which the clock counts in, end in 2262.
  constexpr std::chrono::days kMostDays{80'000};
  if (run.started_at < WallTime{} || run.started_at > WallTime{kMostDays}) {
    throw std::invalid_argument("a run began at a time that no clock shows");
  }
  run.tags = texts_from_json(json.at("tags"));
  run.model = {};
  JsonReader model(json.at("model"));
  kModelColumns(model, run.model);
  run.warnings = list_from_json<Warning>(json.at("warnings"), kWarningColumns);
}

StepJson values_to_json(const SampledValues& values) {
  StepJson json = object_of(values, kSampledValuesColumns);
  json["activations"] = list_to_json(values.activations, kActivationColumns);
  json["attention"] = list_to_json(values.attention, kAttentionColumns);
  StepJson& experts = json["experts"] = list_to_json(values.experts, kRoutingColumns);
  for (std::size_t index = 0; index < values.experts.size(); ++index) {
    experts[index]["experts"] = values.experts[index].experts;
    experts[index]["weights"] = values.experts[index].weights;
  }
  return json;
}

SampledValues values_from_json(const StepJson& json) {
  SampledValues values;
  JsonReader reader(json);
  kSampledValuesColumns(reader, values);
  values.activations = list_from_json<ActivationValues>(json.at("activations"), kActivationColumns);
  values.attention = list_from_json<AttentionValues>(json.at("attention"), kAttentionColumns);
  values.experts = list_from_json<ExpertActivation>(json.at("experts"), kRoutingColumns);
  for (std::size_t index = 0; index < values.experts.size(); ++index) {
    ExpertActivation& routing = values.experts[index];
    for (const StepJson& expert : json.at("experts")[index].at("experts")) {
      routing.experts.push_back(JsonReader::number<std::uint16_t>(expert));
    }
    routing.weights = json.at("experts")[index].at("weights").get<std::vector<float>>();
    routing.weights.resize(routing.experts.size());
  }
  return values;
}

void add_values(SampledValues& kept, SampledValues more) {
  if (kept.every == 0) {
    kept.every = more.every;
    kept.sparsity_threshold = more.sparsity_threshold;
  }
  kept.passes += more.passes;
  const auto append = [](auto& to, auto& from) {
    to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
  };
  append(kept.activations, more.activations);
  append(kept.attention, more.attention);
  append(kept.experts, more.experts);
}

StepJson sensors_to_json(const PowerEvidence& power) {
  StepJson json{{"sources", texts_to_json(power.sources)},
                {"domains", list_to_json(power.domains, kSensorColumns)},
                {"interval_ns", power.interval.count()}};
  if (power.baseline) {
    StepJson idle = StepJson::array();
    for (const auto& domain : power.baseline->domains) {
      idle.push_back(domain ? object_of(*domain, kIdleColumns) : StepJson(nullptr));
    }
    json["idle"] = std::move(idle);
    if (power.baseline->total) {
      json["baseline"] = object_of(*power.baseline->total, kBaselineColumns);
    }
  }
  return json;
}

void sensors_from_json(const StepJson& json, PowerEvidence& power) {
  power.sources = texts_from_json(json.at("sources"));
  power.domains = list_from_json<Domain>(json.at("domains"), kSensorColumns);
  power.interval = Nanoseconds{JsonReader::number<std::int64_t>(json.at("interval_ns"))};
  for (const Domain& domain : power.domains) {
    if (domain.parent && *domain.parent >= power.domains.size()) {
      throw std::invalid_argument("a power domain lies in one that is not there");
    }
  }
  power.baseline.reset();
  if (const auto idle = json.find("idle"); idle != json.end()) {
    IdleBaseline& baseline = power.baseline.emplace();
    for (const StepJson& domain : *idle) {
      auto& entry = baseline.domains.emplace_back();
      if (!domain.is_null()) {
        JsonReader reader(domain);
        kIdleColumns(reader, entry.emplace());
      }
    }
    baseline.domains.resize(power.domains.size());
    if (const auto total = json.find("baseline"); total != json.end()) {
      JsonReader reader(*total);
      kBaselineColumns(reader, baseline.total.emplace());
    }
  }
}

StepJson plan_to_json(const OperationPlan& plan) {
  return list_to_json(plan.operations, kOperationKindColumns);
}

OperationPlan plan_from_json(const StepJson& json) {
  return {.operations = list_from_json<OperationInfo>(json, kOperationKindColumns)};
}

}  // namespace enprof
