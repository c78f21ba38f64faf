// The catalogue of fields: what each record of a run consists of, and what each part is called.
//
// One list a record serves all who write or read it: JSON, CSV, the database, journals. So they
// cannot drift apart; and each list takes its struct to pieces by structured bindings, so that a
// member that is added to the model and not named here does not compile.
//
// A list is a function (field, row), which calls for each member, in the order of JSON and CSV,
//   field("name", member)         for what is always there, and for optionals
//   field.text("name", string)    for a text whose emptiness means that it is absent
//   field.number("name", double)  for a number that may be absent (NaN)
//   field.index("name", number)   for an index of which -1 says that there is none
//   field.word("name", …)         for a text or an enum that many rows have in common
//   field.share("name", double)   for a part of a whole, 0 to 1
//   field.length("name", time)    for a time that is not negative
//   field.domain("name", index)   for a power domain, by its place in the list of domains
// and for what is more than one value
//   field.list("name", values)    for plain values
//   field.rows("name", rows, list)       for records of one kind
//   field.nested("name", row, list)      for a record: an object in JSON, and in a table its fields
//   field.group("name", optional, list)  the same where it may be absent; in a table, "name_…"
//   field.figure(figure)          for the figure of a row
// A row may be const. FieldKinds says what becomes of each kind where a visitor does not care.
//
// Names have no units. Each place appends its own, by the type of the member: a `load` in
// Nanoseconds is load_ms in JSON and CSV and load_ns in the database.
#pragma once

#include "enprof/model/operation.hpp"
#include "enprof/model/profiled_run.hpp"

#include <chrono>
#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace enprof {

/// What a field is called. Nearly always the same everywhere; what differs says so here.
struct FieldName {
  // A list gives a name where a visitor takes a FieldName.
  // NOLINTNEXTLINE(google-explicit-constructor)
  constexpr FieldName(const char* everywhere)
      : in_json(everywhere), in_csv(everywhere), in_database(everywhere) {}
  constexpr FieldName(const char* json, const char* csv, const char* database)
      : in_json(json), in_csv(csv), in_database(database) {}

  std::string_view in_json;
  std::string_view in_csv;
  std::string_view in_database;
};

/// The unit at the end of a name, where the type of the member has one.
struct FieldUnits {
  std::string_view time;
  std::string_view energy;
  std::string_view power;
  std::string_view moment;

  /// Of a member of that type, or of an optional of it.
  template <class Member>
  [[nodiscard]] constexpr std::string_view of() const {
    const auto is = [](auto example) {
      return std::is_same_v<Member, decltype(example)> ||
             std::is_same_v<Member, std::optional<decltype(example)>>;
    };
    return is(Nanoseconds{}) ? time
           : is(Joules{})    ? energy
           : is(Watts{})     ? power
           : is(WallTime{})  ? moment
                             : std::string_view{};
  }
  /// A name with the unit of such a member.
  template <class Member>
  [[nodiscard]] std::string add_to(std::string_view name) const {
    return std::string{name} += of<Member>();
  }
};
/// JSON and CSV. A moment there is a text in UTC.
inline constexpr FieldUnits kUnitsForPeople{
    .time = "_ms", .energy = "_mj", .power = "_mw", .moment = {}};
/// The database and journals.
inline constexpr FieldUnits kUnitsInDatabase{
    .time = "_ns", .energy = "_j", .power = "_w", .moment = "_ms"};

