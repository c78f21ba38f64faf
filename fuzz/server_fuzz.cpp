// Input from clients: requests as text, with target, headers and body; or, after a first line WS
// SINCE, a watcher's message.
#include "base/lower_case.hpp"
#include "fuzz/check.hpp"
#include "live/event_hub.hpp"
#include "server/access_policy.hpp"
#include "server/http_request.hpp"
#include "server/live_frame.hpp"
#include "server/matrix_query.hpp"
#include "server/router.hpp"
#include "server/run_request_json.hpp"
#include "tests/support/operation_sums.hpp"

#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace enprof::fuzz {
namespace {

constexpr std::uint16_t kPort = 8000;
constexpr std::string_view kToken = "s3cret";

/// Removes and returns the first line; it ends with a line feed.
std::string_view pop_line(std::string_view& text) {
  const auto end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

HttpRequest request_from(std::string_view text) {
  const std::string_view first = pop_line(text);
  const auto space = first.find(' ');
  HttpRequest request =
      parse_target(space == std::string_view::npos ? std::string_view{} : first.substr(space + 1));
  request.method = first.substr(0, space);
  for (auto line = pop_line(text); !line.empty(); line = pop_line(text)) {
    const auto colon = line.find(": ");
    if (colon != std::string_view::npos) {
      request.headers.try_emplace(lower_case(line.substr(0, colon)), line.substr(colon + 2));
    }
  }
  request.body = text;
  return request;
}

bool says_why(const Error& error) { return !error.message.empty() && !error.hint.empty(); }

void ask_policies(const HttpRequest& request) {
  static const AccessPolicy here("127.0.0.1", kPort, "");
  static const AccessPolicy network("192.0.2.7", kPort, std::string(kToken));
  const std::string host = lower_case(request.header("host"));
  const auto is_refusal = [](const HttpResponse& answer) {
    const auto problem = nlohmann::json::parse(answer.body);
    return ((answer.status == 401 && !answer.headers.empty()) || answer.status == 403) &&
           problem.at("message") != "" && !problem.at("hint").is_null();
  };
  if (const auto refused = here.refusal(request)) {
    check(is_refusal(*refused), "a refusal says why, and what to do");
    check(refused->status == 403, "without a token none is asked for");
  } else {
    check(host.starts_with("localhost") || host.starts_with("127.") || host.starts_with("[::1") ||
              host.starts_with("::1"),
          "only names of this machine are let in");
    const std::string origin = lower_case(request.header("origin"));
    check(origin.empty() || origin.find("localhost") != std::string::npos ||
              origin.find("127.") != std::string::npos || origin.find("::1") != std::string::npos,
          "and only its own pages");
  }
  if (const auto refused = network.refusal(request)) {
    check(is_refusal(*refused), "a refusal says why, and what to do");
  } else {
    const bool is_page = (request.method == "GET" || request.method == "HEAD") &&
                         !request.path.starts_with("/api/") && !request.path.starts_with("/ws/") &&
                         request.path != "/metrics";
    const std::string_view given = request.header("authorization");
    check(is_page || request.parameter("token") == kToken ||
              (lower_case(given).starts_with("bearer ") && given.ends_with(kToken)),
          "the network needs the token");
  }
}

void ask_router(const HttpRequest& request) {
  static const Router router = [] {
    Router result;
    const auto echo = [](const HttpRequest&, const Router::Captures& captures) {
      for (const std::string& capture : captures) {
        check(!capture.empty(), "a name stands for something");
      }
      return HttpResponse{.status = 200, .body = std::to_string(captures.size())};
    };
    result.add("GET", "/", echo);
    result.add("POST", "/api/profiling/generate", echo);
    result.add("GET", "/api/profiling/run/{id}", echo);
    result.add("GET", "/api/profiling/run/{id}/matrix", echo);
    result.add("DELETE", "/api/profiling/run/{id}", echo);
    return result;
  }();
  const HttpResponse response = router.route(request);
  check(response.status == 200 || response.status == 400 || response.status == 404 ||
            response.status == 405,
        "a request is answered, or asks what there is not, or has the wrong method");
  if (response.status != 200) {
    const auto body = nlohmann::json::parse(response.body, nullptr, false);
    check(body.is_object() && body["status"] == response.status, "and the problem is JSON");
  }
}

void ask_for_run(const HttpRequest& request) {
  const auto task = parse_run_request(request.body);
  if (!task) {
    check(says_why(task.error()), "a refusal says why");
    return;
  }
  check(!task->generate.prompt.empty() && !task->model.empty(), "there is something to run");
  check(task->generate.max_tokens >= 1 && task->generate.max_tokens <= 1'000'000,
        "of bounded length");
  check(task->generate.top_p > 0.0F && task->generate.top_p <= 1.0F &&
            task->generate.temperature >= 0.0F,
        "within reason");
}

void ask_for_matrix(const HttpRequest& request) {
  static const ProfiledRun run = [] {
    ProfiledRun result;
    result.operation_table.operations = {{.layer = 0, .component = "q_proj", .bytes = 10.0},
                                         {.layer = 1, .component = "o_proj", .flops = 10.0}};
    result.operation_table.events = {{.duration_ns = 5, .operation = 1, .token = -1},
                                     {.energy_j = 1.0, .duration_ns = 5, .token = 3}};
    return result;
  }();
  const auto number = [&](const char* name) {
    return static_cast<std::int32_t>(parse_since(request.parameter(name), 0).value_or(0));
  };
  const std::string_view metric = request.parameter("metric");
  if (!value_matrix(run.values, metric)) {
    const auto matrix =
        metric_matrix(cells_of_passes(testing::sums_of(
                          run, {.phase = {}, .first = number("from"), .last = number("to")})),
                      metric);
    check(!matrix ? says_why(matrix.error())
                  : matrix->values.size() == matrix->layers.size() * matrix->components.size(),
          "a matrix is whole, or refused");
  }
}

void check_watcher_message(std::string_view since, std::string_view message) {
  static EventHub hub({.events = 4, .bytes = 1U << 20U});
  if (hub.last() == 0) {
    for (const char* type : {"run_started", "power_sample", "token_complete", "power_sample",
                             "token_complete", "inference_complete"}) {
      static_cast<void>(hub.publish("run", type, Nanoseconds{1}, R"({"power_mw":1})"));
    }
  }
  const auto filter = parse_subscription(message);
  if (!filter) {
    check(says_why(filter.error()), "a refusal says why");
    return;
  }
  check(filter->runs.size() <= kMostNames && filter->types.size() <= kMostNames,
        "a subscription is bounded");
  const auto number = parse_since(since, hub.last());
  if (!number) {
    return;
  }
  const EventHub::Batch batch = hub.read(*number, 3);
  check(batch.next <= hub.last() && batch.events.size() <= 3, "a batch is of what there is");
  const std::string frame = make_frame(batch, *filter, (*number & 1U) != 0);
  const auto events = nlohmann::json::parse(frame.empty() ? "[]" : frame, nullptr, false);
  check(events.is_array(), "a frame is an array");
  for (const auto& event : events) {
    check(event["type"] == "gap" || filter->types.empty() ||
              filter->types.contains(event["type"].get<std::string>()),
          "of what was asked for");
  }
}

void run(std::string_view text) {
  if (text.starts_with("WS ")) {
    const std::string_view since = pop_line(text).substr(3);
    check_watcher_message(since, text);
    return;
  }
  const HttpRequest request = request_from(text);
  ask_policies(request);
  ask_router(request);
  ask_for_run(request);
  ask_for_matrix(request);
}

}  // namespace
}  // namespace enprof::fuzz

// libFuzzer calls the function with this name.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  enprof::fuzz::run({reinterpret_cast<const char*>(data), size});
  return 0;
}
