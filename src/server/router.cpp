#include "server/router.hpp"

#include "base/choices.hpp"
#include "server/problem.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

namespace enprof {
namespace {

std::vector<std::string> split(std::string_view path) {
  std::vector<std::string> result;
  while (!path.empty()) {
    path.remove_prefix(1);  // the leading slash
    const auto slash = path.find('/');
    result.emplace_back(path.substr(0, slash));
    path = slash == std::string_view::npos ? std::string_view{} : path.substr(slash);
  }
  return result;
}

bool is_name(const std::string& segment) {
  return segment.starts_with('{') && segment.ends_with('}');
}

std::optional<Router::Captures> match(const std::vector<std::string>& pattern,
                                      const std::vector<std::string>& path) {
  if (pattern.size() != path.size()) {
    return std::nullopt;
  }
  Router::Captures captures;
  for (std::size_t index = 0; index < path.size(); ++index) {
    if (is_name(pattern[index]) && !path[index].empty()) {
      captures.push_back(path[index]);
    } else if (pattern[index] != path[index]) {
      return std::nullopt;
    }
  }
  return captures;
}

/// Some clients send an empty object instead of no body.
bool is_empty(std::string_view body) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const auto first = body.find_first_not_of(kBlanks);
  return first == std::string_view::npos ||
         body.substr(first, body.find_last_not_of(kBlanks) - first + 1) == "{}";
}

std::optional<Error> find_error(const HttpRequest& request, const Router::Accepts& accepts) {
  if (!accepts.body && !is_empty(request.body)) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("{} {} takes no body", request.method, request.path),
                 "Leave it out; GET /api/openapi.json describes the request."};
  }
  return accepts.any_parameter ? std::nullopt : wrong_parameter(request, accepts.parameters);
}

}  // namespace

std::optional<Error> wrong_parameter(const HttpRequest& request,
                                     std::span<const std::string_view> known) {
  if (!request.repeated.empty()) {
    return Error{
        ErrorCode::invalid_argument,
        fmt::format("The parameter '{}' is given more than once", *request.repeated.begin()),
        "Pass it once."};
  }
  for (const auto& [name, value] : request.query) {
    if (name == Router::kToken || std::ranges::find(known, name) != known.end()) {
      continue;
    }
    return Error{ErrorCode::invalid_argument,
                 fmt::format("{} has no parameter '{}'", request.path, name),
                 known.empty() ? std::string{"It has none; GET /api/openapi.json describes it."}
                               : say_choices(name, known)};
  }
  return std::nullopt;
}

void Router::add(std::string method, std::string_view pattern, Handler handler, Accepts accepts) {
  routes_.push_back({.method = std::move(method),
                     .segments = split(pattern),
                     .handler = std::move(handler),
                     .accepts = std::move(accepts)});
}

HttpResponse Router::route(const HttpRequest& request) const {
  const std::string method = request.method == "HEAD" ? std::string{"GET"} : request.method;
  const auto path =
      request.path.starts_with('/') ? split(request.path) : std::vector<std::string>{};
  std::set<std::string> methods;
  for (const Route& route : routes_) {
    if (const auto captures = match(route.segments, path)) {
      if (route.method == method) {
        if (const auto wrong = find_error(request, route.accepts)) {
          return problem(*wrong);
        }
        return route.handler(request, *captures);
      }
      methods.insert(route.method);
    }
  }
  if (methods.empty() && path.empty() && request.path != "/") {
    return problem(400, {ErrorCode::invalid_argument, "The address is not a valid path",
                         "It begins with /, and each % is followed by two hexadecimal digits."});
  }
  if (methods.empty()) {
    return problem(404, {ErrorCode::not_found, fmt::format("There is no {}", request.path),
                         "GET /api/openapi.json lists all paths."});
  }
  HttpResponse response =
      problem(405, {ErrorCode::invalid_argument,
                    fmt::format("{} is not allowed on {}", request.method, request.path),
                    fmt::format("Possible: {}", fmt::join(methods, ", "))});
  response.headers.emplace_back("Allow", fmt::format("{}", fmt::join(methods, ", ")));
  return response;
}

Router::Accepts Router::accepts(std::string_view method, std::string_view pattern) const {
  const auto segments = split(pattern);
  const auto found = std::ranges::find_if(routes_, [&](const Route& route) {
    return route.method == method && route.segments == segments;
  });
  return found == routes_.end() ? Accepts{} : found->accepts;
}

std::vector<std::pair<std::string, std::string>> Router::routes() const {
  std::vector<std::pair<std::string, std::string>> result;
  result.reserve(routes_.size());
  for (const Route& route : routes_) {
    result.emplace_back(route.method, fmt::format("/{}", fmt::join(route.segments, "/")));
  }
  return result;
}

}  // namespace enprof
