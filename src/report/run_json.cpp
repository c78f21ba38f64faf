#include "report/run_json.hpp"

#include "model/run_fields.hpp"
#include "report/component_section.hpp"
#include "report/json_fields.hpp"
#include "report/json_figures.hpp"
#include "report/operation_json.hpp"
#include "report/value_section.hpp"

#include <fmt/format.h>

#include <functional>
#include <string_view>
#include <utility>
#include <vector>

namespace enprof {
namespace {

Json quality_json(const ProfiledRun& run) {
  return json_of_fields(run.totals.figure.quality, kQualityFields);
}

Json power_json(const PowerFigures& power) { return json_of_fields(power, kPowerFields, &power); }

template <class Row>
Json list_json(const std::vector<Row>& rows, const auto& fields,
               const PowerFigures* power = nullptr) {
  Json list = Json::array();
  for (const Row& row : rows) {
    list.push_back(json_of_fields(row, fields, power));
  }
  return list;
}

Json balances_json(const std::vector<ExpertBalance>& balances) {
  Json list = Json::array();
  for (const ExpertBalance& balance : balances) {
    list.push_back(balance_json(balance));
  }
  return list;
}

/// The members of an object, without its braces.
std::string members(const Json& object, std::size_t depth) {
  std::string text;
  append_indented(text, object, depth - 1);
  const std::size_t begin = text.find('\n') + 1;
  return text.substr(begin, text.rfind('\n') - begin);
}

}  // namespace

/// The document as steps, each of which is taken until it is done.
class RunJson::Impl {
 public:
  explicit Impl(std::unique_ptr<RunSource> source)
      : source_(std::move(source)), experts_(source_->head().model.experts) {
    write([this](std::string& text) {
      text += "{\n" + members(json_of_fields(source_->head(), kRunFields), 1);
    });
    list("tokens", RunRows::tokens, 1, [](std::string& text, const ProfiledRun& run, auto row) {
      append_indented(text, json_of_fields(run.tokens[row], kTokenFields), 2);
    });
    list("layers", RunRows::layers, 1, [](std::string& text, const ProfiledRun& run, auto row) {
      append_indented(text, json_of_fields(run.layers[row], kLayerFields), 2);
    });
    list("components", RunRows::components, 1,
         [this](std::string& text, const ProfiledRun& run, auto row) {
           coverage_.add(run.components[row]);
           append_indented(text, json_of_fields(run.components[row], kComponentFields), 2);
         });
    list("operations", RunRows::operations, 1,
         [](std::string& text, const ProfiledRun& run, auto row) {
           append_indented(text, json_of_fields(run.operations[row], kOperationClassFields), 2);
         });
    add_operation_table();
    add_values();
    add_power();
    write([this](std::string& text) {
      const ProfiledRun& run = source_->head();
      const Json tail{{"quality", quality_json(run)},
                      {"warnings", list_json(run.warnings, kWarningFields)}};
      text += ",\n" + members(tail, 1) + "\n}\n";
    });
  }

  Result<bool> next(std::string& text) {
    const std::size_t begin = text.size();
    while (step_ < steps_.size() && text.size() - begin < kPiece) {
      const auto done = steps_[step_](text);
      if (!done) {
        return std::unexpected(done.error());
      }
      step_ += *done ? 1 : 0;
    }
    return step_ < steps_.size();
  }

 private:
  using Step = std::function<Result<bool>(std::string&)>;  // whether it is done

  template <class Body>
  void write(Body body) {
    steps_.emplace_back([body = std::move(body)](std::string& text) -> Result<bool> {
      body(text);
      return true;
    });
  }

  /// A member of the document that is a list, `depth` levels deep. `element` writes one row.
  template <class Element>
  void list(std::string_view name, RunRows rows, std::size_t depth, Element element) {
    const std::string indent(2 * depth, ' ');
    steps_.emplace_back([this, rows, element = std::move(element), indent,
                         begin = fmt::format(",\n{}\"{}\": [", indent, name),
                         count = std::size_t{0}](std::string& text) mutable -> Result<bool> {
      const auto slice = source_->next(rows);
      if (!slice) {
        return std::unexpected(slice.error());
      }
      text += std::exchange(begin, {});
      if (slice->empty()) {
        text += count == 0 ? "]" : "\n" + indent + "]";
        return true;
      }
      for (std::size_t row = slice->begin; row < slice->end; ++row) {
        text += count++ == 0 ? "\n" : ",\n";
        text += indent;
        text += "  ";
        element(text, *slice->run, row);
      }
      return false;
    });
  }

