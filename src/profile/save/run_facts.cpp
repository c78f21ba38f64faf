#include "profile/save/run_facts.hpp"

#include "model/run_fields.hpp"

#include <chrono>
#include <iterator>
#include <utility>

namespace enprof {
namespace {

constexpr auto kFactsFields = [](auto& field, auto& row) {
  field("run_id", row.run_id);
  field("status", row.status);
  field("started_at", row.started_at);
  field("depth", row.depth);
  field("experiment", row.experiment);
  field.list("tags", row.tags);
  field.nested("model", row.model, kModelFields);
  field("prompt", row.prompt);
  field("response", row.response);
  field("finish_reason", row.finish_reason);
  field("prompt_tokens", row.totals.prompt_tokens);
  field("price_usd_per_kwh", row.totals.economics.price_usd_per_kwh);
  field("carbon_g_per_kwh", row.totals.economics.carbon_g_per_kwh);
  field.rows("warnings", row.warnings, kWarningFields);
};

constexpr auto kValuesFields = [](auto& field, auto& row) {
  kSampledValuesFields(field, row);
  field.rows("activations", row.activations, kActivationFields);
  field.rows("attention", row.attention, kAttentionFields);
  field.rows("experts", row.experts, kExpertFields);
};

constexpr auto kSensorsFields = [](auto& field, auto& row) {
  field.list("sources", row.sources);
  field.rows("domains", row.domains, kDomainFields);
  field("interval", row.interval);
};

constexpr auto kIdleFields = [](auto& field, auto& row) {
  auto& [power, spread, windows] = row;
  field("power", power);
  field("spread", spread);
  field("windows", windows);
};

void read_baseline(const JsonNode& node, StepFormat format, PowerEvidence& power) {
  power.baseline.reset();
  // Version 1 left out what there was none of.
  const auto member = [&](const char* key) {
    const JsonNode result = node.at(key);
    if (!result.is_there() && format.version > 1) {
      result.is_not("there");
    }
    return result;
  };
  const JsonNode idle = member("idle");
  const JsonNode total = member("baseline");
  if (idle.absent()) {
    return;
  }
  IdleBaseline& baseline = power.baseline.emplace();
  for (std::size_t index = 0; index < idle.size(); ++index) {
    auto& entry = baseline.domains.emplace_back();
    if (const JsonNode domain = idle[index]; !domain.absent()) {
      JsonReader reader(domain, "sensors.idle", format);
      kIdleFields(reader, entry.emplace());
    }
  }
  baseline.domains.resize(power.domains.size());
  if (!total.absent()) {
    JsonReader reader(total, "sensors.baseline", format);
    kBaselineFields(reader, baseline.total.emplace());
  }
}

}  // namespace

StepJson facts_to_json(const ProfiledRun& run) { return object_of(run, kFactsFields); }

void facts_from_json(const JsonNode& node, StepFormat format, ProfiledRun& run) {
  run.model = {};
  JsonReader reader(node, "facts", format);
  kFactsFields(reader, run);
  // Nanoseconds since 1970, which the clock counts in, end in 2262.
  constexpr std::chrono::days kMostDays{80'000};
  if (run.started_at < WallTime{} || run.started_at > WallTime{kMostDays}) {
    node.at("started_at_ms").is_not("a time that a clock shows");
  }
}

StepJson values_to_json(const SampledValues& values) { return object_of(values, kValuesFields); }

SampledValues values_from_json(const JsonNode& node, StepFormat format) {
  SampledValues values;
  JsonReader reader(node, "values", format);
  kValuesFields(reader, values);
  for (ExpertActivation& routing : values.experts) {
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
  StepJson json = object_of(power, kSensorsFields);
  StepJson& idle = json["idle"];
  StepJson& total = json["baseline"];
  if (power.baseline) {
    idle = StepJson::array();
    for (const auto& domain : power.baseline->domains) {
      idle.push_back(domain ? object_of(*domain, kIdleFields) : StepJson(nullptr));
    }
    if (power.baseline->total) {
      total = object_of(*power.baseline->total, kBaselineFields);
    }
  }
  return json;
}

void sensors_from_json(const JsonNode& node, StepFormat format, PowerEvidence& power) {
  JsonReader reader(node, "sensors", format);
  kSensorsFields(reader, power);
  const JsonNode domains = node.at("domains");
  for (std::size_t index = 0; index < power.domains.size(); ++index) {
    if (const auto parent = power.domains[index].parent;
        parent && *parent >= power.domains.size()) {
      domains[index].at("parent").is_not("the place of a domain that is there");
    }
  }
  read_baseline(node, format, power);
}

StepJson plan_to_json(const OperationPlan& plan) {
  return list_to_json(plan.operations, kOperationKindFields);
}

OperationPlan plan_from_json(const JsonNode& node, StepFormat format) {
  return {.operations = list_from_json<OperationInfo>(node, "plans", format, kOperationKindFields)};
}

}  // namespace enprof
