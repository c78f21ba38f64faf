#include "report/run_from_json.hpp"

#include "base/json_node.hpp"
#include "model/run_fields.hpp"
#include "model/run_id.hpp"
#include "report/json_fields.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace enprof {
namespace {

template <class Row>
void read_list(const JsonNode& list, const auto& fields, std::vector<Row>& rows,
               const JsonFieldReader::Domains* domains = nullptr) {
  rows =
      list.list([&](const JsonNode& record) { return read_fields<Row>(record, fields, domains); });
}

OperationEvent read_event(const JsonNode& node, std::size_t operations) {
  constexpr std::size_t kColumns = 6;
  constexpr std::size_t kDuration = 1;
  constexpr std::size_t kOperation = 3;
  if (node.size() != kColumns) {
    node.reject("has not six columns");
  }
  OperationEvent event;
  JsonFieldReader reader = JsonFieldReader::of_list(node);
  kOperationEventFields(reader, event);
  const double longest = to_ms(Nanoseconds{std::numeric_limits<std::uint32_t>::max()});
  static_cast<void>(node[kDuration].number(0.0, longest));
  if (event.operation >= operations) {
    node[kOperation].is_not("the place of an operation that is there");
  }
  return event;
}

void read_operation_table(const JsonNode& node, OperationTable& table) {
  if (node.absent()) {
    return;
  }
  read_list(node.at("operations"), kOperationKindFields, table.operations);
  table.events = node.at("events").list(
      [&](const JsonNode& event) { return read_event(event, table.operations.size()); });
}

void read_values(const JsonNode& node, SampledValues& values) {
  if (node.absent()) {
    return;
  }
  values = read_fields<SampledValues>(node, kSampledValuesFields);
  read_list(node.at("activations"), kActivationFields, values.activations);
  read_list(node.at("attention"), kAttentionFields, values.attention);
  const JsonNode experts = node.at("experts");
  read_list(experts, kExpertFields, values.experts);
  for (std::size_t index = 0; index < values.experts.size(); ++index) {
    if (values.experts[index].experts.size() != values.experts[index].weights.size()) {
      experts[index].reject("has not as many weights as experts");
    }
  }
}

/// Whoever follows a domain's parents must come to an end.
bool lie_in_each_other(const std::vector<DomainFigure>& domains) {
  return std::ranges::any_of(domains, [&](const DomainFigure& figure) {
    std::optional<std::size_t> parent = figure.domain.parent;
    for (std::size_t step = 0; parent; ++step) {
      if (step > domains.size()) {
        return true;
      }
      parent = domains[*parent].domain.parent;
    }
    return false;
  });
}

void read_power(const JsonNode& node, PowerFigures& power) {
  JsonFieldReader reader(node, &power.domains);
  kPowerFields(reader, power);
  const JsonNode domains = node.at("domains");
  for (std::size_t index = 0; index < power.domains.size(); ++index) {
    Domain& domain = power.domains[index].domain;
    domain.socket = domain_from_name(domain.name).socket;
    domain.parent = domains[index].at("within").optional([&](const JsonNode& name) {
      return JsonFieldReader::index_of_domain(name, power.domains);
    });
  }
  if (lie_in_each_other(power.domains)) {
    domains.reject("lie in each other");
  }
  read_list(node.at("samples"), kPowerSampleFields, power.samples, &power.domains);
  read_list(node.at("readings"), kPowerReadingFields, power.readings, &power.domains);
}

/// An id goes into URLs, file names and terminals; those that enprof makes are 16 hexadecimal
/// digits.
void check_run_id(const std::string& id, const JsonNode& node) {
  if (!is_valid_run_id(id)) {
    node.is_not(
        fmt::format("an id: 1 to {} letters, digits, '-', '_' and '.', of which a letter, "
                    "a digit or '_' is the first; and not 'last'",
                    kLongestRunId));
  }
}

ProfiledRun read_run(const JsonNode& node) {
  auto run = read_fields<ProfiledRun>(node, kRunFields);
  check_run_id(run.run_id, node.at("run_id"));
  read_list(node.at("tokens"), kTokenFields, run.tokens);
  read_list(node.at("layers"), kLayerFields, run.layers);
  read_list(node.at("components"), kComponentFields, run.components);
  read_list(node.at("operations"), kOperationClassFields, run.operations);
  read_operation_table(node.at("operation_table"), run.operation_table);
  read_values(node.at("values"), run.values);
  read_power(node.at("power"), run.power);
  read_list(node.at("warnings"), kWarningFields, run.warnings);
  return run;
}

}  // namespace

Result<ProfiledRun> run_from_json(std::string_view text) {
  try {
    const nlohmann::json document = parse_document(text);
    return read_run(JsonNode(document, "the document"));
  } catch (const JsonError& wrong) {
    return fail(ErrorCode::malformed, fmt::format("This is not a run as JSON: {}", wrong.what()),
                "Name a file that enprof export RUN --format json wrote.");
  }
}

}  // namespace enprof
