// What the process that keeps a run and the process of its engine say to each other: JSON objects,
// one a message. Both are the same program, so there is one version of them.
//
//     to the engine's process          from it
//     load {engine, path, …}           {open: path}* {progress: 0–1}* then {loaded: facts}
//     header {engine, path}            {open: path}* then {header: {…}}
//     opened {path} + descriptor       answers {open: path}
//     ask {options, threads}           {most: n, threads: n}
//     border {points} + memory         nothing: a counter that the engine's thread may read
//     point {text} + descriptor        nothing: a way to a counter, for the next border
//     generate {options, …} + memory   {plan: …}* {facts: …}* {values: …}* then {generated: {…}}
//     stop                             ends loading or generating soon
//
// Instead of an answer comes {error: {code, message, hint}} if the work failed. The memory of
// generate is that of the records (SharedRecords), the one of border is a BorderReader's.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/model/model_facts.hpp"

#include "base/json_node.hpp"
#include "engines/engine.hpp"
#include "engines/generation.hpp"
#include "record/shared_records.hpp"

#include <nlohmann/json.hpp>

#include <string>

namespace enprof {

using MessageJson = nlohmann::json;

// What cannot be read throws JsonError, or nlohmann's exception.

[[nodiscard]] MessageJson error_to_json(const Error& error);
[[nodiscard]] Error error_from_json(const JsonNode& node);

/// Without `stop` and `on_token`, which stay where they are.
[[nodiscard]] MessageJson options_to_json(const GenerateOptions& options);
[[nodiscard]] GenerateOptions options_from_json(const JsonNode& node);

[[nodiscard]] MessageJson result_to_json(const GenerateResult& result);
[[nodiscard]] GenerateResult result_from_json(const JsonNode& node);

[[nodiscard]] MessageJson capacity_to_json(const SharedRecords::Capacity& capacity);
[[nodiscard]] SharedRecords::Capacity capacity_from_json(const JsonNode& node);

[[nodiscard]] MessageJson settings_to_json(const EngineSettings& settings);
[[nodiscard]] EngineSettings settings_from_json(const JsonNode& node);

/// As one message. A text that is not UTF-8 is sent exactly.
[[nodiscard]] std::string message_text(const MessageJson& message);

}  // namespace enprof