/// What a visitor does with each kind of field unless it has a function of its own for it: it
/// treats it like any other field, visits the fields of records, and skips lists.
template <class Visitor>
class FieldKinds {
 public:
  void text(FieldName name, auto& value) { self()(name, value); }
  void number(FieldName name, auto& value) { self()(name, value); }
  void index(FieldName name, auto& value) { self()(name, value); }
  void word(FieldName name, auto& value) { self()(name, value); }
  void share(FieldName name, auto& value) { self()(name, value); }
  void length(FieldName name, auto& value) { self()(name, value); }
  void domain(FieldName name, auto& value) { self()(name, value); }
  /// A field that the first programs did not write.
  void later(FieldName name, auto& value) { self()(name, value); }
  /// A field for programs, not for people.
  void internal(FieldName name, auto& value) { self()(name, value); }
  /// A field that follows from other members.
  void derived(FieldName, const auto&) {}
  /// The costs of a class of operations: computed where they are shown.
  void costs(const OperationFigure&) {}
  /// A domain's part of the run's peak, which is stored beside the domains.
  void of_peak(FieldName) {}
  /// Of the result of an operation.
  void shape(auto& dimensions) {
    self()("shape_0", dimensions[0]);
    self()("shape_1", dimensions[1]);
    self()("shape_2", dimensions[2]);
    self()("shape_3", dimensions[3]);
  }
  void list(FieldName, auto&) {}
  void rows(FieldName, auto&, const auto&) {}
  /// A list that the first programs did not write.
  void later_rows(FieldName name, auto& rows, const auto& fields) {
    self().rows(name, rows, fields);
  }
  /// A value for each power domain.
  void by_domain(FieldName, auto&) {}
  void nested(FieldName, auto& row, const auto& fields) { fields(self(), row); }
  void figure(auto& figure);

 private:
  friend Visitor;  // the one that derives from it
  FieldKinds() = default;
  Visitor& self() { return static_cast<Visitor&>(*this); }
};

/// For members that another list has.
inline constexpr auto kInAnotherList = [](const auto&...) {};

inline constexpr auto kQualityFields = [](auto& field, auto& row) {
  auto& [sensor, method, coverage, resolution, standard_error, dynamic_standard_error,
         standard_uncertainty, dynamic_standard_uncertainty, foreign_cpu_share] = row;
  field.text("sensor", sensor);
  field("method", method);
  field.share("coverage", coverage);
  field("resolution", resolution);
  field("standard_error", standard_error);
  field("dynamic_standard_error", dynamic_standard_error);
  field.derived("sensor_uncertainty", [&row] { return row.sensor_uncertainty(); });
  field("standard_uncertainty", standard_uncertainty);
  field("dynamic_standard_uncertainty", dynamic_standard_uncertainty);
  field("foreign_cpu_share", foreign_cpu_share);
};

inline constexpr auto kFigureFields = [](auto& field, auto& row) {
  auto& [duration, total, baseline, dynamic, mean_power, quality] = row;
  field.length("duration", duration);
  field("energy", total);
  field("baseline_energy", baseline);
  field("dynamic_energy", dynamic);
  field("mean_power", mean_power);
  field.nested("quality", quality, kQualityFields);
};

template <class Visitor>
void FieldKinds<Visitor>::figure(auto& figure) {
  kFigureFields(self(), figure);
}

inline constexpr auto kModelFields = [](auto& field, auto& row) {
  auto& [name, path, architecture, quantization, engine, parameters, file_bytes, weight_bytes,
         layers, embedding_width, feed_forward_width, heads, kv_heads, head_width, experts,
         experts_used, vocabulary, context_trained, context, kv_cache_bytes, kv_cache_used_bytes,
         gpu_layers, threads, load_time] = row;
  field.text({"name", "model_name", "model_name"}, name);
  field.text({"path", "model_path", "model_path"}, path);
  field.text("architecture", architecture);
  field.text("quantization", quantization);
  field.text("engine", engine);
  field("parameters", parameters);
  field("file_bytes", file_bytes);
  field("weight_bytes", weight_bytes);
  field("layers", layers);
  field("embedding_width", embedding_width);
  field("feed_forward_width", feed_forward_width);
  field("heads", heads);
  field("kv_heads", kv_heads);
  field("head_width", head_width);
  field.derived("attention", [&row] { return row.attention(); });
  field("experts", experts);
  field("experts_used", experts_used);
  field("vocabulary", vocabulary);
  field("context_trained", context_trained);
  field("context", context);
  field("kv_cache_bytes", kv_cache_bytes);
  field("kv_cache_used_bytes", kv_cache_used_bytes);
  field("gpu_layers", gpu_layers);
  field("threads", threads);
  field.length("load", load_time);
};

