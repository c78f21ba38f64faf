#include "server/query_parameters.hpp"

#include "base/choices.hpp"
#include "model/moment.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <string>
#include <system_error>
#include <utility>

namespace enprof {
namespace {

constexpr std::size_t kLargestPage = 1000;

/// A day, which means its beginning, or an instant: see parse_moment().
Result<std::optional<WallTime>> instant(const HttpRequest& request, const char* name) {
  if (!request.query.contains(name)) {
    return std::optional<WallTime>{};
  }
  const std::string_view text = request.parameter(name);
  const auto moment = parse_moment(text, DayPart::begin);
  if (!moment) {
    return fail(ErrorCode::invalid_argument, fmt::format("{}={} is not a date", name, text),
                "Pass a day or an instant, UTC: 2026-11-24 or 2026-11-24T16:00:00Z");
  }
  return std::optional{*moment};
}

/// ?sort_by=; by date if absent.
Result<RunOrder> order_of(const HttpRequest& request) {
  constexpr std::array<std::string_view, 4> kNames{"date", "duration", "energy",
                                                   "joules_per_token"};
  constexpr std::array kOrders{RunOrder::date, RunOrder::duration, RunOrder::energy,
                               RunOrder::joules_per_token};
  const auto chosen = choice(request, "sort_by", kNames);
  return chosen ? Result<RunOrder>{kOrders.at(*chosen)} : std::unexpected(chosen.error());
}

/// ?order=; false if absent.
Result<bool> is_ascending(const HttpRequest& request) {
  constexpr std::array<std::string_view, 2> kNames{"desc", "asc"};
  const auto chosen = choice(request, "order", kNames);
  return chosen ? Result<bool>{*chosen == 1} : std::unexpected(chosen.error());
}

/// Empty if the query names no phase.
Result<std::optional<Phase>> phase_of(const HttpRequest& request) {
  constexpr std::array<std::string_view, 4> kNames{"pre_inference", "prefill", "decode",
                                                   "post_inference"};
  if (!request.query.contains("phase")) {
    return std::optional<Phase>{};
  }
  const auto chosen = choice(request, "phase", kNames);
  if (!chosen) {
    return std::unexpected(chosen.error());
  }
  return phase_from_string(kNames.at(*chosen));
}

/// The text that a list is filtered by; empty if the parameter is absent. An empty value is an
/// error: it would mean no filter, so a page with an unset variable would show all runs instead of
/// those of one model. `older` is another name for the parameter, for clients of our predecessor.
Result<std::string> narrowed_to(const HttpRequest& request, const char* name,
                                const char* older = nullptr) {
  const bool is_older = older != nullptr && request.query.contains(older);
  if (is_older && request.query.contains(name)) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("The parameters '{}' and '{}' are the same", name, older),
                fmt::format("Pass only '{}'.", name));
  }
  const char* const given = is_older ? older : name;
  std::string text{request.parameter(given)};
  if (text.empty() && request.query.contains(given)) {
    return fail(ErrorCode::invalid_argument, fmt::format("The parameter '{}' is empty", given),
                "Leave it out to list all runs.");
  }
  return text;
}

}  // namespace

Result<std::int64_t> whole_number(const HttpRequest& request, const char* name,
                                  std::int64_t otherwise, std::int64_t least, std::int64_t most) {
  if (!request.query.contains(name)) {
    return otherwise;
  }
  const std::string_view text = request.parameter(name);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < least || value > most) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("{}={} is not a whole number from {} to {}", name, text, least, most),
                "GET /api/openapi.json describes the parameters.");
  }
  return value;
}

Result<std::size_t> choice(const HttpRequest& request, const char* name,
                           std::span<const std::string_view> known) {
  if (!request.query.contains(name)) {
    return 0;
  }
  const std::string_view given = request.parameter(name);
  const auto found = std::ranges::find(known, given);
  if (found == known.end()) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("{}={} is not one of the choices", name, given),
                say_choices(given, known));
  }
  return static_cast<std::size_t>(found - known.begin());
}

Result<RunFilter> run_filter_of(const HttpRequest& request) {
  auto model = narrowed_to(request, "model");
  auto model_text = narrowed_to(request, "model_text");
  auto tag = narrowed_to(request, "tag", "tags");
  auto experiment = narrowed_to(request, "experiment");
  auto engine = narrowed_to(request, "engine", "inference_engine");
  auto prompt_text = narrowed_to(request, "text");
  auto capture = narrowed_to(request, "capture");
  const auto limit = whole_number(request, "limit", 50, 1, kLargestPage);
  const auto offset = whole_number(request, "offset", 0, 0, INT64_MAX);
  const auto from = instant(request, "date_from");
  const auto to = instant(request, "date_to");
  const auto order = order_of(request);
  const auto ascending = is_ascending(request);
  if (const auto wrong = first_error(model, model_text, tag, experiment, engine, prompt_text,
                                     capture, limit, offset, from, to, order, ascending)) {
    return std::unexpected(*wrong);
  }
  if (*from && *to && **from >= **to) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("date_from={} is not before date_to={}: no run is in between",
                            request.parameter("date_from"), request.parameter("date_to")),
                "date_to is exclusive. To include a day pass the next one: "
                "date_from=2026-11-24&date_to=2026-11-25");
  }
  return RunFilter{.model = *std::move(model),
                   .model_text = *std::move(model_text),
                   .tag = *std::move(tag),
                   .experiment = *std::move(experiment),
                   .engine = *std::move(engine),
                   .prompt_text = *std::move(prompt_text),
                   .capture = *std::move(capture),
                   .from = *from,
                   .to = *to,
                   .order = *order,
                   .ascending = *ascending,
                   .limit = static_cast<std::size_t>(*limit),
                   .offset = static_cast<std::size_t>(*offset)};
}

Result<PassRange> passes_of(const HttpRequest& request) {
  constexpr std::int32_t kLast = std::numeric_limits<std::int32_t>::max();
  const auto first = whole_number(request, "from", -1, -1, kLast);
  const auto last = whole_number(request, "to", kLast, -1, kLast);
  const auto phase = phase_of(request);
  if (const auto wrong = first_error(first, last, phase)) {
    return std::unexpected(*wrong);
  }
  if (*first > *last) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("from={} is after to={}: no token is in between", *first, *last),
                "Swap them. The prompt is token -1, the first output token 0.");
  }
  return PassRange{.phase = *phase,
                   .first = static_cast<std::int32_t>(*first),
                   .last = static_cast<std::int32_t>(*last)};
}

}  // namespace enprof
