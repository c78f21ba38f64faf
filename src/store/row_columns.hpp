// What each column holds. One list a table serves writing, reading and naming alike, so that the
// three cannot drift apart; and each list takes its struct to pieces by structured bindings, so
// that a member which is added to the model and not stored here does not compile.
//
// A list is a function (column, row) that calls, in the order of its columns,
//   column("name", member)               for what is always there, and for optionals
//   column.text_or_null("name", string)  for text whose empty string means absent
//   column.number_or_null("name", double) for a number that may be none (NaN)
//   column.index_or_null("name", index)  for an index of which -1 says that there is none
//   column.coded("name", string or enum) for a word that is stored as its number
//   column.group(optional, list)         for the columns of an optional struct
// See column_visitors.hpp for what `column` can be. A row may be const.
#pragma once

#include "enprof/model/profiled_run.hpp"
#include "enprof/store/run_query.hpp"

#include <cstddef>
#include <string>
#include <type_traits>

namespace enprof {

inline constexpr auto kFigureColumns = [](auto& column, auto& row) {
  auto& [duration, total, baseline, dynamic, mean_power, quality] = row;
  auto& [sensor, method, coverage, resolution, standard_error, dynamic_standard_error,
         foreign_cpu_share] = quality;
  column("duration_ns", duration);
  column("energy_j", total);
  column("baseline_energy_j", baseline);
  column("dynamic_energy_j", dynamic);
  column("mean_power_w", mean_power);
  column.text_or_null("sensor", sensor);
  column("method", method);
  column("coverage", coverage);
  column("resolution", resolution);
  column("standard_error_j", standard_error);
  column("dynamic_standard_error_j", dynamic_standard_error);
  column("foreign_cpu_share", foreign_cpu_share);
};

inline constexpr auto kModelColumns = [](auto& column, auto& row) {
  auto& [name, path, architecture, quantization, engine, parameters, file_bytes, weight_bytes,
         layers, embedding_width, feed_forward_width, heads, kv_heads, head_width, experts,
         experts_used, vocabulary, context_trained, context, kv_cache_bytes, kv_cache_used_bytes,
         gpu_layers, threads, load_time] = row;
  column.text_or_null("model_name", name);
  column.text_or_null("model_path", path);
  column.text_or_null("architecture", architecture);
  column.text_or_null("quantization", quantization);
  column.text_or_null("engine", engine);
  column("parameters", parameters);
  column("file_bytes", file_bytes);
  column("weight_bytes", weight_bytes);
  column("layers", layers);
  column("embedding_width", embedding_width);
  column("feed_forward_width", feed_forward_width);
  column("heads", heads);
  column("kv_heads", kv_heads);
  column("head_width", head_width);
  column("experts", experts);
  column("experts_used", experts_used);
  column("vocabulary", vocabulary);
  column("context_trained", context_trained);
  column("context", context);
  column("kv_cache_bytes", kv_cache_bytes);
  column("kv_cache_used_bytes", kv_cache_used_bytes);
  column("gpu_layers", gpu_layers);
  column("threads", threads);
  column("load_ns", load_time);
};

inline constexpr auto kTotalsColumns = [](auto& column, auto& row) {
  auto& [figure, process_dynamic, prompt_tokens, output_tokens, time_to_first_token,
         prefill_tokens_per_second, decode_tokens_per_second, energy_per_input_token,
         energy_per_output_token, output_to_input_ratio, tokens_per_joule, edp, edp_per_token,
         economics, cost_usd, co2_grams] = row;
  auto& [price_usd_per_kwh, carbon_g_per_kwh] = economics;
  kFigureColumns(column, figure);
  column("process_dynamic_energy_j", process_dynamic);
  column("prompt_tokens", prompt_tokens);
  column("output_tokens", output_tokens);
  column("time_to_first_token_ns", time_to_first_token);
  column("prefill_tokens_per_second", prefill_tokens_per_second);
  column("decode_tokens_per_second", decode_tokens_per_second);
  column("energy_per_input_token_j", energy_per_input_token);
  column("energy_per_output_token_j", energy_per_output_token);
  column("output_to_input_energy_ratio", output_to_input_ratio);
  column("tokens_per_joule", tokens_per_joule);
  column("edp_js", edp);
  column("edp_per_token_js", edp_per_token);
  column("price_usd_per_kwh", price_usd_per_kwh);
  column("carbon_g_per_kwh", carbon_g_per_kwh);
  column("cost_usd", cost_usd);
  column("co2_g", co2_grams);
};

inline constexpr auto kBaselineColumns = [](auto& column, auto& row) {
  auto& [power, spread, duration, windows] = row;
  column("baseline_power_w", power);
  column("baseline_power_spread_w", spread);
  column("baseline_duration_ns", duration);
  column("baseline_windows", windows);
};

/// by_domain has a table of its own.
inline constexpr auto kPeakColumns = [](auto& column, auto& row) {
  auto& [power, at, window, by_domain] = row;
  static_cast<void>(by_domain);
  column("peak_power_w", power);
  column("peak_at_ns", at);
  column("peak_window_ns", window);
};

/// The row of a ProfiledRun in the table of runs; its lists have tables of their own.
inline constexpr auto kRunColumns = [](auto& column, auto& row) {
  auto& [run_id, status, started_at, depth, experiment, tags, prompt, response, finish_reason,
         model, totals, phases, sections, tokens, layers, components, operations, operation_table,
         values, power, warnings] = row;
  auto& [sources, domains, baseline, peak, samples, readings, interval] = power;
  const auto elsewhere = [](const auto&...) {};
  elsewhere(tags, phases, sections, tokens, warnings, sources, domains, samples);
  elsewhere(layers, components, operations, operation_table, values, readings);
  column("run_id", run_id);
  column("status", status);
  column("started_at_ms", started_at);
  column("depth", depth);
  column.text_or_null("experiment", experiment);
  column.text_or_null("finish_reason", finish_reason);
  kModelColumns(column, model);
  kTotalsColumns(column, totals);
  column("power_interval_ns", interval);
  column.group(baseline, kBaselineColumns);
  column.group(peak, kPeakColumns);
  column("prompt", prompt);
  column("response", response);
};

inline constexpr auto kPhaseColumns = [](auto& column, auto& row) {
  auto& [phase, begin, figure] = row;
  column("phase", phase);
  column("begin_ns", begin);
  kFigureColumns(column, figure);
};

inline constexpr auto kSectionColumns = [](auto& column, auto& row) {
  auto& [phase, name, count, begin, figure] = row;
  column("phase", phase);
  column("name", name);
  column("count", count);
  column("begin_ns", begin);
  kFigureColumns(column, figure);
};

inline constexpr auto kTokenColumns = [](auto& column, auto& row) {
  auto& [index, text, phase, begin, figure] = row;
  column("token_index", index);
  column("text", text);
  column("phase", phase);
  column("begin_ns", begin);
  kFigureColumns(column, figure);
};

inline constexpr auto kDomainColumns = [](auto& column, auto& row) {
  auto& [domain, figure, idle_power, idle_spread] = row;
  auto& [name, kind, socket, parent, source, method, period, stamp_error, scope, device] = domain;
  column("name", name);
  column("kind", kind);
  column("socket", socket);
  column("parent", parent);
  column.text_or_null("source", source);
  column("source_method", method);
  column("period_ns", period);
  column("stamp_error_ns", stamp_error);
  column("scope", scope);
  column.text_or_null("device", device);
  kFigureColumns(column, figure);
  column("idle_power_w", idle_power);
  column("idle_power_spread_w", idle_spread);
};

/// The length is stored in place of the end: it takes half the bytes.
inline constexpr auto kSampleColumns = [](auto& column, auto& row) {
  auto& [domain, begin, end, energy] = row;
  column("domain", domain);
  column("begin_ns", begin);
  // Unsigned, where wrapping is defined: two far instants give back the same two.
  const auto bits = [](Nanoseconds instant) { return static_cast<std::uint64_t>(instant.count()); };
  const auto instant = [](std::uint64_t value) {
    return Nanoseconds{static_cast<Nanoseconds::rep>(value)};
  };
  Nanoseconds length = instant(bits(end) - bits(begin));
  column("duration_ns", length);
  if constexpr (!std::is_const_v<std::remove_reference_t<decltype(row)>>) {
    end = instant(bits(begin) + bits(length));
  }
  column("energy_j", energy);
};

inline constexpr auto kWarningColumns = [](auto& column, auto& row) {
  auto& [component, code, message, hint] = row;
  column("component", component);
  column("code", code);
  column("message", message);
  column.text_or_null("hint", hint);
};

/// A line of the list of runs, from the same table.
inline constexpr auto kSummaryColumns = [](auto& column, auto& row) {
  auto& [run_id, status, started_at, depth, model, quantization, experiment, tags, prompt, duration,
         prompt_tokens, output_tokens, energy, energy_per_output_token, method, warnings] = row;
  static_cast<void>(tags);
  column("run_id", run_id);
  column("status", status);
  column("started_at_ms", started_at);
  column("depth", depth);
  column.text_or_null("model_name", model);
  column.text_or_null("quantization", quantization);
  column.text_or_null("experiment", experiment);
  column("prompt", prompt);
  column("duration_ns", duration);
  column("prompt_tokens", prompt_tokens);
  column("output_tokens", output_tokens);
  column("energy_j", energy);
  column("energy_per_output_token_j", energy_per_output_token);
  column("method", method);
  column("(SELECT count(*) FROM warnings WHERE warnings.run_key = runs.run_key)", warnings);
};

/// Lists of plain values.
inline constexpr auto kTagColumns = [](auto& column, auto& row) { column("tag", row); };
inline constexpr auto kSourceColumns = [](auto& column, auto& row) { column("description", row); };
inline constexpr auto kPeakPowerColumns = [](auto& column, auto& row) { column("power_w", row); };

}  // namespace enprof