inline constexpr auto kTotalsFields = [](auto& field, auto& row) {
  auto& [figure, process_dynamic, prompt_tokens, output_tokens, time_to_first_token,
         prefill_tokens_per_second, decode_tokens_per_second, energy_per_input_token,
         energy_per_output_token, energy_per_input_token_uncertainty,
         energy_per_output_token_uncertainty, output_to_input_ratio, tokens_per_joule, edp,
         edp_per_token, economics, cost_usd, co2_grams] = row;
  auto& [price_usd_per_kwh, carbon_g_per_kwh] = economics;
  field("process_dynamic_energy", process_dynamic);
  field("prompt_tokens", prompt_tokens);
  field("output_tokens", output_tokens);
  field("time_to_first_token", time_to_first_token);
  field("prefill_tokens_per_second", prefill_tokens_per_second);
  field("decode_tokens_per_second", decode_tokens_per_second);
  field("energy_per_input_token", energy_per_input_token);
  field("energy_per_output_token", energy_per_output_token);
  field("energy_per_input_token_uncertainty", energy_per_input_token_uncertainty);
  field("energy_per_output_token_uncertainty", energy_per_output_token_uncertainty);
  field("output_to_input_energy_ratio", output_to_input_ratio);
  field("tokens_per_joule", tokens_per_joule);
  field("edp_js", edp);
  field("edp_per_token_js", edp_per_token);
  field("price_usd_per_kwh", price_usd_per_kwh);
  field("carbon_g_per_kwh", carbon_g_per_kwh);
  field("cost_usd", cost_usd);
  field("co2_g", co2_grams);
  field.figure(figure);
};

inline constexpr auto kPhaseFields = [](auto& field, auto& row) {
  auto& [phase, begin, figure] = row;
  field("phase", phase);
  field("begin", begin);
  field.figure(figure);
};

inline constexpr auto kSectionFields = [](auto& field, auto& row) {
  auto& [phase, name, count, begin, figure] = row;
  field("phase", phase);
  field("name", name);
  field("count", count);
  field("begin", begin);
  field.figure(figure);
};

inline constexpr auto kTokenFields = [](auto& field, auto& row) {
  auto& [index, text, phase, begin, figure] = row;
  field({"index", "index", "token_index"}, index);  // a word of SQL's own
  field("text", text);
  field("phase", phase);
  field("begin", begin);
  field.figure(figure);
};

/// A domain as such, without its figure.
inline constexpr auto kDomainFields = [](auto& field, auto& row) {
  auto& [name, kind, socket, parent, source, method, period, stamp_error, scope, device,
         relative_uncertainty] = row;
  field("name", name);
  field("kind", kind);
  field.internal("socket", socket);
  field.later("scope", scope);
  field.text("device", device);
  field.domain({"within", "within", "parent"}, parent);
  field.text("source", source);
  field({"method", "source_method", "source_method"}, method);  // the figure has a method, too
  field.length("period", period);
  field.length("stamp_error", stamp_error);
  field("relative_uncertainty", relative_uncertainty);
};

inline constexpr auto kDomainFigureFields = [](auto& field, auto& row) {
  auto& [domain, figure, idle_power, idle_spread] = row;
  kDomainFields(field, domain);
  field("idle_power", idle_power);
  field({"idle_spread", "idle_spread", "idle_power_spread"}, idle_spread);
  field.of_peak("peak_power");
  field.figure(figure);
};

inline constexpr auto kBaselineFields = [](auto& field, auto& row) {
  auto& [power, spread, duration, windows] = row;
  field("power", power);
  field({"spread", "spread", "power_spread"}, spread);
  field.length("duration", duration);
  field("windows", windows);
};

inline constexpr auto kPeakFields = [](auto& field, auto& row) {
  auto& [power, at, window, by_domain] = row;
  field("power", power);
  field("at", at);
  field.length("window", window);
  field.by_domain("domains", by_domain);
};

inline constexpr auto kPowerSampleFields = [](auto& field, auto& row) {
  auto& [domain, begin, end, energy] = row;
  field.domain("domain", domain);
  field("begin", begin);
  field("end", end);
  field("energy", energy);
};

inline constexpr auto kPowerReadingFields = [](auto& field, auto& row) {
  auto& [domain, quantity, at, value] = row;
  field.domain("domain", domain);
  field.word("quantity", quantity);
  field("at", at);
  field("value", value);
};

