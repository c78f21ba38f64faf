// The columns of each table. One list per table serves writing, reading and naming, so that these
// three always agree. Each list takes its struct apart by structured bindings, so that a new member
// of the model which is not stored here does not compile.
//
// A list is a function (column, row) that calls, in the order of the columns,
//   column("name", member)               for a member that is always present, and for an optional
//   column.text_or_null("name", string)  for text; an empty string means absent
//   column.number_or_null("name", double) for a number; NaN means absent
//   column.index_or_null("name", index)  for an index; -1 means absent
//   column.coded("name", string or enum) for a word that is stored as its number
//   column.group(optional, list)         for the columns of an optional struct
// column_visitors.hpp defines what `column` can be. A row may be const.
#pragma once

#include "enprof/model/profiled_run.hpp"
#include "enprof/store/run_query.hpp"

#include "model/run_fields.hpp"

#include <cstdint>
#include <string>
#include <type_traits>

namespace enprof {

/// The row of a ProfiledRun in the table of runs; its lists have tables of their own.
inline constexpr auto kRunColumns = [](auto& column, auto& row) {
  kRunFields(column, row);
  kPowerFields(column, row.power);
};

/// The length is stored instead of the end: it takes half the bytes.
inline constexpr auto kSampleColumns = [](auto& column, auto& row) {
  auto& [domain, begin, end, energy] = row;
  column("domain", domain);
  column("begin", begin);
  // Unsigned, where wrapping is defined: two far instants give back the same two.
  const auto bits = [](Nanoseconds instant) { return static_cast<std::uint64_t>(instant.count()); };
  const auto instant = [](std::uint64_t value) {
    return Nanoseconds{static_cast<Nanoseconds::rep>(value)};
  };
  Nanoseconds length = instant(bits(end) - bits(begin));
  column("duration", length);
  if constexpr (!std::is_const_v<std::remove_reference_t<decltype(row)>>) {
    end = instant(bits(begin) + bits(length));
  }
  column("energy", energy);
};

/// A line of the list of runs, read from the same table.
inline constexpr auto kSummaryColumns = [](auto& column, auto& row) {
  auto& [run_id, status, started_at, depth, model, quantization, engine, experiment, tags, prompt,
         duration, prompt_tokens, output_tokens, energy, energy_per_output_token, method, verdict,
         warnings, uncertainty, time_to_first_token, requests, request] = row;
  kInAnotherList(tags);
  column("run_id", run_id);
  column("status", status);
  column("started_at", started_at);
  column("depth", depth);
  column.text("model_name", model);
  column.text("quantization", quantization);
  column.text("engine", engine);
  column.text("experiment", experiment);
  column("prompt", prompt);
  column("duration", duration);
  column("prompt_tokens", prompt_tokens);
  column("output_tokens", output_tokens);
  column("energy", energy);
  column("energy_per_output_token", energy_per_output_token);
  column("method", method);
  column("verdict", verdict);
  column("(SELECT count(*) FROM warnings WHERE warnings.run_key = runs.run_key)", warnings);
  column("standard_uncertainty", uncertainty);
  column("time_to_first_token", time_to_first_token);
  column("capture_requests", requests);
  column.group("request", request, kRequestFields);
};

/// Lists of single values.
inline constexpr auto kTagColumns = [](auto& column, auto& row) { column("tag", row); };
inline constexpr auto kSourceColumns = [](auto& column, auto& row) { column("description", row); };
inline constexpr auto kPeakPowerColumns = [](auto& column, auto& row) { column("power", row); };

}  // namespace enprof