  /// {coverage, operations[], event_columns[], events[]}, on one line for each operation and event:
  /// a million events fit into 60 MB.
  void add_operation_table() {
    write([this](std::string& text) {
      text += fmt::format(",\n  \"operation_table\": {{\n    \"coverage\": {}",
                          on_one_line(nullable(coverage_.share())));
    });
    list("operations", RunRows::operation_kinds, 2,
         [](std::string& text, const ProfiledRun& run, auto row) {
           text += on_one_line(
               json_of_fields(run.operation_table.operations[row], kOperationKindFields));
         });
    write([](std::string& text) {
      text += fmt::format(",\n    \"event_columns\": {}", event_columns());
    });
    list("events", RunRows::operation_events, 2,
         [](std::string& text, const ProfiledRun& run, auto row) {
           append_event(text, run.operation_table.events[row]);
         });
    write([](std::string& text) { text += "\n  }"; });
  }

  void add_values() {
    write([this](std::string& text) {
      const SampledValues& values = source_->head().values;
      text += ",\n  \"values\": {\n" + members(json_of_fields(values, kSampledValuesFields), 2);
    });
    list("activations", RunRows::activations, 2,
         [](std::string& text, const ProfiledRun& run, auto row) {
           append_indented(text, json_of_fields(run.values.activations[row], kActivationFields), 3);
         });
    list("attention", RunRows::attention, 2,
         [](std::string& text, const ProfiledRun& run, auto row) {
           append_indented(text, json_of_fields(run.values.attention[row], kAttentionFields), 3);
         });
    list("experts", RunRows::experts, 2,
         [this](std::string& text, const ProfiledRun& run, auto row) {
           experts_.add(run.values.experts[row]);
           append_indented(text, json_of_fields(run.values.experts[row], kExpertFields), 3);
         });
    write([this](std::string& text) {
      Json last = Json::object();
      last["expert_balance"] = balances_json(experts_.balances());
      text += ",\n" + members(last, 2) + "\n  }";
    });
  }

  void add_power() {
    write([this](std::string& text) {
      text += ",\n  \"power\": {\n" + members(power_json(source_->head().power), 2);
    });
    list("samples", RunRows::power_samples, 2,
         [this](std::string& text, const ProfiledRun& run, auto row) {
           append_indented(
               text,
               json_of_fields(run.power.samples[row], kPowerSampleFields, &source_->head().power),
               3);
         });
    list("readings", RunRows::sensor_readings, 2,
         [this](std::string& text, const ProfiledRun& run, auto row) {
           append_indented(
               text,
               json_of_fields(run.power.readings[row], kPowerReadingFields, &source_->head().power),
               3);
         });
    write([](std::string& text) { text += "\n  }"; });
  }

  std::unique_ptr<RunSource> source_;
  OperationCoverage coverage_;
  ExpertCount experts_;
  std::vector<Step> steps_;
  std::size_t step_ = 0;
};

RunJson::RunJson(std::unique_ptr<RunSource> source)
    : impl_(std::make_unique<Impl>(std::move(source))) {}
RunJson::~RunJson() = default;

Result<bool> RunJson::next(std::string& text) { return impl_->next(text); }

std::string run_to_json(const ProfiledRun& run) {
  std::string text;
  RunJson json(std::make_unique<RunInMemory>(run));
  while (json.next(text).value_or(false)) {  // in memory nothing can fail
  }
  return text;
}

std::string run_head_to_json(const ProfiledRun& run) {
  Json head = json_of_fields(run, kRunFields);
  head["power"] = power_json(run.power);
  head["quality"] = quality_json(run);
  head["warnings"] = list_json(run.warnings, kWarningFields);
  return on_one_line(head) + "\n";
}

std::string run_sums_to_json(const ProfiledRun& run) {
  Json sums = json_of_fields(run, kRunFields);
  sums["layers"] = list_json(run.layers, kLayerFields);
  sums["components"] = list_json(run.components, kComponentFields);
  sums["operations"] = list_json(run.operations, kOperationClassFields);
  Json& values = sums["values"] = json_of_fields(run.values, kSampledValuesFields);
  values["activations"] = list_json(run.values.activations, kActivationFields);
  values["attention"] = list_json(run.values.attention, kAttentionFields);
  values["experts"] = list_json(run.values.experts, kExpertFields);
  values["expert_balance"] = balances_json(expert_balances(run));
  Json& power = sums["power"] = power_json(run.power);
  power["samples"] = list_json(run.power.samples, kPowerSampleFields, &run.power);
  power["readings"] = list_json(run.power.readings, kPowerReadingFields, &run.power);
  sums["quality"] = quality_json(run);
  sums["warnings"] = list_json(run.warnings, kWarningFields);
  return on_one_line(sums) + "\n";
}

std::string pipeline_to_json(const std::string& run_id, const RunPipeline& pipeline) {
  return on_one_line({{"run_id", run_id},
                      {"phases", list_json(pipeline.phases, kPhaseFields)},
                      {"sections", list_json(pipeline.sections, kSectionFields)}}) +
         "\n";
}

}  // namespace enprof
