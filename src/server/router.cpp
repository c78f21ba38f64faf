#include "server/router.hpp"

#include "server/problem.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <optional>
#include <set>
#include <utility>

namespace enprof {
namespace {

std::vector<std::string> split(std::string_view path) {
  std::vector<std::string> result;
  while (!path.empty()) {
    path.remove_prefix(1);  // the slash
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

}  // namespace

void Router::add(std::string method, std::string_view pattern, Handler handler) {
  routes_.push_back(
      {.method = std::move(method), .segments = split(pattern), .handler = std::move(handler)});
}

HttpResponse Router::route(const HttpRequest& request) const {
  const std::string method = request.method == "HEAD" ? std::string{"GET"} : request.method;
  const auto path =
      request.path.starts_with('/') ? split(request.path) : std::vector<std::string>{};
  std::set<std::string> methods;
  for (const Route& route : routes_) {
    if (const auto captures = match(route.segments, path)) {
      if (route.method == method) {
        return route.handler(request, *captures);
      }
      methods.insert(route.method);
    }
  }
  if (methods.empty()) {
    return problem(404, {ErrorCode::not_found, fmt::format("There is no {}", request.path),
                         "GET /api/openapi.json lists all paths."});
  }
  HttpResponse response =
      problem(405, {ErrorCode::invalid_argument,
                    fmt::format("{} is not possible with {}", request.method, request.path),
                    fmt::format("Possible: {}", fmt::join(methods, ", "))});
  response.headers.emplace_back("Allow", fmt::format("{}", fmt::join(methods, ", ")));
  return response;
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
