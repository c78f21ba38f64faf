// A run with passes that is small enough to compute its figures by hand.
#pragma once

#include "enprof/model/energy_window.hpp"

#include "record/recording.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace enprof::testing {

inline Instant at_ms(double ms) { return Instant{std::chrono::seconds{1} + from_ms(ms)}; }

/// Eight operations: embedding, two layers of three operations each, lm_head. In layer 0 another
/// component lies between the two rope operations; in layer 1 attention has two operations.
inline OperationPlan small_plan() {
  const auto operation = [](std::int32_t layer, const char* component, const char* op,
                            const std::string& name) {
    return OperationInfo{.layer = layer,
                         .component = component,
                         .op = op,
                         .name = name,
                         .shape = {4, 1, 1, 1},
                         .flops = 10.0,
                         .bytes = 100.0};
  };
  OperationPlan plan;
  plan.operations = {operation(-1, "embedding", "GET_ROWS", "embd"),
                     operation(0, "rope", "ROPE", "Qcur-0"),
                     operation(0, "k_proj", "MUL_MAT", "Kcur-0"),
                     operation(0, "rope", "ROPE", "Kcur-0"),
                     operation(1, "attention", "MUL_MAT", "kq-1"),
                     operation(1, "attention", "SOFT_MAX", "kq_soft_max-1"),
                     operation(1, "o_proj", "MUL_MAT", "attn_out-1"),
                     operation(-1, "lm_head", "MUL_MAT", "result_output")};
  return plan;
}

/// A run of 100 ms: prefill 0–40 with a pass in its forward section; decode 40–100 with two tokens
/// of 30 ms, each with a pass in its forward section. A pass begins 1 ms after its section, and its
/// first operation 1 ms later. Each operation takes 2 ms; the pass ends 1 ms after the last one.
inline Recording small_recording() {
  Recording result;
  result.names = {"run", "forward"};
  result.token_texts = {"a", "b"};
  result.passes.plans = {std::make_shared<const OperationPlan>(small_plan())};
  const auto span = [&](double begin, double end, std::int32_t parent, Level level, Phase phase,
                        std::int32_t token = Span::kNone) {
    result.spans.push_back({.begin = at_ms(begin),
                            .end = at_ms(end),
                            .parent = parent,
                            .token = token,
                            .name = static_cast<std::uint16_t>(level == Level::section ? 1 : 0),
                            .level = level,
                            .phase = phase});
    return static_cast<std::int32_t>(result.spans.size()) - 1;
  };
  const auto pass = [&](double begin, std::int32_t parent, const BatchSequence& sequence) {
    std::vector<Instant> ends;
    for (int operation = 1; operation <= 8; ++operation) {
      ends.push_back(at_ms(begin + 1 + 2 * operation));
    }
    result.passes.add({.begin = at_ms(begin),
                       .start = at_ms(begin + 1),
                       .end = at_ms(begin + 18),
                       .place = {.parent = parent,
                                 .spans_before = static_cast<std::uint32_t>(result.spans.size())}},
                      ends, std::span(&sequence, 1));
  };
  span(0, 100, Span::kNone, Level::run, Phase::pre_inference);
  const auto prefill = span(0, 40, 0, Level::phase, Phase::prefill);
  pass(1, span(0, 30, prefill, Level::section, Phase::prefill), {.tokens = 12, .outputs = 1});
  const auto decode = span(40, 100, 0, Level::phase, Phase::decode);
  for (std::int32_t token = 0; token < 2; ++token) {
    const double begin = 40 + 30 * token;
    const auto outer = span(begin, begin + 30, decode, Level::token, Phase::decode, token);
    pass(begin + 1, span(begin, begin + 25, outer, Level::section, Phase::decode, token),
         {.first_position = 12 + token, .tokens = 1, .outputs = 1});
    span(begin + 25, begin + 28, outer, Level::section, Phase::decode, token);
  }
  return result;
}

/// Windows of 2 ms: 20 W from 50 to 60 ms, otherwise 10 W.
inline std::vector<EnergyWindow> small_power() {
  std::vector<EnergyWindow> result;
  for (int begin = 0; begin < 100; begin += 2) {
    const double watts = begin >= 50 && begin < 60 ? 20.0 : 10.0;
    result.push_back({.begin = at_ms(begin),
                      .end = at_ms(begin + 2),
                      .energy = Watts{watts} * std::chrono::milliseconds{2}});
  }
  return result;
}

}  // namespace enprof::testing