/// Its samples and readings, of which there may be millions, are lists that each place reads and
/// writes by itself.
inline constexpr auto kPowerFields = [](auto& field, auto& row) {
  auto& [sources, domains, baseline, peak, samples, readings, interval] = row;
  kInAnotherList(samples, readings);
  field.list({"sources", "power_source", "power_source"}, sources);
  field.length({"interval", "power_interval", "power_interval"}, interval);
  field.rows("domains", domains, kDomainFigureFields);
  field.group("baseline", baseline, kBaselineFields);
  field.group("peak", peak, kPeakFields);
};

inline constexpr auto kWarningFields = [](auto& field, auto& row) {
  auto& [component, code, message, hint] = row;
  field("component", component);
  field("code", code);
  field("message", message);
  field.text("hint", hint);
};

inline constexpr auto kLayerFields = [](auto& field, auto& row) {
  auto& [phase, layer, count, figure] = row;
  field("phase", phase);
  field.index("layer", layer);
  field("count", count);
  field.figure(figure);
};

inline constexpr auto kComponentFields = [](auto& field, auto& row) {
  auto& [phase, layer, component, count, figure, flops, bytes] = row;
  field("phase", phase);
  field.index("layer", layer);
  field.word("component", component);
  field("count", count);
  field("flops", flops);
  field("bytes", bytes);
  field.figure(figure);
};

inline constexpr auto kOperationClassFields = [](auto& field, auto& row) {
  auto& [phase, component, op, count, figure, flops, bytes] = row;
  field("phase", phase);
  field.word("component", component);
  field.word("op", op);
  field("count", count);
  field("flops", flops);
  field("bytes", bytes);
  field.costs(row);
  field.figure(figure);
};

inline constexpr auto kOperationKindFields = [](auto& field, auto& row) {
  auto& [layer, component, op, name, shape, flops, bytes] = row;
  field.index("layer", layer);
  field.word("component", component);
  field.word("op", op);
  field.word("name", name);
  field.shape(shape);
  field("flops", flops);
  field("bytes", bytes);
};

/// An operation of a pass. The database keeps them in its own way (store/operation_events.hpp).
inline constexpr auto kOperationEventFields = [](auto& field, auto& row) {
  auto& [begin, energy_j, duration_ns, operation, token, phase] = row;
  Nanoseconds duration{duration_ns};
  std::optional<Joules> energy = row.energy();
  field("begin", begin);
  field.length("duration", duration);
  field("energy", energy);
  field("operation", operation);
  field.index("token", token);
  field("phase", phase);
  if constexpr (!std::is_const_v<std::remove_reference_t<decltype(row)>>) {
    constexpr auto kLongest = std::numeric_limits<std::uint32_t>::max();
    duration_ns = std::in_range<std::uint32_t>(duration.count())
                      ? static_cast<std::uint32_t>(duration.count())
                      : kLongest;
    energy_j = energy ? energy->value() : std::nan("");
  }
};

/// The lists of values stand by themselves.
inline constexpr auto kSampledValuesFields = [](auto& field, auto& row) {
  auto& [every, passes, sparsity_threshold, activations, attention, experts] = row;
  kInAnotherList(activations, attention, experts);
  field("every", every);
  field("passes", passes);
  field("sparsity_threshold", sparsity_threshold);
};

inline constexpr auto kActivationFields = [](auto& field, auto& row) {
  auto& [phase, token, layer, component, mean, standard_deviation, maximum, sparsity, kill_ratio,
         variance_ratio] = row;
  field.word("phase", phase);
  field.index("token", token);
  field.index("layer", layer);
  field.word("component", component);
  field.number("mean", mean);
  field.number("standard_deviation", standard_deviation);
  field.number("maximum", maximum);
  field.number("sparsity", sparsity);
  field("kill_ratio", kill_ratio);
  field("variance_ratio", variance_ratio);
};

inline constexpr auto kAttentionFields = [](auto& field, auto& row) {
  auto& [phase, token, layer, head, entropy_nats, maximum_weight, sparsity] = row;
  field.word("phase", phase);
  field.index("token", token);
  field("layer", layer);
  field("head", head);
  field.number("entropy_nats", entropy_nats);
  field.number("maximum_weight", maximum_weight);
  field.number("sparsity", sparsity);
};

inline constexpr auto kExpertFields = [](auto& field, auto& row) {
  auto& [phase, token, layer, experts, weights, routing_entropy_nats] = row;
  field.word("phase", phase);
  field.index("token", token);
  field("layer", layer);
  field.list("experts", experts);
  field.list("weights", weights);
  field.number("routing_entropy_nats", routing_entropy_nats);
};

inline constexpr auto kVerdictReasonFields = [](auto& field, auto& row) {
  auto& [level, code, message] = row;
  field("level", level);
  field("code", code);
  field("message", message);
};

inline constexpr auto kCalibrationUseFields = [](auto& field, auto& row) {
  auto& [made_at, classes, time_share, power_ratio] = row;
  field("made_at", made_at);
  field("classes", classes);
  field.share("time_share", time_share);
  field("power_ratio", power_ratio);
};

inline constexpr auto kCapturePartFields = [](auto& field, auto& row) {
  auto& [kind, count, figure] = row;
  field("part", kind);
  field("count", count);
  field.figure(figure);
};

inline constexpr auto kCaptureOccupancyFields = [](auto& field, auto& row) {
  auto& [sequences, passes, tokens, duration, energy] = row;
  field("sequences", sequences);
  field("passes", passes);
  field("tokens", tokens);
  field.length("duration", duration);
  field("energy", energy);
};

inline constexpr auto kCaptureFields = [](auto& field, auto& row) {
  auto& [requests, passes, most_in_flight, mean_sequences, sharing, parts, occupancy] = row;
  field("requests", requests);
  field("passes", passes);
  field("most_in_flight", most_in_flight);
  field("mean_sequences", mean_sequences);
  field("sharing", sharing);
  field.rows("parts", parts, kCapturePartFields);
  field.rows("occupancy", occupancy, kCaptureOccupancyFields);
};

inline constexpr auto kRequestFields = [](auto& field, auto& row) {
  auto& [number, sequence, begin, cached_tokens, rejected_tokens, context_shifts, passes,
         mean_sequences, waiting, marginal, marginal_uncertainty, idle_share, how_found] = row;
  field("number", number);
  field("sequence", sequence);
  field("begin", begin);
  field("cached_tokens", cached_tokens);
  field("rejected_tokens", rejected_tokens);
  field("context_shifts", context_shifts);
  field("passes", passes);
  field("mean_sequences", mean_sequences);
  field("waiting", waiting);
  field("marginal_energy", marginal);
  field("marginal_energy_uncertainty", marginal_uncertainty);
  field("idle_share_energy", idle_share);
  field.text("how_found", how_found);
};

/// What comes before the long lists of a run, which each place reads and writes by itself.
inline constexpr auto kRunFields = [](auto& field, auto& row) {
  auto& [run_id, status, started_at, depth, experiment, tags, prompt, response, finish_reason,
         model, verdict, verdict_reasons, calibration, capture, capture_id, request, totals, phases,
         sections, tokens, layers, components, operations, operation_table, values, power,
         warnings] = row;
  kInAnotherList(tokens, layers, components, operations, operation_table, values, power, warnings);
  field("run_id", run_id);
  field("status", status);
  field("started_at", started_at);
  field("depth", depth);
  field.text("experiment", experiment);
  field.list({"tags", "tag", "tag"}, tags);
  field.nested("model", model, kModelFields);
  field("prompt", prompt);
  field("response", response);
  field.text("finish_reason", finish_reason);
  field("verdict", verdict);
  field.later_rows("verdict_reasons", verdict_reasons, kVerdictReasonFields);
  field.group("calibration", calibration, kCalibrationUseFields);
  field.group("capture", capture, kCaptureFields);
  field.text("capture_id", capture_id);
  field.group("request", request, kRequestFields);
  field.nested("totals", totals, kTotalsFields);
  field.rows("phases", phases, kPhaseFields);
  field.rows("sections", sections, kSectionFields);
};

}  // namespace enprof
